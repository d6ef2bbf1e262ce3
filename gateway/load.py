"""How busy this process is, so that new calls are refused before running ones suffer."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from call.errors import Overloaded
from sip.schedstat import Turns, read_turns

SAMPLE_S: Final = 0.5
MAX_LAG_S: Final = 0.25
"""The event loop is late by this much: signalling still works, but no more should come."""
MAX_THREAD_LOAD: Final = 0.85
"""Share of one core that a media thread may use; above it packets begin to wait."""
CALM_SAMPLES: Final = 2
"""So many samples in a row must cross a bound: one slow start-up is no overload."""
MAX_WAIT_S: Final = 0.02
"""How long a media thread may wait for a processor at each turn, on average: one packet's worth, which a jitter buffer
still hides."""
MEDIA_THREAD: Final = "media"
"""How the names of mediacore's threads begin."""
_HINT: Final = "Try again in a minute; whoever runs the gateway can {}."


class ThreadTurns:
    """The turns of the threads of this process whose names begin with `prefix`."""

    def __init__(self, prefix: str, tasks: Path = Path("/proc/self/task")) -> None:
        self._prefix, self._tasks = prefix, tasks
        self._names: dict[Path, str] = {}

    def read(self) -> dict[str, Turns]:
        """So far, by thread id. Names are read once: to ask all threads again each time costs more than the rest."""
        names = {task: self._names.get(task) or _name(task) for task in self._tasks.iterdir()}
        self._names = names
        turns = {task.name: read_turns(task) for task, name in names.items() if name.startswith(self._prefix)}
        return {thread: one for thread, one in turns.items() if one}


def _name(task: Path) -> str:
    try:
        return (task / "comm").read_text()
    except OSError:  # it ended meanwhile
        return ""


class LoadWatch:
    """Samples the load twice a second; `check` refuses when it is beyond the safe bounds."""

    def __init__(self, read_turns: Callable[[], Mapping[str, Turns]]) -> None:
        self._read_turns = read_turns
        self._last: Mapping[str, Turns] = {}
        self.lag_s = 0.0
        self.busiest_thread = 0.0
        self.wait_s = 0.0
        self._beyond = dict.fromkeys(("busy", "starved", "late"), 0)

    async def run(self) -> None:
        """Sample until cancelled."""
        loop = asyncio.get_running_loop()
        self._last, before = self._read_turns(), loop.time()
        while True:
            await asyncio.sleep(SAMPLE_S)
            now = loop.time()
            self.sample(now - before)
            before = loop.time()

    def sample(self, elapsed_s: float) -> None:
        """Take one sample, `elapsed_s` after the one before."""
        turns = self._read_turns()
        pairs = [(self._last[thread], turns[thread]) for thread in turns.keys() & self._last.keys()]
        self._last = turns
        self.lag_s = max(0.0, elapsed_s - SAMPLE_S)
        self.busiest_thread = max((now.used_s - then.used_s for then, now in pairs), default=0.0) / elapsed_s
        self.wait_s = max((_mean_wait_s(then, now, elapsed_s) for then, now in pairs), default=0.0)
        self._note("busy", self.busiest_thread > MAX_THREAD_LOAD)
        self._note("starved", self.wait_s > MAX_WAIT_S)
        self._note("late", self.lag_s > MAX_LAG_S)

    def _note(self, what: str, is_beyond: bool) -> None:
        self._beyond[what] = self._beyond[what] + 1 if is_beyond else 0

    def check(self) -> None:
        """Let one more call in.

        Raises:
            Overloaded: Running calls would suffer.
        """
        less = _HINT.format("lower `limits.calls` or add a machine")
        if self._beyond["busy"] >= CALM_SAMPLES:
            share = f"{self.busiest_thread:.0%}"
            raise Overloaded(f"The gateway is full: its media threads are {share} busy.", hint=less)
        if self._beyond["starved"] >= CALM_SAMPLES:
            words = f"The gateway is full: its media threads wait {self.wait_s * 1000:.0f} ms for a processor."
            raise Overloaded(words, hint=_HINT.format("stop what else runs on its machine"))
        if self._beyond["late"] >= CALM_SAMPLES:
            raise Overloaded(f"The gateway is full: it reacts {self.lag_s * 1000:.0f} ms late.", hint=less)

    def describe(self) -> dict[str, float]:
        """Figures for the admin listener: seconds of lag and of waiting, share of one core, the machine's average."""
        return {
            "lag_s": round(self.lag_s, 4),
            "busiest_media_thread": round(self.busiest_thread, 3),
            "media_wait_s": round(self.wait_s, 4),
            "load_average": os.getloadavg()[0],
        }


def _mean_wait_s(then: Turns, now: Turns, elapsed_s: float) -> float:
    """The wait for each turn; a thread that had none and wants one has waited all the time."""
    if now.count == then.count:
        return elapsed_s if now.is_ready else 0.0
    return (now.waited_s - then.waited_s) / (now.count - then.count)
