"""Builds everything, runs it until it is told to stop, and takes it down in order."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import resource
import signal
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

from call.errors import TransportError
from gateway.admin import make_admin
from gateway.admission import Admission
from gateway.auth import Gatekeeper
from gateway.config import Config
from gateway.demophone import DemoPhone
from gateway.directory import Directory
from gateway.heap import Heap
from gateway.listeners import Server, check_certificate, listen, listen_publicly
from gateway.listening import Listening
from gateway.load import MEDIA_THREAD, LoadWatch, ThreadTurns
from gateway.records import Records
from gateway.recordsfile import locate
from gateway.relays import Relays
from gateway.routing import Router
from gateway.site import make_site, own_origins
from gateway.sounds import Sounds
from gateway.surroundings import Surroundings
from gateway.switchboard import Switchboard
from gateway.trunkstatus import describe_trunks
from sip import messages
from sip.agent import Agent
from webrtc.dtls import Certificates

log = logging.getLogger(__name__)

WANTED_DESCRIPTORS: Final = 65_536


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the gateway can be reached, once it is ready."""

    page: str
    admin: str
    sip_udp: str
    browser_media: str


class Gateway:
    """One gateway process: `run` starts it, calls `ready`, and returns after `stop`."""

    def __init__(self, config: Config, sounds: Sounds, *, demo_trunk: str = "") -> None:
        """`demo_trunk`: the trunk at whose other end a demo phone is to be started."""
        self._config, self._sounds = config, sounds
        self._demo_trunk = demo_trunk
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ask `run` to end; harmless when repeated."""
        self._stopping.set()

    async def run(self, ready: Callable[[Addresses], None]) -> None:
        """Run until `stop`, SIGTERM or SIGINT.

        Raises:
            TransportError: Something that is needed cannot be opened; nothing is left running.
        """
        config = self._config
        check_certificate(config.listen.tls_cert, config.listen.tls_key, "listen")
        _raise_descriptor_limit()
        async with contextlib.AsyncExitStack() as stack:
            # First, so that a second start stumbles over the first one's page and can say so.
            public = stack.enter_context(contextlib.closing(listen_publicly(config.listen)))
            admin = stack.enter_context(contextlib.closing(listen(config.admin.host, config.admin.port, "admin.port")))
            if self._demo_trunk:
                await stack.enter_async_context(DemoPhone(config.trunk[self._demo_trunk], config))
            house = stack.enter_context(contextlib.closing(_House(config, self._sounds)))
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            house.spawn_in(tasks)
            stack.callback(house.cancel_tasks)
            await house.sounds.load(config.media.music, {name: trunk.ringback for name, trunk in config.trunk.items()})
            await house.listening.load()
            await house.agent.start()
            self._watch_signals(stack, house.agent)  # first, so that they count while goodbyes are waited for
            stack.push_async_callback(house.agent.stop)
            site = Server(
                self._make_site(house, public.getsockname()[1]), config.listen.tls_cert, config.listen.tls_key
            )
            console = Server(make_admin(lambda: house.board.calls, house.records, house.status, house.sounds))
            serving = [house.spawn(site.serve(sockets=[public])), house.spawn(console.serve(sockets=[admin]))]
            house.spawn(house.load.run())
            for server in (site, console):
                await self._while_serving(server.is_up.wait(), serving)
            heap = Heap()
            heap.settle()
            house.spawn(heap.run())
            if not self._stopping.is_set():
                ready(self._addresses(public.getsockname()[1], admin.getsockname()[1], house))
                await self._while_serving(self._stopping.wait(), serving)
            await house.board.drain()
            site.should_exit = console.should_exit = True
            await asyncio.wait(serving)

    async def _while_serving(self, awaited: Coroutine[Any, Any, Any], serving: Sequence[asyncio.Task[None]]) -> None:
        """Wait for something or for `stop`.

        Raises:
            TransportError: A listener's server ended by itself meanwhile.
        """
        waits = {asyncio.ensure_future(awaited), asyncio.ensure_future(self._stopping.wait())}
        try:
            done, _ = await asyncio.wait({*waits, *serving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if not done & waits:
            hint = "Its own words are in the log above; start the gateway again."
            raise TransportError("A web server of the gateway ended by itself.", hint=hint)

    def _make_site(self, house: _House, port: int) -> Any:
        config = self._config
        return make_site(
            house.directory.open_door,
            origins=own_origins(config.listen, port),
            auth=config.auth,
            users=config.user,
            demo_numbers=config.trunk[self._demo_trunk].allow if self._demo_trunk else (),
            country=config.dialplan.country,
        )

    def _watch_signals(self, stack: contextlib.AsyncExitStack, agent: Agent) -> None:
        """The first one stops; the next one waits for no far end any more."""
        loop = asyncio.get_running_loop()

        def act() -> None:
            if self._stopping.is_set():
                agent.leave()
            self.stop()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, act)
            stack.callback(loop.remove_signal_handler, number)

    def _addresses(self, port: int, admin_port: int, house: _House) -> Addresses:
        config = self._config
        scheme = "https" if config.listen.tls_cert else "http"
        address, media_port = house.relays.browser_candidates[0]
        return Addresses(
            page=f"{scheme}://{_host(config.listen.host)}:{port}/",
            admin=f"http://{_host(config.admin.host)}:{admin_port}/",
            sip_udp=f"{config.networks[0].public}:{house.agent.started.udp_port}",
            browser_media=f"{address}:{media_port}",
        )


class _House:
    """The parts of one gateway, wired to each other."""

    def __init__(self, config: Config, sounds: Sounds) -> None:
        self._trunks = config.trunk
        self.records = Records(locate(config.records))
        try:
            self.relays = _open_relays(config)
        except TransportError:
            self.records.close()
            raise
        self.sounds = sounds
        self._group: asyncio.TaskGroup
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = ThreadTurns(MEDIA_THREAD)
        self.load = LoadWatch(self._turns.read)
        self.directory = Directory(
            Gatekeeper(config.auth, config.user), config.session.grace_s, config.limits.user_pages
        )
        self.agent = Agent(
            _worker_start(config),
            on_event=lambda event: self.board.on_sip(event),
            on_lost=lambda why: self.board.on_worker_lost(why),
        )
        self.admission = Admission(config.limits, config.trunk, (self.load.check, self.agent.check))
        self.board = Switchboard(
            Surroundings(self.relays, self.sounds, Certificates(), self.spawn, config.session.grace_s),
            trunks=config.trunk,
            session=config.session,
            admission=self.admission,
            router=Router(config.trunk_rules, config.user, config.dialplan.country),
            directory=self.directory,
            records=self.records,
            post=self.agent.post,
        )
        self.directory.handle = self.board.handle
        self.listening = Listening(config, self.relays, self.sounds, self.spawn)
        self.board.attend = self.listening.attend

    def spawn_in(self, tasks: asyncio.TaskGroup) -> None:
        """Where background tasks belong."""
        self._group = tasks

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task of the gateway's group whose failure is logged and takes nothing else down."""

        async def guarded() -> None:
            try:
                await work
            except Exception:
                log.exception("a background task failed")

        task = self._group.create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def cancel_tasks(self) -> None:
        """What has not ended by itself by now never will."""
        for task in self._tasks:
            task.cancel()

    async def status(self) -> dict[str, Any]:
        """Figures for the admin listener; signalling does not wait for media threads that are starved."""
        media = await asyncio.to_thread(self.relays.stats)
        return {
            "calls": len(self.board.calls),
            "counted_calls": self.admission.counted,
            "sessions": self.directory.session_count,
            "tasks": len(asyncio.all_tasks()),
            "load": self.load.describe(),
            "trunks": describe_trunks(self._trunks, self.agent.registrations),
            "media": media,
        }

    def close(self) -> None:
        """Close what no task closes."""
        self._turns.close()
        self.listening.close()
        self.relays.close()
        self.sounds.close()
        self.records.close()


def _open_relays(config: Config) -> Relays:
    try:
        return Relays(config.media, config.networks)
    except OSError as error:
        hint = "Set `media.browser_port` to a free port, or stop what uses it."
        if error.errno == errno.EADDRNOTAVAIL:
            hint = "Set `bind` of each [[network]] to an address of this machine."
        raise TransportError(f"The media engine cannot start: {error.strerror or error}.", hint=hint) from error


def _worker_start(config: Config) -> messages.Start:
    sip = config.sip
    trunks = tuple(
        messages.TrunkAccount(
            name,
            trunk.host,
            trunk.sip_port,
            trunk.transport,
            trunk.user,
            trunk.secret,
            trunk.home,
            new_calls_per_s=trunk.new_calls_per_s,
            sources=trunk.sources,
            registers=trunk.registration,
        )
        for name, trunk in config.trunk.items()
    )
    return messages.Start(
        bind=config.networks[0].bind,
        advertise=config.networks[0].public,
        udp_port=sip.udp_port,
        tcp_port=sip.tcp_port,
        tls_port=sip.tls_port,
        tls_cert=sip.tls_cert,
        tls_key=sip.tls_key,
        tls_ca=sip.tls_ca,
        tls_verify=sip.tls_verify,
        nameservers=sip.nameservers,
        trunks=trunks,
    )


def _raise_descriptor_limit() -> None:
    """A call needs two descriptors, a page one; the usual soft limit of 1024 is for other programs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, WANTED_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _host(host: str) -> str:
    shown = "localhost" if host == "::1" else host
    return f"[{shown}]" if ":" in shown else shown
