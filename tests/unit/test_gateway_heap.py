"""Memory given back to the system: measured on this process's own heap."""

import ctypes
from pathlib import Path

import pytest

from gateway.heap import TRIM_ABOVE_BYTES, Heap

BLOCK = 64 << 10  # below glibc's threshold for mappings of their own
BLOCKS = 512


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.fixture
def heap() -> Heap:
    made = Heap()
    assert made.can_trim
    made.trim()
    return made


def test_what_a_burst_left_is_given_back(heap: Heap) -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.free.argtypes = (ctypes.c_void_p,)
    assert not heap.is_worth_it()
    blocks = [libc.malloc(BLOCK) for _ in range(BLOCKS)]
    for block in blocks:
        ctypes.memset(block, 1, BLOCK)
    for block in blocks[:-1]:  # the last one keeps the top of the heap where it is
        libc.free(block)
    assert heap.is_worth_it()
    before = resident_bytes()
    heap.trim()
    assert before - resident_bytes() > TRIM_ABOVE_BYTES
    assert not heap.is_worth_it()
    libc.free(blocks[-1])
