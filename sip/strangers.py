"""Who knocks without being a trunk: nobody gets an answer, and the log gets one line per source and minute."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

LIMIT = 1024
QUIET_S = 60.0


class Strangers:
    """A bounded memory of sources, so that a scanner cannot fill the log."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now`: the loop's clock."""
        self._now = now
        self._seen: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def knock(self, host: str) -> int:
        """Count a request; 0: say nothing about it, else how many there were since the last line."""
        since, count = self._seen.pop(host, (-QUIET_S, 0))
        is_due = self._now() - since >= QUIET_S
        self._seen[host] = (self._now(), 0) if is_due else (since, count + 1)
        if len(self._seen) > LIMIT:
            self._seen.popitem(last=False)
        return count + 1 if is_due else 0
