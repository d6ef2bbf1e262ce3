"""More new calls from a trunk's address than any trunk means: each that is taken up costs memory and a record."""

from __future__ import annotations

from typing import Final

from call.tokenbucket import TokenBucket

BURST_S: Final = 5.0
"""So many seconds' worth may come at once."""
DIALOG_REQUESTS_PER_S: Final = 20.0
DIALOG_BURST: Final = 100.0
"""Requests inside one dialog: keys, keep-alives, new offers. pjsip keeps each of them for 32 s."""


class Flood:
    """The INVITEs outside dialogs of one trunk: a token bucket, and what did not get through."""

    def __init__(self, per_s: float, now: float) -> None:
        """`per_s` 0: no bound. `now` here and below: any clock in seconds that does not go back."""
        self._bucket = TokenBucket(per_s, max(1.0, per_s * BURST_S), now) if per_s else None
        self._refused = 0

    def lets_in(self, now: float) -> bool:
        """Whether this INVITE gets through."""
        return self._bucket is None or self._bucket.take(now)

    def refused(self) -> bool:
        """Count one that did not; True: the first since `told`, so say something."""
        self._refused += 1
        return self._refused == 1

    def told(self) -> int:
        """How many that were; from here on it counts anew."""
        count, self._refused = self._refused, 0
        return count
