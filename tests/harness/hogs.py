"""Other programs that want the machine's processors, so that chosen threads get only what is left, which is little."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_BUSY = """
import os, time
os.sched_setaffinity(0, {%d})
parent = os.getppid()
while os.getppid() == parent:  # never longer than the process that they starve
    until = time.monotonic() + 0.25
    while time.monotonic() < until:
        pass
    time.sleep(0.002)
"""


class Hogs:
    """One per processor. They must be children of the process that they starve: the scheduler shares the processors
    among sessions first (autogroup, sched(7)), then among the threads of a session."""

    def __init__(self, thread_names: str) -> None:
        """From now on this process's threads whose names begin so have about a three-hundredth of a hog's weight."""
        names = {task.name: (task / "comm").read_text() for task in Path("/proc/self/task").iterdir()}
        self._threads = [int(thread) for thread, name in names.items() if name.startswith(thread_names)]
        self._schedule(os.SCHED_IDLE)
        cores = sorted(os.sched_getaffinity(0))
        self._programs = [subprocess.Popen([sys.executable, "-c", _BUSY % core]) for core in cores]

    def go(self) -> None:
        """The processors are free again."""
        for program in self._programs:
            program.kill()
            program.wait()
        self._schedule(os.SCHED_OTHER)

    def _schedule(self, policy: int) -> None:
        for thread in self._threads:
            os.sched_setscheduler(thread, policy, os.sched_param(0))
