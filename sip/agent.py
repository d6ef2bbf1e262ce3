"""The gateway's face of the SIP worker: starts it, watches it, restarts it (ADR: the worker is a process)."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import socket
import sys
from collections.abc import Callable

from call.errors import Overloaded, PeerError, TransportError
from sip import messages
from sip.channel import Channel
from sip.messages import Heartbeat, LegEvent, Start, Started

START_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 4.0
HEARTBEAT_LIMIT_S = 1.5
"""Without a sign of life for so long the worker hangs, and is killed."""
FIRST_BACKOFF_S, MAX_BACKOFF_S = 0.2, 10.0


class Agent:
    """One SIP worker process, replaced when it dies."""

    def __init__(
        self,
        start: Start,
        on_event: Callable[[LegEvent], None],
        on_lost: Callable[[str], None],
        logger: logging.Logger | None = None,
    ) -> None:
        """`on_lost` gets a sentence when the worker died: all its legs are gone; a new one is on its way."""
        self.started: Started
        self._settings = start
        self._on_event = on_event
        self._on_lost = on_lost
        self._log = logger or logging.getLogger("sip.agent")
        self._process: asyncio.subprocess.Process | None = None
        self._channel: Channel | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._stopping = False
        self._pings = 0
        self._waiting: dict[int, asyncio.Future[Heartbeat]] = {}

    async def start(self) -> None:
        """Start the worker and wait until its ports are open.

        Raises:
            TransportError: It cannot work; the sentence says what was in the way and what to do.
        """
        await self._launch()
        self._keeper = asyncio.create_task(self._keep(), name="sip-agent")

    def check(self) -> None:
        """Whether there is a worker that can take a new call.

        Raises:
            Overloaded: It is being replaced.
        """
        if self._channel is None:
            raise Overloaded("The SIP part of the gateway is being restarted.", hint="Try again in a few seconds.")

    def post(self, command: messages.Command) -> None:
        """Hand a command to the worker; while there is none, it is lost like its leg."""
        if self._channel:
            self._channel.send(command)

    async def ping(self) -> Heartbeat:
        """Ask the worker for a sign of life; it has then carried out everything posted before.

        Raises:
            TransportError: The worker was lost meanwhile.
        """
        self._pings += 1
        answer: asyncio.Future[Heartbeat] = asyncio.get_running_loop().create_future()
        self._waiting[self._pings] = answer
        self.post(messages.Ping(self._pings))
        return await answer

    async def stop(self) -> None:
        """End all calls, then the worker."""
        self._stopping = True
        self.post(messages.Stop())
        if self._keeper:
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await asyncio.shield(self._keeper)
            except TimeoutError:
                self._log.warning("the SIP worker did not stop in time and is killed")
                self._keeper.cancel()
                await asyncio.gather(self._keeper, return_exceptions=True)
        await self._reap()

    async def _launch(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "sip.worker", "--socket", str(theirs.fileno())),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        finally:
            theirs.close()
        self._errors = asyncio.create_task(self._relay_errors(self._process), name="sip-worker-errors")
        self._channel = await Channel.open(ours)
        self._lines = self._channel.lines()
        self._channel.send(self._settings)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                self.started = await self._first_event()
        except TimeoutError:
            await self._reap()
            raise TransportError(f"The SIP worker said nothing for {START_TIMEOUT_S:.0f} s after its start.") from None
        except TransportError:
            await self._reap()
            raise
        # A replacement must be found where the first one was.
        self._settings = dataclasses.replace(
            self._settings,
            udp_port=self.started.udp_port,
            tcp_port=self.started.tcp_port,
            tls_port=self.started.tls_port,
        )

    async def _first_event(self) -> Started:
        async for line in self._lines:
            event = messages.decode_event(line)
            if isinstance(event, Started):
                return event
            if isinstance(event, messages.StartFailed):
                raise TransportError(event.sentence)
        raise TransportError("The SIP worker died while starting; its own words are in the log above.")

    async def _keep(self) -> None:
        """Read events; when the worker is lost, say so and start another."""
        while True:
            reason = await self._read()
            await self._reap()
            if self._stopping:
                return
            self._log.error("%s", reason)
            self._on_lost(reason)
            await self._replace()

    async def _read(self) -> str:
        """Pass events on until the worker is gone; why it went."""
        iterator = aiter(self._lines)
        try:
            while True:
                async with asyncio.timeout(HEARTBEAT_LIMIT_S):
                    line = await anext(iterator)
                event = messages.decode_event(line)
                if isinstance(event, LegEvent):
                    self._deliver(event)
                elif isinstance(event, Heartbeat) and (waiting := self._waiting.pop(event.sequence, None)):
                    waiting.set_result(event)
        except TimeoutError:
            return f"The SIP worker hung for {HEARTBEAT_LIMIT_S} s and was killed."
        except StopAsyncIteration:
            return "The SIP worker died."
        except PeerError as error:
            return f"The SIP worker talked nonsense ({error}) and was killed."

    def _deliver(self, event: LegEvent) -> None:
        try:
            self._on_event(event)
        except Exception:
            self._log.exception("an event of the SIP worker was mishandled: %s", event.type)

    async def _replace(self) -> None:
        backoff_s = FIRST_BACKOFF_S
        while not self._stopping:
            try:
                await self._launch()
            except TransportError as error:
                self._log.error("the SIP worker cannot be restarted: %s Next try in %.1f s.", error, backoff_s)
                await asyncio.sleep(backoff_s)
                backoff_s = min(backoff_s * 2, MAX_BACKOFF_S)
            else:
                self._log.info("a new SIP worker runs as process %d", self.started.pid)
                return

    async def _reap(self) -> None:
        """Make sure that the process is gone."""
        process, channel = self._process, self._channel
        for waiting in self._waiting.values():
            waiting.set_exception(TransportError("The SIP worker was lost."))
        self._waiting.clear()
        self._process = self._channel = None
        if channel:
            await channel.close()
        if process is None:
            return
        if process.returncode is None:
            try:
                async with asyncio.timeout(0 if not self._stopping else STOP_TIMEOUT_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        await self._errors

    async def _relay_errors(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr
        async for line in process.stderr:
            self._log.warning("worker: %s", line.decode(errors="replace").rstrip())
