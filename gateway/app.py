"""Builds everything, runs it until it is told to stop, and takes it down in order."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

from call.errors import TransportError
from gateway.admin import make_admin
from gateway.auth import Gatekeeper
from gateway.browserleg import Surroundings
from gateway.config import Config
from gateway.directory import Directory
from gateway.load import LoadWatch
from gateway.records import Records
from gateway.relays import Relays
from gateway.routing import Router
from gateway.site import make_site, own_origins
from gateway.switchboard import Switchboard
from sip import messages
from sip.agent import Agent
from webrtc.dtls import Certificates
from webrtc.signalling import MAX_MESSAGE_BYTES

log = logging.getLogger(__name__)

BACKLOG: Final = 512


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the gateway can be reached, once it is ready."""

    page: str
    admin: str
    sip_udp: str
    sip_tcp_port: int | None
    sip_tls_port: int | None
    browser_media: str


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals to us and says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Gateway:
    """One gateway process: `run` starts it, calls `ready`, and returns after `stop`."""

    def __init__(self, config: Config, *, demo_trunk: str = "") -> None:
        self._config = config
        self._demo_numbers = config.trunk[demo_trunk].allow if demo_trunk else ()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ask `run` to end; harmless when repeated."""
        self._stopping.set()

    async def run(self, ready: Callable[[Addresses], None]) -> None:
        """Run until `stop`, SIGTERM or SIGINT.

        Raises:
            TransportError: Something that is needed cannot be opened; nothing is left running.
        """
        async with contextlib.AsyncExitStack() as stack:
            listen, admin = self._open_sockets(stack)
            records = Records(self._config.records.resolved_url)
            stack.callback(records.close)
            relays = self._open_relays()
            stack.callback(relays.close)
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            await self._serve(tasks, stack, listen, admin, records, relays, ready)

    async def _serve(
        self,
        tasks: asyncio.TaskGroup,
        stack: contextlib.AsyncExitStack,
        listen: socket.socket,
        admin: socket.socket,
        records: Records,
        relays: Relays,
        ready: Callable[[Addresses], None],
    ) -> None:
        config = self._config
        directory = Directory(Gatekeeper(config.auth, config.user), config.session.grace_s)
        house = Surroundings(relays, Certificates(), lambda work: _spawn(tasks, work), config.session.grace_s)
        agent = self._make_agent(lambda event: board.on_sip(event), lambda why: board.on_worker_lost(why))
        load = LoadWatch()
        board = Switchboard(
            house,
            trunks=config.trunk,
            session=config.session,
            limits=config.limits,
            router=Router(config.trunk_rules, config.user, config.dialplan.country),
            directory=directory,
            records=records,
            post=agent.post,
            check_load=load.check,
        )
        directory.handle = board.handle
        await agent.start()
        try:
            status: Callable[[], dict[str, Any]] = lambda: {
                "calls": len(board.calls),
                "sessions": directory.session_count,
                "tasks": len(asyncio.all_tasks()),
                "load": load.describe(),
                "media": relays.stats(),
            }
            servers = self._make_servers(listen, admin, board, directory, records, status)
            watching = _spawn(tasks, load.run())
            running = [_spawn(tasks, server.serve(sockets=[sock])) for server, sock in servers]
            self._watch_signals(stack)
            await asyncio.gather(*(server.is_up.wait() for server, _ in servers))
            ready(self._addresses(listen, admin, agent.started, relays))
            await self._stopping.wait()
            await board.drain()
            for server, _ in servers:
                server.should_exit = True
            await asyncio.wait(running)
            watching.cancel()
        finally:
            await agent.stop()

    def _open_sockets(self, stack: contextlib.AsyncExitStack) -> tuple[socket.socket, socket.socket]:
        config = self._config
        listen = _listen(config.listen.host, config.listen.port, "listen.port")
        stack.callback(listen.close)
        admin = _listen(config.admin.host, config.admin.port, "admin.port")
        stack.callback(admin.close)
        return listen, admin

    def _open_relays(self) -> Relays:
        try:
            return Relays(self._config.media, self._config.network)
        except OSError as error:
            hint = "Set `media.browser_port` and `network.bind`, or stop what uses the port."
            raise TransportError(f"The media engine cannot start: {error.strerror or error}.", hint=hint) from error

    def _make_agent(self, on_event: Callable[[messages.LegEvent], None], on_lost: Callable[[str], None]) -> Agent:
        return Agent(_worker_start(self._config), on_event=on_event, on_lost=on_lost)

    def _make_servers(
        self,
        listen: socket.socket,
        admin: socket.socket,
        board: Switchboard,
        directory: Directory,
        records: Records,
        status: Callable[[], dict[str, Any]],
    ) -> list[tuple[_Server, socket.socket]]:
        config = self._config
        site = make_site(
            directory.open_door,
            origins=own_origins(config.listen, listen.getsockname()[1]),
            auth=config.auth,
            users=config.user,
            demo_numbers=self._demo_numbers,
        )
        console = make_admin(lambda: board.calls, records, status)
        return [
            (_server(site, config.listen.tls_cert, config.listen.tls_key), listen),
            (_server(console), admin),
        ]

    def _watch_signals(self, stack: contextlib.AsyncExitStack) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop)
            stack.callback(loop.remove_signal_handler, number)

    def _addresses(
        self, listen: socket.socket, admin: socket.socket, started: messages.Started, relays: Relays
    ) -> Addresses:
        config = self._config
        scheme = "https" if config.listen.tls_cert else "http"
        address, port = relays.browser_candidates[0]
        return Addresses(
            page=f"{scheme}://{_host(config.listen.host)}:{listen.getsockname()[1]}/",
            admin=f"http://{_host(config.admin.host)}:{admin.getsockname()[1]}/",
            sip_udp=f"{config.network[0].public}:{started.udp_port}",
            sip_tcp_port=started.tcp_port,
            sip_tls_port=started.tls_port,
            browser_media=f"{address}:{port}",
        )


def _worker_start(config: Config) -> messages.Start:
    sip = config.sip
    trunks = tuple(
        messages.TrunkAccount(name, trunk.host, trunk.sip_port, trunk.transport, trunk.user, trunk.secret)
        for name, trunk in config.trunk.items()
    )
    return messages.Start(
        bind=config.network[0].bind,
        advertise=config.network[0].public,
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


def _spawn(tasks: asyncio.TaskGroup, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """A task of the gateway's group whose failure is logged and takes nothing else down."""

    async def guarded() -> None:
        try:
            await work
        except Exception:
            log.exception("a background task failed")

    return tasks.create_task(guarded())


def _listen(host: str, port: int, key: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        where = f"port {port} on {host}"
        if error.errno == errno.EADDRINUSE:
            hint = f"Stop the program that uses it, or set `{key}` to a free port."
            raise TransportError(f"TCP {where} is taken.", hint=hint) from error
        raise TransportError(f"TCP {where} cannot be opened: {error.strerror}.", hint=f"Check `{key}`.") from error
    listener.setblocking(False)
    return listener


def _server(app: ASGIApp, cert: str = "", key: str = "") -> _Server:
    return _Server(
        uvicorn.Config(
            app,
            ws="websockets-sansio",
            ws_max_size=MAX_MESSAGE_BYTES,
            ws_per_message_deflate=False,
            ws_ping_interval=20,
            ws_ping_timeout=20,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=3,
            ssl_certfile=cert or None,
            ssl_keyfile=key or None,
        )
    )


def _host(host: str) -> str:
    shown = "localhost" if host == "::1" else host
    return f"[{shown}]" if ":" in shown else shown
