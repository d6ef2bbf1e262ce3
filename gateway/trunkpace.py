"""How often the page of a call is told what its trunk says: one that cannot follow would lose its socket."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from call.tokenbucket import TokenBucket
from gateway.surroundings import Report

PER_S: Final = 25.0
"""People and machines press fewer: a key in RTP and its gap take 80 ms at least."""
BURST: Final = 50.0
"""Some calls at once must not fill what may wait for a page (`webrtc.websocket.SEND_QUEUE`)."""


class TrunkPace:
    """Counts the digits and provisional responses of one trunk leg."""

    def __init__(self, report: Report, clock: Callable[[], float] = time.monotonic) -> None:
        self._report, self._clock = report, clock
        self._bucket = TokenBucket(PER_S, BURST, clock())
        self._is_told = False

    def allows(self) -> bool:
        """Whether one more counts; the journal says once that some did not."""
        if self._bucket.take(self._clock()):
            return True
        if not self._is_told:
            self._is_told = True
            self._report.note("flood", f"the trunk's digits and 18x beyond {PER_S:.0f} a second are left out")
        return False
