"""pjsip's questions about host names, answered by `sip.names` (RFC 3263 without NAPTR and SRV)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pjsua2 as pj

from call.errors import TransportError
from sip.names import Names

log = logging.getLogger("sip.resolver")


class Resolver(pj.NameResolver):
    """Gives pjsip the addresses that `Names` knows or finds."""

    def __init__(
        self, names: Names, spawn: Callable[[Coroutine[Any, Any, None]], None], arm: Callable[[], None]
    ) -> None:
        """`spawn` runs a coroutine beside the loop, `arm` looks for pjsip's next timer."""
        pj.NameResolver.__init__(self)
        self._names = names
        self._spawn = spawn
        self._arm = arm

    def onResolve(self, token: int, host: str, port: int) -> None:
        known = self._names.known(host)
        if known is not None:
            self.resolved(token, pj.StringVector(list(known)))
        else:
            self._spawn(self._look_up(token, host))

    async def _look_up(self, token: int, host: str) -> None:
        addresses: tuple[str, ...] = ()
        try:
            addresses = await self._names.lookup(host)
        except TransportError as error:
            log.warning("%s", error)
        self.resolved(token, pj.StringVector(list(addresses)))
        self._arm()
