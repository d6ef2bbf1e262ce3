"""The two HTTP listeners: their sockets, and uvicorn without its own idea of signals."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import socket
from collections.abc import Iterator
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from call.errors import TransportError
from webrtc.lobby import Lobby
from webrtc.signalling import MAX_MESSAGE_BYTES

BACKLOG: Final = 512
HEADERS_S: Final = 10.0
"""How long a client may take for the headers of its first request."""
MAX_HEADER_BYTES: Final = 65_536


class PunctualHttp(HttpToolsProtocol):
    """uvicorn's HTTP protocol, for clients that send their headers soon and briefly, and not hundreds at once."""

    def __init__(self, lobby: Lobby, **uvicorns: Any) -> None:
        """As uvicorn makes it, with the lobby of the listener."""
        super().__init__(**uvicorns)
        self._lobby = lobby
        self._address = ""
        self._header_bytes = 0
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let it wait, or not."""
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        if not self._lobby.enter(self._address):
            transport.abort()
            return
        self._patience = self.loop.call_later(HEADERS_S, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Count what comes before the end of the headers."""
        if self._patience is not None:
            self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADER_BYTES:
                self.send_400_response("The request's headers are too long.")
                return
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """The client is punctual."""
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
            self._lobby.leave(self._address)


class Server(uvicorn.Server):
    """A uvicorn server that leaves signals to us and says when it is up."""

    def __init__(self, app: ASGIApp, cert: str = "", key: str = "") -> None:
        """Serve `app`, over TLS with a certificate and key (PEM files)."""
        punctual: Any = functools.partial(PunctualHttp, Lobby())
        super().__init__(
            uvicorn.Config(
                app,
                http=punctual,
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
        self.is_up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, then set `is_up`."""
        await super().startup(sockets)
        self.is_up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the gateway."""
        yield


def listen(host: str, port: int, key: str) -> socket.socket:
    """Open a TCP listener; `key` is the setting to name when that fails.

    Raises:
        TransportError: The port is taken, or the address is not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
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
