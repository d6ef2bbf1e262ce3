"""How often what a trunk says counts, so that its page keeps its socket, and the call's journal its other lines."""

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
OFFERS_PER_S: Final = 0.1
OFFERS_BURST: Final = 20.0
"""In the journal: more than hold, resume and session timers make."""


class TrunkPace:
    """Counts the digits and provisional responses of one trunk leg, or its re-INVITEs."""

    def __init__(
        self,
        report: Report,
        what: str = "digits and 18x",
        per_s: float = PER_S,
        burst: float = BURST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._report, self._what, self._per_s, self._clock = report, what, per_s, clock
        self._bucket = TokenBucket(per_s, burst, clock())
        self._is_told = False

    def allows(self) -> bool:
        """Whether one more counts; the journal says once that some did not."""
        if self._bucket.take(self._clock()):
            return True
        if not self._is_told:
            self._is_told = True
            self._report.note("flood", f"the trunk's {self._what} beyond {self._per_s:g} a second are left out")
        return False

    def note(self, what: str, why: str) -> None:
        """Write one more in the journal, if it counts."""
        if self.allows():
            self._report.note(what, why)
