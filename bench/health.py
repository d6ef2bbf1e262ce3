"""How processes are: memory, descriptors, threads, and datagrams that the kernel dropped at their sockets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import cost

_PROC: Final = Path("/proc")
_TABLES: Final = ("udp", "udp6")


@dataclass(frozen=True, slots=True)
class Health:
    """At one moment, all processes together."""

    memory_kb: int
    """Anonymous memory."""
    descriptors: int
    threads: int
    udp_drops: int
    """Datagrams that found their sockets full (proc_net_udp), of all sockets that are open now."""


def look(processes: Mapping[int, str]) -> Health:
    """Take a reading."""
    return Health(
        memory_kb=sum(cost.memory_kb(processes).values()),
        descriptors=sum(len(_list(_PROC / str(pid) / "fd")) for pid in processes),
        threads=sum(len(_list(_PROC / str(pid) / "task")) for pid in processes),
        udp_drops=_udp_drops(set[str]().union(*map(_socket_inodes, processes))),
    )


def receive_buffer_errors() -> int:
    """Datagrams that found any socket of this machine full (netstat's RcvbufErrors)."""
    names, values = (
        line.split()[1:] for line in (_PROC / "net" / "snmp").read_text().splitlines() if line.startswith("Udp:")
    )
    return int(values[names.index("RcvbufErrors")])


def _list(directory: Path) -> list[Path]:
    return list(directory.iterdir())


def _socket_inodes(pid: int) -> set[str]:
    found = set()
    for descriptor in _list(_PROC / str(pid) / "fd"):
        try:
            target = str(descriptor.readlink())
        except FileNotFoundError:  # closed while we looked
            continue
        if target.startswith("socket:["):
            found.add(target[8:-1])
    return found


def _udp_drops(inodes: set[str]) -> int:
    rows = [row.split() for table in _TABLES for row in (_PROC / "net" / table).read_text().splitlines()[1:]]
    return sum(int(row[-1]) for row in rows if row[9] in inodes)
