"""Memory given back to the system: measured on the heap of a process of its own."""

import ctypes
import subprocess
import sys
import weakref
from pathlib import Path

from gateway.heap import TRIM_ABOVE_BYTES, Heap

BLOCK = 64 << 10  # below glibc's threshold for mappings of their own
BLOCKS = 512


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def burst() -> None:
    """Free much below a block that is kept, and give it back; in a process whose heap has no gaps from before."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.free.argtypes = (ctypes.c_void_p,)
    heap = Heap()
    assert heap.can_trim
    heap.trim()
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


class Knot:
    """Knows itself, so that only the collector frees it."""

    def __init__(self) -> None:
        self.itself = self


def test_what_ended_calls_left_is_freed_but_not_for_more_than_a_share_of_the_time() -> None:
    heap = Heap()
    first = weakref.ref(Knot())
    heap.collect(100.0)
    second = weakref.ref(Knot())
    heap.collect(100.0)
    assert (first() is None, second() is None) == (True, False)
    heap.collect(100_000.0)
    assert second() is None


def test_what_a_burst_left_is_given_back() -> None:
    process = subprocess.run([sys.executable, "-m", __name__], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr


if __name__ == "__main__":
    burst()
