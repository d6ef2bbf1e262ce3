"""How busy this process is, so that new calls are refused before running ones suffer."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from call.errors import Overloaded

SAMPLE_S: Final = 0.5
MAX_LAG_S: Final = 0.25
"""The event loop is late by this much: signalling still works, but no more should come."""
MAX_THREAD_LOAD: Final = 0.85
"""Share of one core that a media thread may use; above it packets begin to wait."""
CALM_SAMPLES: Final = 2
"""So many samples in a row must cross a bound: one slow start-up is no overload."""
MEDIA_THREAD: Final = "media"
"""How the names of mediacore's threads begin."""


def thread_cpu_s(prefix: str, tasks: Path = Path("/proc/self/task")) -> dict[str, float]:
    """CPU seconds used so far by each thread of this process whose name begins with `prefix`."""
    used: dict[str, float] = {}
    for task in tasks.iterdir():
        try:
            if (task / "comm").read_text().startswith(prefix):
                used[task.name] = int((task / "schedstat").read_text().split()[0]) / 1e9
        except (OSError, ValueError, IndexError):
            continue  # the thread ended meanwhile
    return used


class LoadWatch:
    """Samples the load twice a second; `check` refuses when it is beyond the safe bounds."""

    def __init__(self, read_cpu: Callable[[], Mapping[str, float]] = lambda: thread_cpu_s(MEDIA_THREAD)) -> None:
        self._read_cpu = read_cpu
        self._last_cpu: Mapping[str, float] = {}
        self.lag_s = 0.0
        self.busiest_thread = 0.0
        self._lag_samples = 0
        self._thread_samples = 0

    async def run(self) -> None:
        """Sample until cancelled."""
        loop = asyncio.get_running_loop()
        self._last_cpu, before = self._read_cpu(), loop.time()
        while True:
            await asyncio.sleep(SAMPLE_S)
            now = loop.time()
            self.sample(now - before)
            before = loop.time()

    def sample(self, elapsed_s: float) -> None:
        """Take one sample, `elapsed_s` after the one before."""
        cpu = self._read_cpu()
        used = [cpu[thread] - self._last_cpu[thread] for thread in cpu.keys() & self._last_cpu.keys()]
        self._last_cpu = cpu
        self.lag_s = max(0.0, elapsed_s - SAMPLE_S)
        self.busiest_thread = max(used, default=0.0) / elapsed_s
        self._lag_samples = self._lag_samples + 1 if self.lag_s > MAX_LAG_S else 0
        self._thread_samples = self._thread_samples + 1 if self.busiest_thread > MAX_THREAD_LOAD else 0

    def check(self) -> None:
        """Let one more call in.

        Raises:
            Overloaded: Running calls would suffer.
        """
        hint = "Try again in a minute; whoever runs the gateway can lower `limits.calls` or add a machine."
        if self._thread_samples >= CALM_SAMPLES:
            share = f"{self.busiest_thread:.0%}"
            raise Overloaded(f"The gateway is full: its media threads are {share} busy.", hint=hint)
        if self._lag_samples >= CALM_SAMPLES:
            raise Overloaded(f"The gateway is full: it reacts {self.lag_s * 1000:.0f} ms late.", hint=hint)

    def describe(self) -> dict[str, float]:
        """Figures for the admin listener: seconds of lag, share of one core, load average of the machine."""
        return {
            "lag_s": round(self.lag_s, 4),
            "busiest_media_thread": round(self.busiest_thread, 3),
            "load_average": os.getloadavg()[0],
        }
