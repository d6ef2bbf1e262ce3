"""A bound on how often something may happen, in all or for each name."""

from __future__ import annotations

from typing import Final

MAX_NAMES: Final = 1024
"""Beyond so many, those whose bucket is full again are forgotten."""


class TokenBucket:
    """Allows `rate` events a second after a burst; the clock is an argument."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate, self._burst = rate, burst
        self._tokens, self._at = burst, now

    def take(self, now: float) -> bool:
        """Whether one more event is allowed at `now` (seconds)."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def is_full(self, now: float) -> bool:
        """Whether it is as good as new."""
        return self._tokens + (now - self._at) * self._rate >= self._burst


class TokenBuckets:
    """A bucket for each name."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._buckets: dict[str, TokenBucket] = {}

    def take(self, name: str, now: float) -> bool:
        """Whether one more event of this name is allowed at `now` (seconds)."""
        if name not in self._buckets:
            self._make_room(now)
            self._buckets[name] = TokenBucket(self._rate, self._burst, now)
        return self._buckets[name].take(now)

    def _make_room(self, now: float) -> None:
        if len(self._buckets) >= MAX_NAMES:
            self._buckets = {name: bucket for name, bucket in self._buckets.items() if not bucket.is_full(now)}
