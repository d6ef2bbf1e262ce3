"""Host names to addresses, without blocking the worker's loop."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterable

from call.errors import TransportError
from sip import dns
from sip.trunk import is_address

log = logging.getLogger("sip.names")

LIFETIME_S = 60.0
"""How long an answer is used; getaddrinfo does not tell the record's own lifetime."""
TIMEOUT_S = 6.0


class Names:
    """Resolves through the system (hosts file, resolv.conf) or the configured servers, and remembers for a while."""

    def __init__(
        self,
        now: Callable[[], float],
        family: socket.AddressFamily = socket.AF_INET,
        nameservers: Iterable[tuple[str, int]] = (),
    ) -> None:
        """`now`: the loop's clock; `family`: what our sockets speak; `nameservers`: instead of the system's."""
        self._now = now
        self._family = family
        self._nameservers = tuple(nameservers)
        self._known: dict[str, tuple[float, tuple[str, ...]]] = {}

    def known(self, host: str) -> tuple[str, ...] | None:
        """The addresses of a literal or of a name asked for not long ago; None: it must be looked up."""
        if is_address(host):
            return (host.strip("[]"),)
        found = self._known.get(host)
        return found[1] if found and found[0] > self._now() else None

    def last(self, host: str) -> tuple[str, ...]:
        """The newest answer, however old: better than taking a trunk for a stranger."""
        return self.known(host) or self._known.get(host, (0.0, ()))[1]

    async def lookup(self, host: str) -> tuple[str, ...]:
        """The addresses of a host, best first.

        Raises:
            TransportError: The name does not resolve; the sentence names it.
        """
        known = self.known(host)
        if known is not None:
            return known
        addresses = await (self._ask_servers(host) if self._nameservers else self._ask_system(host))
        self._known[host] = (self._now() + LIFETIME_S, addresses)
        return addresses

    async def _ask_system(self, host: str) -> tuple[str, ...]:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answers = await loop.getaddrinfo(host, None, family=self._family, type=socket.SOCK_DGRAM)
        except TimeoutError:
            raise TransportError(f"The name {host} did not resolve within {TIMEOUT_S:.0f} s.") from None
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or error
            raise TransportError(f"The name {host} does not resolve ({why}).") from error
        return tuple(dict.fromkeys(str(answer[4][0]) for answer in answers))

    async def _ask_servers(self, host: str) -> tuple[str, ...]:
        return dns.in_hosts_file(host, self._family) or await dns.lookup(host, self._nameservers, self._family)


class KnownTrunks:
    """Looks trunks up, and says once per change whose calls cannot be recognised."""

    def __init__(self, names: Names) -> None:
        """No trunk is in trouble so far."""
        self._names = names
        self._trouble: dict[str, str] = {}

    async def look_up(self, trunk: str, host: str) -> None:
        """Bring the addresses of a trunk up to date; never fails."""
        try:
            await self._names.lookup(host)
        except TransportError as error:
            if self._trouble.get(trunk) != str(error):
                log.warning("calls from trunk %s are not recognised: %s", trunk, error)
            self._trouble[trunk] = str(error)
            return
        if self._trouble.pop(trunk, ""):
            log.info("the host name of trunk %s resolves again", trunk)
