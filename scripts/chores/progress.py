"""One line per step on the terminal; each step's own output goes to a log file."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from chores.diagnosis import explain

LOG_TAIL_LINES = 20
_terminal = threading.Lock()


class ChoreFailed(Exception):
    """A step could not be done; the message says what it needed and how to get it."""


def say(line: str) -> None:
    """Print one whole line, also when steps run side by side."""
    with _terminal:
        print(line, flush=True)


@contextmanager
def step(name: str, doing: str) -> Iterator[None]:
    """Announce a step, then say how long it took."""
    say(f"  … {name}: {doing}")
    began = time.monotonic()
    try:
        yield
    except BaseException:
        say(f"  ✗ {name:<18} {time.monotonic() - began:6.1f} s")
        raise
    say(f"  ✓ {name:<18} {time.monotonic() - began:6.1f} s")


def run_logged(
    command: Sequence[str | Path],
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    echo: str = "",
) -> None:
    """Run a command with its output in `log`; lines that start with `echo` (if given) are shown as well.

    Raises:
        ChoreFailed: It cannot be started or ends with an error; holds the log's last lines and what they mean.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    words = [str(word) for word in command]
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=env,
            cwd=cwd,
        )
    except FileNotFoundError as error:
        raise ChoreFailed(f"{words[0]} is not installed") from error
    assert process.stdout is not None
    with log.open("a", encoding="utf-8") as out:
        out.write(f"$ {' '.join(words)}\n")
        for line in process.stdout:
            out.write(line)
            if echo and line.startswith(echo):
                say(f"    {line.rstrip()}")
    if process.wait() != 0:
        raise ChoreFailed(_failure(words, process.returncode, log))


def _failure(words: Sequence[str], status: int, log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    tail = "\n".join(f"    | {line}" for line in lines[-LOG_TAIL_LINES:])
    meaning = explain("\n".join(lines[-400:]))
    return f"{tail}\n\n{Path(words[0]).name} failed (exit {status}); all of its output is in {_short(log)}.{meaning}"


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def warn(line: str) -> None:
    """Print a line for people on stderr."""
    with _terminal:
        print(line, file=sys.stderr, flush=True)
