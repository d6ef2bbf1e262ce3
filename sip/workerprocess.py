"""The process of a SIP worker as the gateway sees it: what it says on its standard error, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal


async def relay_errors(process: asyncio.subprocess.Process, logger: logging.Logger) -> None:
    """The worker logs to its standard error, one "LEVEL words" a line; anything else is a cry for help."""
    assert process.stderr
    while line := await _line_of(process.stderr):
        text = line.decode(errors="replace").rstrip()
        name, _, words = text.partition(" ")
        level = logging.getLevelNamesMapping().get(name)
        logger.log(level or logging.WARNING, "worker: %s", words if level else text)


async def _line_of(stream: asyncio.StreamReader) -> bytes:
    """The next line; of one that is too long, a word about it and then the rest. b"" at the end."""
    try:
        return await stream.readline()
    except ValueError:
        return b"WARNING (the beginning of a very long line is left out)\n"


def kill(process: asyncio.subprocess.Process) -> None:
    """End it at once; harmless when it is gone."""
    # Not `process.kill`: it would reap the process first, and asyncio's watcher could not say how it ended.
    with contextlib.suppress(ProcessLookupError):  # it may have gone by itself a moment ago
        os.kill(process.pid, signal.SIGKILL)


def exit_in_words(returncode: int | None) -> str:
    """How it ended."""
    if returncode is not None and returncode < 0:
        return f"signal {-returncode}"
    return f"exit status {returncode}"
