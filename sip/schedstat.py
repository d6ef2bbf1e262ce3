"""What the scheduler says of a process or thread (Linux: proc(5), schedstat)."""

from __future__ import annotations

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
    is_ready: bool
    """It is on a processor or wants one now."""


def read_turns(task: Path) -> Turns | None:
    """The turns so far of the task whose folder in /proc this is; None where they are not told, or it is gone."""
    try:
        used_ns, waited_ns, count = map(int, (task / "schedstat").read_text().split())
        state = (task / "stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, ValueError):
        return None
    return Turns(used_ns / 1e9, waited_ns / 1e9, count, state == "R")
