"""Processes that are measured: started, waited for, stopped; free ports for them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Sequence
from typing import Final, Self

from bench.subject import HOST

READY_S: Final = 30.0
STOP_S: Final = 15.0
KEPT_LINES: Final = 40


class Program:
    """One process whose output is read all the time; its last lines are in every complaint."""

    def __init__(self, words: Sequence[str], ready: str | None = None) -> None:
        """`ready` is in the line that says it can be used; None: at once."""
        self._words, self._ready_text = words, ready
        self._is_ready = asyncio.Event()
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._process: asyncio.subprocess.Process
        self._reader: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *self._words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._reader = asyncio.create_task(self._read())
        if self._ready_text is not None:
            await self._wait_ready()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
        await self._reader

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid

    def last_words(self) -> str:
        """What it said last."""
        return "\n".join(self._lines)

    async def _wait_ready(self) -> None:
        try:
            async with asyncio.timeout(READY_S):
                await self._is_ready.wait()
        except TimeoutError:
            await self.__aexit__()
            raise RuntimeError(f"{self._words[0]} did not start:\n{self.last_words()}") from None

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            text = line.decode(errors="replace").rstrip("\n")
            self._lines.append(text)
            if self._ready_text is not None and self._ready_text in text:
                self._is_ready.set()


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    """A loopback port that nobody has at this moment."""
    with contextlib.closing(socket.socket(socket.AF_INET, kind)) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
