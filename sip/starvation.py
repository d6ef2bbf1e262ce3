"""Whether a silent process hangs, or only waits for a processor that others keep (Linux: proc(5), schedstat)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Turns:
    """What the scheduler says of a process's main thread."""

    used_s: float
    """Time on a processor, since it began."""
    waited_s: float
    """Time that it wanted one and had none; a wait that goes on is not in it."""
    is_ready: bool
    """It is on a processor or wants one now."""


def turns_of(pid: int, proc: Path = _PROC) -> Turns | None:
    """Its turns so far; None where they are not told, or it is gone."""
    try:
        used_ns, waited_ns, _ = map(int, (proc / str(pid) / "schedstat").read_text().split())
        state = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, ValueError):
        return None
    return Turns(used_ns / 1e9, waited_ns / 1e9, state == "R")


def is_starved(before: Turns | None, after: Turns | None, seconds: float) -> bool:
    """Whether it mostly waited for a processor in these seconds.

    One that is stopped or blocked wants none; one that runs in circles on a calm machine has one.
    """
    if before is None or after is None:
        return False
    waits = after.is_ready and after.used_s - before.used_s < seconds / 2
    return waits or after.waited_s - before.waited_s >= seconds / 2
