"""Free ports on loopback, and whether a port is free again."""

from __future__ import annotations

import fcntl
import functools
import os
import random
import socket
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

HOST: Final = "127.0.0.1"
_BLOCKS: Final = range(18_000, 32_000)
"""Above the demo phone's RTP ports and below Linux's ephemeral ones (32768…): nobody gets one by chance."""
_SHARES: Final = 5
"""So many runs of tests at a time on one machine have ports of their own; more share them all."""
LARGE: Final = 100
"""A block of so many ports is somebody's RTP range: it is given again once others are used up, if it is free."""

_given: set[int] = set()
_given_large: set[int] = set()


def is_free(port: int, kind: socket.SocketKind) -> bool:
    """Whether nobody listens on the port; connections that only linger (TIME_WAIT) do not count."""
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind is socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def is_bound(port: int) -> bool:
    """Whether a UDP socket has the port; to try it would take it from who is about to."""
    sockets = Path("/proc/net/udp").read_text().splitlines()[1:]
    return any(line.split()[1].endswith(f":{port:04X}") for line in sockets)


def is_wholly_free(port: int) -> bool:
    """Neither UDP nor TCP."""
    return is_free(port, socket.SOCK_DGRAM) and is_free(port, socket.SOCK_STREAM)


def free_port() -> int:
    """A port that is free for UDP and TCP and was not given out lately in this process."""
    return free_block(1)[0]


def free_block(size: int) -> range:
    """So many ports in a row, the first one even."""
    block = _search(size, _given | _given_large)
    for forgotten in (_given_large, _given):
        if block is None:
            forgotten.clear()
            block = _search(size, _given)
    if block is None:
        raise RuntimeError(f"there are no {size} free ports in a row")
    (_given_large if size >= LARGE else _given).update(block)
    return block


@functools.cache
def _share() -> range:
    """The ports of this process: it holds a lock on them until it ends."""
    length = len(_BLOCKS) // _SHARES & ~1
    for number in range(_SHARES):
        lock = os.open(Path(tempfile.gettempdir(), f"webtrunk-test-ports-{number}"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
        else:
            return _BLOCKS[number * length : (number + 1) * length]
    return _BLOCKS


def _search(size: int, avoid: set[int]) -> range | None:
    """The first block from a random place on, round the end and back to that place."""
    share = _share()
    starts = range(share.start, share.stop - size, 2)
    offset = random.randrange(len(starts))
    for first in (*starts[offset:], *starts[:offset]):
        block = range(first, first + size)
        if avoid.isdisjoint(block) and all(map(is_wholly_free, block)):
            return block
    return None


def taken(ports: Iterable[int]) -> list[int]:
    """Those of the ports that somebody holds."""
    return [port for port in ports if not is_wholly_free(port)]
