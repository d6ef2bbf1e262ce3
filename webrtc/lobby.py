"""Who is at the door but has not come in: bounded per address and in all, so that half-open clients cost little."""

from __future__ import annotations

import ipaddress
from collections import Counter
from typing import Final

PER_ADDRESS: Final = 64
IN_ALL: Final = 1024


def household(address: str) -> str:
    """What one client may have many of counts as one: the /64 of an IPv6 address (RFC 6177), mapped IPv4 as IPv4."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return address
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.IPv6Address(int(ip) >> 64 << 64))


class Lobby:
    """Counts waiting connections; those that come in or go away make room."""

    def __init__(self, per_address: int = PER_ADDRESS, in_all: int = IN_ALL) -> None:
        self._per_address, self._in_all = per_address, in_all
        self._waiting: Counter[str] = Counter()
        self.refused = 0

    def enter(self, address: str) -> bool:
        """Whether one more connection from this IP address may wait; then it must `leave`."""
        address = household(address)
        if self._waiting[address] >= self._per_address or self._waiting.total() >= self._in_all:
            self.refused += 1
            return False
        self._waiting[address] += 1
        return True

    def leave(self, address: str) -> None:
        """It has come in, or gone."""
        address = household(address)
        self._waiting[address] -= 1
        if self._waiting[address] <= 0:
            del self._waiting[address]

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return self._waiting.total()
