"""The gateway's face of the SIP worker: starts it, watches it, restarts it (ADR: the worker is a process)."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from call.errors import Overloaded, PeerError, TransportError
from sip import messagelines, messages
from sip.channel import Channel
from sip.ledger import Ledger
from sip.messages import Heartbeat, Registered, Start, Started, TrunkEvent
from sip.schedstat import Scheduled
from sip.starvation import is_starved, used_s
from sip.workerprocess import exit_in_words, kill, relay_errors

START_TIMEOUT_S = 15.0
"""Beside the time that the worker of another gateway may take to free the ports (sip.succession)."""
STOP_TIMEOUT_S = 4.0
"""Beside the goodbyes themselves."""
NOTICEABLE_S = 1.0
"""Who waits longer than this for the end is told why."""
TURN_S, SILENT_TURNS = 0.25, 5
"""Without a sign of life for 1.25 s the worker hangs, and is killed."""
STARVED_TURNS = 40
"""So many turns more are granted to a worker that only waits for a processor: to kill it would end calls that go on.
What it has used in them counts as the silence of others does: one that runs in circles hangs on a busy machine, too."""
KNOCK_S = 5.0
"""How often the worker hears that our loop turns; it gives us up after `Start.gateway_silence_s`."""
FIRST_BACKOFF_S, MAX_BACKOFF_S = 0.05, 10.0
"""Five losses in quick succession wait for 1.6 s in all."""
YOUNG_S = 10.0


class Agent:
    """One SIP worker process, replaced when it dies."""

    def __init__(
        self,
        start: Start,
        on_event: Callable[[TrunkEvent], None],
        on_lost: Callable[[str], None],
        logger: logging.Logger | None = None,
    ) -> None:
        """`on_lost` gets a sentence when the worker died: all its legs are gone; a new one is on its way."""
        self.started: Started
        self.registrations: dict[str, Registered] = {}
        """What each trunk said last to the worker that runs."""
        self._settings = start
        self._on_event = on_event
        self._on_lost = on_lost
        self._log = logger or logging.getLogger("sip.agent")
        self._process: asyncio.subprocess.Process | None = None
        self._channel: Channel | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._has_parted = False
        """The goodbyes are done with: the worker has ended in order, or there can be no other."""
        self._is_left = asyncio.Event()
        """Nobody waits for the goodbyes any more."""
        self._ready = asyncio.Event()
        self._signs_of_life = 0
        self._pings = 0
        self._waiting: dict[int, asyncio.Future[Heartbeat]] = {}
        self._ledger = Ledger()
        self._backoff_s = FIRST_BACKOFF_S
        """Before the next start."""

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
        if not self._ready.is_set():
            raise Overloaded("The SIP part of the gateway is being restarted.", hint="Try again in a few seconds.")

    def post(self, command: messages.Command) -> None:
        """Hand a command to the worker. While it is being replaced there are no legs, and a new one ends at once."""
        if self._channel and self._ready.is_set():
            self._channel.send(command)
        elif isinstance(command, messages.Invite):
            detail = "The SIP worker is being restarted; try again in a moment."
            ended = messages.Ended(command.leg, by="fault", status=503, fault="worker", detail=detail)
            asyncio.get_running_loop().call_soon(self._deliver, ended)

    async def ready(self) -> Started:
        """Wait until a worker runs: at once, or when a lost one has been replaced."""
        await self._ready.wait()
        return self.started

    @property
    def is_settled(self) -> bool:
        """No call of a lost worker, and none whose end was lost with a connection, waits for its end."""
        return self._ledger.is_settled

    async def ping(self) -> Heartbeat:
        """Ask the worker for a sign of life; it has then carried out everything posted before.

        Raises:
            TransportError: There is no worker, or it was lost meanwhile.
        """
        if not self._ready.is_set():
            raise TransportError("The SIP worker is being restarted.")
        self._pings += 1
        answer: asyncio.Future[Heartbeat] = asyncio.get_running_loop().create_future()
        self._waiting[self._pings] = answer
        self.post(messages.Ping(self._pings))
        return await answer

    async def stop(self) -> None:
        """End all calls, then the worker, once every far end knows or `leave` is called."""
        self._stopping.set()
        self.post(messages.Stop())
        if self._keeper:
            if self._is_over:  # it may wait long for a worker that nobody needs
                self._keeper.cancel()
            await self._see_out(self._keeper)
        await self._reap()

    def leave(self) -> None:
        """Have `stop` wait no longer for far ends that have not confirmed the end of their calls."""
        self._is_left.set()

    async def _see_out(self, keeper: asyncio.Task[None]) -> None:
        """Wait for the worker's goodbyes, and say so where it takes a while."""
        leaving = asyncio.create_task(self._is_left.wait(), name="sip-agent-leaving")
        done, _ = await asyncio.wait({keeper, leaving}, timeout=NOTICEABLE_S, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            if left := len(self._ledger):
                self._log.warning(
                    "waiting up to %g s for far ends to confirm the end of their calls (%d left); "
                    "Ctrl-C again leaves them",
                    self._settings.goodbyes_s,
                    left,
                )
            patience_s = self._settings.goodbyes_s + STOP_TIMEOUT_S
            done, _ = await asyncio.wait({keeper, leaving}, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        if keeper not in done:
            words = "the SIP worker is killed: far ends have not confirmed the end of their calls (%d left)"
            self._log.warning(words, len(self._ledger))
            if self._process:
                kill(self._process)
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)

    async def _launch(self) -> None:
        """Start a worker; one that starts only by half is gone again.

        Raises:
            TransportError: There is none; the sentence says why.
        """
        patience_s = self._settings.goodbyes_s + START_TIMEOUT_S
        try:
            await self._spawn()
            async with asyncio.timeout(patience_s):
                self.started = await self._first_event()
        except TimeoutError:
            raise TransportError(f"The SIP worker said nothing for {patience_s:.0f} s after its start.") from None
        except PeerError as error:
            raise TransportError(f"The SIP worker talked nonsense at its start: {error}") from None
        except OSError as error:
            raise TransportError(f"The SIP worker cannot be started: {error.strerror or error}.") from None
        else:
            # A replacement must be found where the first one was.
            self._settings = dataclasses.replace(
                self._settings,
                udp_port=self.started.udp_port,
                tcp_port=self.started.tcp_port,
                tls_port=self.started.tls_port,
            )
            self._ready.set()
        finally:
            if not self._ready.is_set():
                await self._reap()

    async def _spawn(self) -> None:
        """A process that was told what to do."""
        ours, theirs = socket.socketpair()
        with theirs, contextlib.ExitStack() as unless_it_works:
            unless_it_works.callback(ours.close)
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "sip.worker", "--socket", str(theirs.fileno())),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
            self._errors = asyncio.create_task(relay_errors(self._process, self._log), name="sip-worker-errors")
            self._channel = await Channel.open(ours)
            unless_it_works.pop_all()
        self._lines = self._channel.lines()
        self._channel.send(self._settings)

    async def _first_event(self) -> Started:
        async for line in self._lines:
            event = messagelines.decode_event(line)
            if isinstance(event, Started):
                return event
            if isinstance(event, messages.StartFailed):
                raise TransportError(event.sentence)
        raise TransportError("The SIP worker died while starting; its own words are in the log above.")

    async def _keep(self) -> None:
        """See to it that a worker runs; when we stop, for as long as it has goodbyes to say."""
        while not self._is_over:
            try:
                if self._process and self._ready.is_set():
                    await self._outlive(self._process)
                else:
                    await self._replace()
            except Exception:
                self._log.exception("the watch over the SIP worker failed, and goes on")

    @property
    def _is_over(self) -> bool:
        is_idle = not self._ready.is_set() and not len(self._ledger)
        return self._stopping.is_set() and (self._has_parted or is_idle)

    async def _outlive(self, process: asyncio.subprocess.Process) -> None:
        """Pass events on; when the worker is lost, say so."""
        born, fate = self._now(), "could not be followed and was killed"
        try:
            fate = await self._read(process)
        finally:
            await self._reap()
            if self._now() - born >= YOUNG_S:  # one that dies young is likely to die again
                self._backoff_s = FIRST_BACKOFF_S
            if not self._has_parted:
                self._mourn(f"The SIP worker {fate} ({exit_in_words(process.returncode)}).")

    def _mourn(self, reason: str) -> None:
        self._log.error("%s", reason)
        self._ledger.worker_lost()
        self.registrations.clear()
        self._on_lost(reason)

    async def _read(self, process: asyncio.subprocess.Process) -> str:
        """Pass events on until the worker is gone; what became of it."""
        watch = asyncio.create_task(self._watch(process), name="sip-worker-watch")
        knocking = asyncio.create_task(self._knock(), name="sip-worker-knock")
        try:
            async for line in self._lines:
                self._signs_of_life += 1
                self._take(messagelines.decode_event(line))
        except PeerError as error:
            return f"talked nonsense, {error}, and was killed"
        finally:
            has_hung = watch.done()
            watch.cancel()
            knocking.cancel()
        return "hung and was killed" if has_hung else "died"

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Kill a worker that is silent. Turns of our loop are counted: if we are late, the worker is not to blame."""
        silent_turns = starved_turns = 0
        alive = before = None
        with contextlib.closing(Scheduled(Path("/proc", str(process.pid)))) as main_thread:
            while silent_turns < SILENT_TURNS and used_s(alive, before) < SILENT_TURNS * TURN_S:
                heard = self._signs_of_life
                await asyncio.sleep(TURN_S)
                if self._signs_of_life != heard:
                    silent_turns = starved_turns = 0
                    alive = before = None
                    continue
                now = main_thread.turns()
                if starved_turns < STARVED_TURNS and is_starved(before, now, TURN_S):
                    starved_turns += 1
                else:
                    silent_turns += 1
                alive, before = alive or now, now
        kill(process)

    async def _knock(self) -> None:
        while True:
            await asyncio.sleep(KNOCK_S)
            self.post(messages.Ping(0))

    def _take(self, event: messages.Event) -> None:
        if isinstance(event, TrunkEvent):
            self._deliver(event)
        elif isinstance(event, messages.DialogNote):
            self._ledger.note(event)
        elif isinstance(event, messages.DialogOver):
            if farewell := self._ledger.over(event):
                self.post(farewell)
        elif isinstance(event, messages.Parted):
            self._ledger.parted(event)
        elif isinstance(event, Heartbeat):
            waiting = self._waiting.pop(event.sequence, None)
            if waiting and not waiting.done():  # who asked may have given up
                waiting.set_result(event)
        elif isinstance(event, Registered):
            self.registrations[event.trunk] = event
        elif isinstance(event, messages.Stopped):
            self._has_parted = True

    def _deliver(self, event: TrunkEvent) -> None:
        try:
            self._on_event(event)
        except Exception:
            self._log.exception("an event of the SIP worker was mishandled: %s", event.type)

    async def _replace(self) -> None:
        """Try once to start another worker, after a pause unless we stop."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._backoff_s):
                await self._stopping.wait()
        self._backoff_s = min(self._backoff_s * 2, MAX_BACKOFF_S)
        try:
            await self._launch()
        except TransportError as error:
            self._has_parted = self._stopping.is_set()
            if self._has_parted:
                words = "the SIP worker cannot be restarted: %s %d calls get no goodbye and may go on over there"
                self._log.error(words, error, len(self._ledger))
            else:
                self._log.error("the SIP worker cannot be restarted: %s Next try in %.1f s.", error, self._backoff_s)
        else:
            self._log.info("a new SIP worker runs as process %d", self.started.pid)
            self._end_orphans()
            if self._stopping.is_set():
                self.post(messages.Stop())

    def _end_orphans(self) -> None:
        """Nobody shall be billed for the calls that the last worker held."""
        farewells = self._ledger.farewells()
        for farewell in farewells:
            self.post(farewell)
        if farewells:
            self._log.warning("%d calls of the lost SIP worker are being ended towards their trunks", len(farewells))

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    async def _reap(self) -> None:
        """Make sure that the process is gone."""
        patience_s = STOP_TIMEOUT_S if self._stopping.is_set() and self._ready.is_set() else 0
        self._ready.clear()
        process, channel = self._process, self._channel
        for waiting in filter(lambda each: not each.done(), self._waiting.values()):
            waiting.set_exception(TransportError("The SIP worker was lost."))
        self._waiting.clear()
        self._process = self._channel = None
        if channel:
            await channel.close()
        if process is None:
            return
        if process.returncode is None:
            try:
                async with asyncio.timeout(patience_s):
                    await process.wait()
            except TimeoutError:
                kill(process)
                await process.wait()
        await self._errors
