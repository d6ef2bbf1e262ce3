"""What is kept of a call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

LIVE: Final = "live"
OVER: Final = frozenset({"finished", "failed"})
"""States of a recording to which nothing is added any more."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """What is kept of a call. Times are seconds since the epoch."""

    id: str
    direction: str
    user: str
    remote: str
    trunk: str
    started_at: float
    answered_at: float | None = None
    ended_at: float | None = None
    cause: str = LIVE
    sip_status: int | None = None
    sentence: str = "The call is up."
    hint: str = ""
    codecs: str = ""
    media: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Per leg (browser, trunk) the media core's counters; "recordings": each by its number; "tee"."""
    journal: tuple[dict[str, Any], ...] = ()
