"""What the scheduler says of a process or thread (Linux: proc(5), schedstat and status)."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Turns:
    """Its turns on a processor since it began."""

    used_s: float
    """Time on a processor."""
    waited_s: float
    """Time that it wanted one and had none: others were on. A wait that goes on is not in it."""
    count: int
    """How often it got one."""
    rests: int
    """How often it gave one up by itself, with nothing more to do."""
    is_ready: bool
    """It is on a processor or wants one now."""


class Scheduled:
    """A process or thread that is asked for its turns again and again.

    Its files stay open: to read them is cheaper so, and goes on when no more descriptor is free.
    """

    def __init__(self, folder: Path) -> None:
        """Its folder in /proc; one that cannot be opened tells no turns."""
        self._files: list[int] = []
        with contextlib.suppress(OSError):
            for name in ("schedstat", "status"):
                self._files.append(os.open(folder / name, os.O_RDONLY | os.O_CLOEXEC))

    def turns(self) -> Turns | None:
        """So far; None where they are not told, or it is gone."""
        try:
            schedstat, status = (os.pread(file, 8192, 0) for file in self._files)
            used_ns, waited_ns, count = map(int, schedstat.split())
            state = status.partition(b"\nState:")[2].split(maxsplit=1)[0]
            rests = int(status.partition(b"\nvoluntary_ctxt_switches:")[2].split(maxsplit=1)[0])
        except (OSError, ValueError, IndexError):
            return None
        return Turns(used_ns / 1e9, waited_ns / 1e9, count, rests, state == b"R")

    def close(self) -> None:
        """Let go of its files; no turns are told any more."""
        while self._files:
            os.close(self._files.pop())
