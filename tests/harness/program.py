"""A process under test: its lines are kept and can be waited for, and it must leave nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from tests.harness.patience import PATIENCE_S

ROOT: Final = Path(__file__).parents[2]
_alive: list[Program] = []


class Program:
    """One subprocess, from its start to its end."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        cwd: Path = ROOT,
        env: Mapping[str, str] | None = None,
        listens: bool = False,
    ) -> None:
        """Start it; one that `listens` can be told lines."""
        self.name = name
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._has_eof = False
        self._process = subprocess.Popen(
            [str(word) for word in argv],
            cwd=cwd,
            env=env,
            stdin=subprocess.PIPE if listens else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        _alive.append(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.poll()

    @property
    def log(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, pattern: str, timeout_s: float = PATIENCE_S, *, since: int = 0) -> re.Match[str]:
        """The first match in a line from number `since` on; waits for it.

        Raises:
            AssertionError: It did not come, or the process ended before.
        """
        deadline = time.monotonic() + timeout_s
        at = since
        with self._news:
            while True:
                for line in self.lines[at:]:
                    if match := re.search(pattern, line):
                        return match
                at = len(self.lines)
                left = deadline - time.monotonic()
                assert left > 0 and not self._has_eof, f"{self.name} never said {pattern!r}; it said:\n{self.log}"
                self._news.wait(left)

    async def says(self, pattern: str, timeout_s: float = PATIENCE_S, *, since: int = 0) -> re.Match[str]:
        """`wait_for` for tests that run in a loop."""
        return await asyncio.to_thread(self.wait_for, pattern, timeout_s, since=since)

    def tell(self, line: str) -> None:
        """Write a line to its input."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def wait(self, timeout_s: float = 30.0) -> int:
        """Wait until it ends by itself; its exit status."""
        status = self._process.wait(timeout_s)
        self._finish()
        return status

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout_s: float = 15.0) -> int:
        """Ask it to end, and wait; its exit status (negative: the signal that ended it)."""
        if self._process.poll() is None:
            self._process.send_signal(number)
        try:
            return self.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self.wait()
            raise AssertionError(f"{self.name} did not end after {number.name}; it said:\n{self.log}") from None

    def descendants(self) -> set[int]:
        """Processes that it started, and theirs."""
        parents = {
            int(stat.parent.name): parent for stat in Path("/proc").glob("[0-9]*/stat") if (parent := _parent(stat))
        }
        found, border = set[int](), {self.pid}
        while border:
            border = {child for child, parent in parents.items() if parent in border} - found
            found |= border
        return found

    def descriptors(self) -> int:
        """How many file descriptors it and its children hold."""
        return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in {self.pid, *self.descendants()})

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._has_eof = True
            self._news.notify_all()

    def _finish(self) -> None:
        self._reader.join(5)
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self in _alive:
            _alive.remove(self)


def _parent(stat: Path) -> int | None:
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except OSError:  # it ended while we looked
        return None


def hurry() -> None:
    """Let this process and those it starts go before compilers and the like, where we may.

    A browser that does not get its 30 % of a core breaks the sound that a test is about to measure.
    """
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)


def is_alive(pid: int) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def last_words(count: int = 30) -> list[tuple[str, str]]:
    """Name and last lines of every process that runs: what a failed test shows."""
    return [(program.name, "\n".join(program.lines[-count:])) for program in _alive]
