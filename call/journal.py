"""What happened on a call, bounded: the first entries and the newest ones are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KEEP_FIRST: Final = 100
KEEP_LAST: Final = 100
MAX_TEXT: Final = 2000


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a journal."""

    at_ms: int
    """Since the call began."""
    leg: str
    """caller, callee, or call."""
    what: str
    why: str = ""


class Journal:
    """Entries in the order they were made; `omitted` counts what fell out of the middle."""

    def __init__(self, started: float) -> None:
        """Begin at `started`, in seconds on any clock that the later times share."""
        self._started = started
        self._first: list[Entry] = []
        self._last: list[Entry] = []
        self.omitted = 0

    def note(self, now: float, leg: str, what: str, why: str = "") -> None:
        """Add an entry at `now`."""
        entry = Entry(round((now - self._started) * 1000), leg, what[:MAX_TEXT], why[:MAX_TEXT])
        if len(self._first) < KEEP_FIRST:
            self._first.append(entry)
            return
        self._last.append(entry)
        if len(self._last) > KEEP_LAST:
            del self._last[0]
            self.omitted += 1

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All kept entries, oldest first."""
        return (*self._first, *self._last)
