"""Whether a silent process hangs, or only waits for a processor that others keep."""

from __future__ import annotations

from sip.schedstat import Turns


def used_s(since: Turns | None, now: Turns | None) -> float:
    """Seconds that it was on a processor in between; 0 where that is not told."""
    return now.used_s - since.used_s if since and now else 0.0


def is_starved(before: Turns | None, after: Turns | None, seconds: float) -> bool:
    """Whether it mostly waited for a processor in these seconds.

    One that is stopped or blocked wants none; one that runs in circles on a calm machine has one.
    """
    if before is None or after is None:
        return False
    waits = after.is_ready and after.used_s - before.used_s < seconds / 2
    return waits or after.waited_s - before.waited_s >= seconds / 2
