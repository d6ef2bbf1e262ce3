"""The two HTTP listeners: their sockets, and uvicorn without its own idea of signals."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import socket
import ssl
from collections.abc import Iterator
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

from call.errors import PeerError, TransportError
from gateway import localhttp
from gateway.accepting import Door
from gateway.config import ListenSettings
from gateway.doorkeeping import YARD_IN_ALL, YARD_PER_ADDRESS, PunctualHttp, PunctualWebSocket
from webrtc.lobby import Lobby
from webrtc.signalling import MAX_MESSAGE_BYTES

BACKLOG: Final = 2048
UNACKNOWLEDGED_MS: Final = 30_000
"""How long the kernel keeps sent bytes that a client does not take (RFC 5482), though the connection be closed."""

TITLE: Final = "webtrunk"
"""What `settings.json` of every webtrunk says (gateway.site)."""
ASK_S: Final = 2.0
WEBSOCKET_PING_S, WEBSOCKET_PONG_S = 30.0, 20.0
"""A browser answers these by itself (RFC 6455 §5.5.2), however rarely it lets a page in the background do anything."""
TICK_S: Final = 1.0
"""How often the Date of answers is set: it counts seconds."""


class Server(uvicorn.Server):
    """A uvicorn server that leaves signals to us and says when it is up."""

    def __init__(self, app: ASGIApp, cert: str = "", key: str = "") -> None:
        """Serve `app`, over TLS with a certificate and key (PEM files)."""
        self._leaving = asyncio.Event()
        punctual: Any = functools.partial(PunctualHttp, Lobby(), Lobby(YARD_PER_ADDRESS, YARD_IN_ALL))
        super().__init__(
            uvicorn.Config(
                app,
                http=punctual,
                ws=PunctualWebSocket,
                ws_max_size=MAX_MESSAGE_BYTES,
                ws_per_message_deflate=False,
                ws_ping_interval=WEBSOCKET_PING_S,
                ws_ping_timeout=WEBSOCKET_PONG_S,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=3,
                ssl_certfile=cert or None,
                ssl_keyfile=key or None,
            )
        )
        self.is_up = asyncio.Event()
        self._porch = Lobby()
        self._doors: list[Door] = []

    @property
    def should_exit(self) -> bool:
        """Whether it was asked to end."""
        return self._leaving.is_set()

    @should_exit.setter
    def should_exit(self, should_exit: bool) -> None:
        if should_exit:
            self._leaving.set()

    async def main_loop(self) -> None:
        """As uvicorn's, which looks ten times a second whether it should end; two of them are most of an idle CPU."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._leaving.wait()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, with doors of our own; then set `is_up`."""
        await super().startup([])
        self._doors = [Door(listener, self._make_protocol, self.config.ssl, self._porch) for listener in sockets or ()]
        self.is_up.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, once nobody comes in any more."""
        for door in self._doors:
            door.close()
        await super().shutdown(sockets)

    def _make_protocol(self) -> asyncio.Protocol:
        """As uvicorn makes it."""
        make: Any = self.config.http_protocol_class
        made: asyncio.Protocol = make(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state, _loop=None
        )
        return made

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the gateway."""
        yield


def listen_publicly(settings: ListenSettings) -> socket.socket:
    """Open the public listener.

    Raises:
        TransportError: It cannot be opened; when it is another webtrunk that has the port, the sentence says where.
    """
    try:
        return listen(settings.host, settings.port, "listen.port")
    except TransportError as error:
        if _is_taken(error) and (url := running_webtrunk(settings)):
            hint = "Open it in a browser; to start another one, give that one free ports in its configuration."
            raise TransportError(f"webtrunk is running already: {url}", hint=hint) from error
        raise


def _is_taken(error: TransportError) -> bool:
    return isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EADDRINUSE


def running_webtrunk(settings: ListenSettings) -> str:
    """Where the page of a webtrunk is that runs with this listener; "": there is none. Blocking."""
    url = _local_url(settings)
    try:
        _, answer = localhttp.ask(f"{url}settings.json", ASK_S)
    except (PeerError, TransportError):
        return ""
    return url if answer.get("title") == TITLE else ""


def _local_url(settings: ListenSettings) -> str:
    """Where the page of such a listener is found from this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    scheme = "https" if settings.tls_cert else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{settings.port}/"


def check_certificate(cert: str, key: str, section: str) -> None:
    """Load a certificate and its key (PEM files; both or neither) from a section of the configuration.

    Raises:
        TransportError: They cannot be used; the sentence names the files.
    """
    if not cert:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password=_no_password)
    except OSError as error:  # ssl.SSLError is one
        hint = f"`{section}.tls_cert` and `{section}.tls_key` are a certificate and its unencrypted key as PEM files."
        raise TransportError(f"{cert} and {key} cannot be used for TLS: {_flaw(error)}.", hint=hint) from error


def _flaw(error: OSError) -> str:
    """OpenSSL's word for what is wrong with a pair, in ours."""
    if not isinstance(error, ssl.SSLError):
        return error.strerror or str(error)
    if error.reason == "KEY_VALUES_MISMATCH":
        return "the key belongs to another certificate"
    return "one of them is not PEM, or the key is encrypted"


def check_authorities(file: str, setting: str) -> None:
    """Load a file of certificate authorities, if there is one.

    Raises:
        TransportError: It cannot be used; the sentence names it.
    """
    try:
        if file:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except OSError as error:
        hint = f"`{setting}` is a PEM file of the authorities that sign trunks' certificates."
        raise TransportError(f"{file} holds no certificates that can be read.", hint=hint) from error


def _no_password() -> str:
    """OpenSSL would ask at the terminal, where nobody may be; one that cannot be right is an error at once."""
    return "\0"


def listen(host: str, port: int, key: str) -> socket.socket:
    """Open a TCP listener; `key` is the setting to name when that fails.

    Raises:
        TransportError: The port is taken, or the address is not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS
        )  # its connections inherit it
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        where = f"TCP port {port} on {host}"
        if error.errno == errno.EADDRINUSE:
            hint = f"Stop the program that uses it, or set `{key}` to a free port."
            raise TransportError(f"{where} is taken.", hint=hint) from error
        raise TransportError(f"{where} cannot be opened: {error.strerror}.", hint=f"Check `{key}`.") from error
    listener.setblocking(False)
    return listener
