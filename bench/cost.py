"""What processes cost, from /proc: CPU time of each thread, memory, and what the rest of the machine does."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
_PROC: Final = Path("/proc")


@dataclass(frozen=True, slots=True)
class Reading:
    """CPU seconds at one moment: of each (process name, thread name), and of the whole machine."""

    threads: Mapping[tuple[str, str], float]
    machine_busy_s: float
    machine_stolen_s: float

    def since(self, earlier: Reading) -> dict[tuple[str, str], float]:
        """CPU seconds of each thread since then."""
        return {key: seconds - earlier.threads.get(key, 0.0) for key, seconds in self.threads.items()}

    def crowd(self, earlier: Reading, known_s: float, lasted_s: float) -> dict[str, float]:
        """Cores that went elsewhere since then: to others here, and to other guests of the machine's host."""
        others_s = self.machine_busy_s - earlier.machine_busy_s - known_s
        stolen_s = self.machine_stolen_s - earlier.machine_stolen_s
        return {"others": max(0.0, others_s / lasted_s), "stolen": stolen_s / lasted_s}


def read(processes: Mapping[int, str]) -> Reading:
    """Take a reading of these processes."""
    threads: defaultdict[tuple[str, str], float] = defaultdict(float)
    for pid, name in processes.items():
        for thread, seconds in _threads(pid):
            threads[name, thread] += seconds
    busy, stolen = machine()
    return Reading(dict(threads), busy, stolen)


def _threads(pid: int) -> Iterable[tuple[str, float]]:
    """Name and CPU seconds of each thread: the scheduler's own account, in ns, not the timer's ticks."""
    for task in (_PROC / str(pid) / "task").iterdir():
        try:
            name = (task / "comm").read_text().strip()
            yield name, int((task / "schedstat").read_text().split()[0]) / 1e9
        except (FileNotFoundError, ProcessLookupError):  # it ended while we looked
            continue


def machine() -> tuple[float, float]:
    """Busy and stolen CPU seconds of the whole machine since its start."""
    fields = [int(field) * _TICK_S for field in (_PROC / "stat").read_text().split("\n")[0].split()[1:9]]
    user, nice, system, _, _, irq, softirq, steal = fields
    return user + nice + system + irq + softirq, steal


def memory_kb(processes: Mapping[int, str]) -> dict[str, int]:
    """Anonymous memory in kB of the processes of each name, shared pages in proportion (PSS).

    Without pages of files: those belong to no call, and their share changes when others start the same program.
    """
    total: defaultdict[str, int] = defaultdict(int)
    for pid, name in processes.items():
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss_Anon:"):
                total[name] += int(line.split()[1])
    return dict(total)


def descendants(pid: int) -> set[int]:
    """Processes that it started, and theirs."""
    parents: dict[int, int] = {}
    for stat in _PROC.glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found: set[int] = set()
    border = {pid}
    while border:
        border = {child for child, parent in parents.items() if parent in border} - found
        found |= border
    return found
