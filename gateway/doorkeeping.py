"""uvicorn's two protocols, for clients that are prompt: nobody holds a connection, or memory, by being slow.

An HTTP connection always has a deadline: for the headers of a request, for the exchange, or uvicorn's keep-alive. While
its headers are awaited it waits in the lobby, and until it ends or becomes a WebSocket it is in the yard. A WebSocket's
messages are counted where they are understood (`webrtc.websocket`); here are counted the frames that never get so far:
pings, pongs and fragments.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from call.tokenbucket import TokenBucket
from webrtc.lobby import Lobby, Place
from webrtc.mailbox import Mailbox

log = logging.getLogger(__name__)

HEADERS_S: Final = 10.0
"""How long a client may take for the headers of a request."""
EXCHANGE_S: Final = 30.0
"""How long it may take to read the response."""
MAX_HEADER_BYTES: Final = 65_536
YARD_PER_ADDRESS: Final = 256
YARD_IN_ALL: Final = 4096
"""HTTP connections, idle ones included; a browser opens six at most, and an office of them may share one address."""
UNREAD_S: Final = 10.0
"""How long a WebSocket may leave a full send buffer unread."""
LINGER_S: Final = 1.0
"""How long the rest of a refused frame is read and thrown away."""
CLOSE_REPLY_S: Final = 3.0
"""How long a WebSocket may take to confirm a close (RFC 6455 §7.1.1)."""
CONTROL_FRAMES_PER_S: Final = 20.0
CONTROL_BURST: Final = 200.0
READ_BYTES: Final = 16_384
"""Taken from a socket at once, so that a flood on one does not hold up the others."""


def _read_little(transport: asyncio.Transport) -> None:
    """asyncio takes 256 KiB at once: tens of thousands of the smallest frames. (TLS has bounds of its own.)"""
    transport.max_size = READ_BYTES  # type: ignore[attr-defined]


class PunctualHttp(HttpToolsProtocol):
    """HTTP for clients that send their headers soon and briefly, read soon, and do not come by the hundred."""

    def __init__(self, lobby: Lobby, yard: Lobby, **uvicorns: Any) -> None:
        """As uvicorn makes it, with the lobby and the yard of the listener."""
        super().__init__(**uvicorns)
        self._lobby, self._yard = lobby, yard
        self._address = ""
        self._header_bytes = 0
        self._place_in_lobby: Place | None = None
        self._place_in_yard: Place | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let it wait, or not."""
        super().connection_made(transport)
        _read_little(transport)
        self._address = self.client[0] if self.client else ""
        self._place_in_yard = self._yard.enter(self._address, transport.abort)
        if self._place_in_yard:
            self._await_headers()
        else:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Count what comes before the end of the headers."""
        if self._deadline is None:
            self._await_headers()  # of another request on a connection that was kept alive
        if self._place_in_lobby:
            self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADER_BYTES:
                self.send_400_response("The request's headers are too long.")
        if not self.transport.is_closing():
            super().data_received(data)

    def on_headers_complete(self) -> None:
        """The client is punctual; now it must read as promptly."""
        self._leave_lobby()
        self._set_deadline(EXCHANGE_S)
        if self.parser.should_upgrade() and self._should_upgrade():
            self._set_deadline(None)
            self._leave_yard()  # the WebSocket's own protocol takes over
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Then uvicorn's keep-alive runs; a body that nobody wants is not awaited."""
        is_last = not self.pipeline
        super().on_response_complete()
        self._set_deadline(None if is_last else EXCHANGE_S)
        if is_last and self.cycle.more_body:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone."""
        self._leave_lobby()
        self._leave_yard()
        self._set_deadline(None)
        super().connection_lost(exc)

    def _await_headers(self) -> None:
        self._header_bytes = 0
        self._place_in_lobby = self._lobby.enter(self._address, self.transport.abort)
        if self._place_in_lobby:
            self._set_deadline(HEADERS_S)
        else:
            self.transport.abort()

    def _leave_lobby(self) -> None:
        if self._place_in_lobby:
            self._lobby.leave(self._place_in_lobby)
            self._place_in_lobby = None

    def _leave_yard(self) -> None:
        if self._place_in_yard:
            self._yard.leave(self._place_in_yard)
            self._place_in_yard = None

    def _set_deadline(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self.transport.abort)


class PunctualWebSocket(WebSocketsSansIOProtocol):
    """WebSocket for clients that read what they are sent, and do not flood with frames that carry no message."""

    def __init__(self, *args: Any, **uvicorns: Any) -> None:
        """As uvicorn makes it."""
        super().__init__(*args, **uvicorns)
        self.close_timeout = CLOSE_REPLY_S
        self.queue: Any = Mailbox()
        self._bucket = TokenBucket(CONTROL_FRAMES_PER_S, CONTROL_BURST, self.loop.time())
        self._unread: asyncio.TimerHandle | None = None
        self._is_deaf = False

    def data_received(self, data: bytes) -> None:
        """Read on after a frame that was refused, but do not listen."""
        if not self._is_deaf:
            super().data_received(data)

    def handle_parser_exception(self) -> None:
        """Say why (1002, 1009) and linger: to close with something unread would reset the connection at once, and
        the client might never hear it."""
        assert self.conn.close_sent is not None
        code, reason = self.conn.close_sent.code, self.conn.close_sent.reason
        self._is_deaf = self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_timer = self.loop.call_later(LINGER_S, self.transport.close)

    def pause_writing(self) -> None:
        """The client does not read: it has a while. A close would wait for it for ever, so it is cut off."""
        super().pause_writing()
        self._unread = self.loop.call_later(UNREAD_S, self._cut_off, "does not read")

    def resume_writing(self) -> None:
        """It reads."""
        self._stop_clock()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone."""
        self._stop_clock()
        super().connection_lost(exc)

    def start_keepalive(self) -> None:
        """The WebSocket is open: the headers of its handshake have been read, and would stay as long as it does."""
        super().start_keepalive()
        self.scope["headers"].clear()  # type: ignore[attr-defined]
        self.request.headers.clear()
        self.response.headers.clear()

    def handle_ping(self) -> None:
        """RFC 6455 §5.5.2."""
        if self._may_go_on():
            super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        """RFC 6455 §5.5.3."""
        if self._may_go_on():
            super().handle_pong(event)

    def handle_cont(self, event: Frame) -> None:
        """RFC 6455 §5.4: a fragment, which may be empty, so that the size limit never sees it."""
        if self._may_go_on():
            super().handle_cont(event)

    def _may_go_on(self) -> bool:
        if not self.transport.is_closing() and not self._bucket.take(self.loop.time()):
            self._cut_off(f"sends more than {CONTROL_FRAMES_PER_S:.0f} pings, pongs and fragments a second")
        return not self.transport.is_closing()

    def _cut_off(self, why: str) -> None:
        log.warning("websocket %s:%s: cut off, it %s", *(self.client or ("unknown", 0)), why)
        self.transport.abort()

    def _stop_clock(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
