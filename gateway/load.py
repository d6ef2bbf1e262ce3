"""How busy this process is, so that new calls are refused before running ones suffer."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from call.errors import Overloaded
from sip.schedstat import Scheduled, Turns

SAMPLE_S: Final = 0.5
MAX_LAG_S: Final = 0.25
"""The event loop is late by this much: signalling still works, but no more should come."""
MAX_THREAD_LOAD: Final = 0.85
"""Share of one core that a media thread may use; above it packets begin to wait."""
CALM_SAMPLES: Final = 2
"""So many samples in a row must cross a bound: one slow start-up is no overload."""
MAX_WAIT_S: Final = 0.02
"""How long a packet may wait for its media thread to get a processor, on average: one packet's worth, which a jitter
buffer still hides."""
LOOK_S: Final = 0.025
"""While a media thread waits, its turns are read this often: means over a whole sample hide that all of a quarter
second's packets waited for one turn."""
SUSPICIOUS: Final = 0.25
"""Share of the time that a media thread waits; with less of it no packet waits long on average."""
MEDIA_THREAD: Final = "media"
"""How the names of mediacore's threads begin."""
_HINT: Final = "Try again in a minute; whoever runs the gateway can {}."


class ThreadTurns:
    """The turns of the threads of this process whose names begin with `prefix`: those that are there at the first look.

    Nothing is opened later: this must go on when no descriptor is free.
    """

    def __init__(self, prefix: str, tasks: Path = Path("/proc/self/task")) -> None:
        self._prefix, self._tasks = prefix, tasks
        self._threads: dict[str, Scheduled] = {}

    def read(self) -> dict[str, Turns]:
        """So far, by thread id."""
        self._threads = self._threads or self._open()
        turns = {thread: task.turns() for thread, task in self._threads.items()}
        return {thread: one for thread, one in turns.items() if one}

    def _open(self) -> dict[str, Scheduled]:
        return {task.name: Scheduled(task) for task in self._tasks.iterdir() if self._is_ours(task)}

    def _is_ours(self, task: Path) -> bool:
        try:
            return (task / "comm").read_text().startswith(self._prefix)
        except FileNotFoundError:  # it ended meanwhile
            return False

    def close(self) -> None:
        """Read no more."""
        for task in self._threads.values():
            task.close()


class ThreadLoad:
    """What one thread uses and waits for, from looks at its turns."""

    def __init__(self, turns: Turns) -> None:
        self._first = self._last = turns
        self._elapsed_s = 0.0
        self._run_s = 0.0
        """How long it has waited without a turn."""
        self._waits_s2 = 0.0
        """Half the squares of such waits: what the packets that come evenly meanwhile wait, all together."""
        self.is_waiting = False
        """Much of the last sample it waited."""

    def look(self, now: Turns, elapsed_s: float) -> None:
        """Take note of its turns, `elapsed_s` after the look before."""
        self._elapsed_s += elapsed_s
        used_s = now.used_s - self._last.used_s
        if now.is_ready and now.count == self._last.count and used_s < elapsed_s / 2:
            self._waits_s2 += ((self._run_s + elapsed_s) ** 2 - self._run_s**2) / 2
            self._run_s += elapsed_s
        else:
            self._run_s = 0.0
        self._last = now

    def conclude(self) -> tuple[float, float]:
        """Since the last conclusion: share of a core that it used, and seconds that a packet waited for it on average.

        Waits that looks saw and waits that the scheduler counted are the same ones; each account sees too little of
        them, the former of short ones, the latter of long ones among many short ones. Neither sees packets that wait
        because all turns together are too few: such a thread hardly rests, since more have come when it has done some.
        """
        first, last, elapsed_s = self._first, self._last, self._elapsed_s
        if not elapsed_s:
            return 0.0, 0.0
        used_s, waited_s = last.used_s - first.used_s, last.waited_s - first.waited_s
        turns, rests = max(1, last.count - first.count), max(1, last.rests - first.rests)
        self.is_waiting = max(waited_s, self._run_s) > SUSPICIOUS * elapsed_s
        wait_s = max(self._waits_s2, waited_s**2 / turns / 2) / elapsed_s
        if self.is_waiting:
            wait_s = max(wait_s, (used_s + waited_s) / rests / 2)
        self._first, self._elapsed_s, self._waits_s2 = last, 0.0, 0.0
        return used_s / elapsed_s, wait_s


class LoadWatch:
    """Samples the load twice a second; `check` refuses when it is beyond the safe bounds."""

    def __init__(self, read_turns: Callable[[], Mapping[str, Turns]]) -> None:
        self._read_turns = read_turns
        self._threads: dict[str, ThreadLoad] = {}
        self.lag_s = 0.0
        self.busiest_thread = 0.0
        self.wait_s = 0.0
        self._beyond = dict.fromkeys(("busy", "starved", "late"), 0)

    async def run(self) -> None:
        """Sample until cancelled."""
        loop = asyncio.get_running_loop()
        self.look(0.0)
        seen = loop.time()
        while True:
            due = seen + SAMPLE_S
            while seen < due:
                await asyncio.sleep(min(LOOK_S, due - seen) if self._is_waiting else due - seen)
                before, seen = seen, loop.time()
                self.look(seen - before)
            self.sample(seen - due)

    @property
    def _is_waiting(self) -> bool:
        return any(thread.is_waiting for thread in self._threads.values())

    def look(self, elapsed_s: float) -> None:
        """Read what the threads did, `elapsed_s` after the look before."""
        turns, known = self._read_turns(), self._threads
        self._threads = {name: known.get(name) or ThreadLoad(now) for name, now in turns.items()}
        for name in turns.keys() & known.keys():
            known[name].look(turns[name], elapsed_s)

    def sample(self, lag_s: float) -> None:
        """Conclude from the looks of half a second; the last one was `lag_s` late."""
        concluded = [thread.conclude() for thread in self._threads.values()]
        self.busiest_thread = max((share for share, _ in concluded), default=0.0)
        self.wait_s = max((wait_s for _, wait_s in concluded), default=0.0)
        self.lag_s = lag_s
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
            words = f"The gateway is full: packets wait {self.wait_s * 1000:.0f} ms for a processor."
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
