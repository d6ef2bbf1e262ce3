"""Starts and stops the demo phone: a process of its own, reached through an ordinary trunk."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from typing import Final, Self

from call.errors import TransportError
from gateway.config import Config, TrunkSettings

log = logging.getLogger(__name__)

READY: Final = b"demo phone ready"
READY_S: Final = 20.0
STOP_S: Final = 5.0


class DemoPhone:
    """The process `python -m demo`, alive inside `async with`."""

    def __init__(self, trunk: TrunkSettings, settings: Config) -> None:
        network = settings.networks[0]
        self._arguments = (
            "--attached",
            *("--bind", trunk.host, "--sip-port", str(trunk.sip_port)),
            *("--gateway", f"{network.public}:{settings.sip.udp_port}"),
        )
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._is_ending = False

    async def __aenter__(self) -> Self:
        """Start it and wait until it can be called.

        Raises:
            TransportError: It ended instead, most often because its port is taken.
        """
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "demo",
            *self._arguments,
            stdout=asyncio.subprocess.PIPE,
            stdin=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the gateway, which ends calls before it ends the phone
        )
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(READY_S):
                while line := await self._process.stdout.readline():
                    if line.startswith(READY):
                        self._watch = asyncio.create_task(self._attend(self._process, self._process.stdout))
                        return self
        except TimeoutError:
            pass
        await self.__aexit__()
        raise TransportError("The demo phone did not start.", hint="Its own words are above; check `trunk.demo.port`.")

    async def __aexit__(self, *_: object) -> None:
        """Let it hang up and end."""
        assert self._process is not None
        self._is_ending = True
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # killed a moment ago
                self._process.terminate()
            try:
                async with asyncio.timeout(STOP_S):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        if self._watch is not None:
            await self._watch

    async def _attend(self, process: asyncio.subprocess.Process, stdout: asyncio.StreamReader) -> None:
        """Pass on what it says; and when it is gone before its time, say that."""
        await _pass_on(stdout)
        returncode = await process.wait()
        if not self._is_ending:
            fate = f"was killed by signal {-returncode}" if returncode < 0 else f"ended with exit status {returncode}"
            log.error("The demo phone %s: it answers no call until `webtrunk demo` is started again.", fate)


async def _pass_on(stdout: asyncio.StreamReader) -> None:
    """Keep the pipe empty; what the phone says is for the person at the terminal."""
    while line := await stdout.readline():
        sys.stdout.write(line.decode(errors="replace"))
