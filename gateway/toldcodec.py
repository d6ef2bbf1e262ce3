"""How often the other leg hears that a trunk changed its codec: each time its page may have to offer again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from call.codecs import Format
from call.leg import Settled
from call.tokenbucket import TokenBucket
from gateway.surroundings import Report

PAUSE_S: Final = 2.0
"""A page that offers again is busy for some hundred milliseconds."""
BURST: Final = 3.0
"""The answer, and a re-INVITE or two that follow it to settle on one codec."""


class ToldCodec:
    """Passes the first changes on at once, and of those that follow the newest, when its time has come."""

    def __init__(self, report: Report, clock: Callable[[], float] = time.monotonic) -> None:
        self._report, self._clock = report, clock
        self._bucket = TokenBucket(1 / PAUSE_S, BURST, clock())
        self._told: str | None = None
        self._newest: Format | None = None
        self._timer: asyncio.TimerHandle | None = None

    def tell(self, spoken: Format) -> None:
        """The trunk speaks this now."""
        self._newest = spoken
        if self._timer is None:
            self._catch_up()

    def _catch_up(self) -> None:
        self._timer = None
        if self._newest is None or self._newest.codec == self._told:
            return
        if self._bucket.take(self._clock()):
            self._told = self._newest.codec
            self._report.emit(Settled(self._newest))
        else:
            self._timer = asyncio.get_running_loop().call_later(PAUSE_S, self._catch_up)

    def cancel(self) -> None:
        """The leg is over."""
        if self._timer is not None:
            self._timer.cancel()
