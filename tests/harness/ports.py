"""Free ports on loopback, and whether a port is free again."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable
from typing import Final

HOST: Final = "127.0.0.1"
_BLOCKS: Final = range(20_000, 30_000)
"""Below Linux's ephemeral ports (32768…), so that nobody gets one of a block by chance."""

_given: set[int] = set()


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


def is_wholly_free(port: int) -> bool:
    """Neither UDP nor TCP."""
    return is_free(port, socket.SOCK_DGRAM) and is_free(port, socket.SOCK_STREAM)


def free_port() -> int:
    """A port that is free for UDP and TCP and was not given out before in this process."""
    return free_block(1)[0]


def free_block(size: int) -> range:
    """So many ports in a row, the first one even."""
    for _ in range(1000):
        first = random.randrange(_BLOCKS.start, _BLOCKS.stop - size, 2)
        block = range(first, first + size)
        if not _given.intersection(block) and all(map(is_wholly_free, block)):
            _given.update(block)
            return block
    raise RuntimeError(f"there are no {size} free ports in a row")


def taken(ports: Iterable[int]) -> list[int]:
    """Those of the ports that somebody holds."""
    return [port for port in ports if not is_wholly_free(port)]
