"""Who is at the door but has not come in: bounded per address and in all, so that half-open clients cost little."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True, eq=False, slots=True)
class Place:
    """One connection that waits."""

    household: str
    evict: Callable[[], None]


class Lobby:
    """Waiting connections; those that come in or go away make room.

    When it is full, whoever is not one of the crowd takes the place of the oldest of the largest household: a flood
    from many addresses then drives out its own.
    """

    def __init__(self, per_address: int = PER_ADDRESS, in_all: int = IN_ALL) -> None:
        self._per_address, self._in_all = per_address, in_all
        self._households: dict[str, dict[Place, None]] = {}
        self.waiting = 0
        """How many wait now."""
        self.refused = 0
        """How many were turned away or driven out."""

    def enter(self, address: str, evict: Callable[[], None]) -> Place | None:
        """Let one more connection from this IP address wait, until it must `leave` or is driven out by `evict`."""
        home = household(address)
        mine = len(self._households.get(home, ()))
        if mine >= self._per_address or (self.waiting >= self._in_all and not self._make_room(mine)):
            self.refused += 1
            return None
        place = Place(home, evict)
        self._households.setdefault(home, {})[place] = None
        self.waiting += 1
        return place

    def leave(self, place: Place) -> None:
        """It has come in, or gone; harmless when repeated."""
        places = self._households.get(place.household, {})
        if place in places:
            del places[place]
            self.waiting -= 1
            if not places:
                del self._households[place.household]

    def _make_room(self, mine: int) -> bool:
        """For somebody whose household has `mine` connections here."""
        largest = max(self._households.values(), key=len)
        if len(largest) <= mine:
            return False
        oldest = next(iter(largest))
        self.leave(oldest)
        self.refused += 1
        oldest.evict()
        return True
