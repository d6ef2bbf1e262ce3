"""The signalling socket: frames in, values out; Origin, size and rate are checked here.

A `Peer` is one open socket. What the messages mean is decided by the `Door` that the gateway gives.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Final, Protocol

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from call.errors import GatewayError, PeerError, PolicyError
from call.tokenbucket import TokenBucket, TokenBuckets
from webrtc import signalling
from webrtc.lobby import Lobby, household
from webrtc.mailbox import Mailbox

log = logging.getLogger(__name__)

HELLO_TIMEOUT_S: Final = 10.0
SILENCE_S: Final = 150.0
"""Browsers let pages in the background act once a minute; one that misses two such minutes would not ring either."""
SEND_QUEUE: Final = 256
MESSAGES_PER_S: Final = 25.0
BURST: Final = 100.0
ARRIVALS_PER_S: Final = 100.0
"""New sockets of one address, which may be the proxy of many pages; each costs more than a message."""
ARRIVALS_BURST: Final = 500.0
MAX_MISTAKES: Final = 10
GOODBYE_S: Final = 5.0
"""How long a socket that is to close may take for what was sent before."""

POLICY_VIOLATION: Final = 1008
TRY_AGAIN_LATER: Final = 1013
GOING_AWAY: Final = 1001


class Peer:
    """One open socket, seen from the gateway: somewhere to send messages."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._outgoing: Mailbox[signalling.ServerMessage | tuple[int, str]] = Mailbox()
        self.address = f"{socket.client.host}:{socket.client.port}" if socket.client else "unknown"
        self.is_open = True

    def send(self, message: signalling.ServerMessage) -> None:
        """Queue a message; a page that does not read for long is cut off, so that memory stays bounded."""
        if not self.is_open:
            return
        if self._outgoing.qsize() < SEND_QUEUE:
            self._outgoing.put_nowait(message)
        else:
            log.warning("websocket %s reads too slowly: closed", self.address)
            self._outgoing.clear()
            self.close(TRY_AGAIN_LATER, "reads too slowly")

    def close(self, code: int, reason: str) -> None:
        """Close the socket once what was sent before is out."""
        if not self.is_open:
            return
        self.is_open = False
        self._outgoing.put_nowait((code, reason))

    async def write_all(self) -> None:
        """Send what is queued until the socket is closed."""
        while True:
            message = await self._outgoing.get()
            if isinstance(message, tuple):
                if WebSocketState.DISCONNECTED not in (self._socket.application_state, self._socket.client_state):
                    await self._socket.close(*message)
                return
            await self._socket.send_text(signalling.encode(message))


class Visitor(Protocol):
    """Somebody who has said hello."""

    def may_speak(self) -> bool:
        """Count one more message of this person, whatever page it comes from; false: they are too many."""

    def handle(self, message: signalling.ClientMessage) -> None:
        """Act on one message; a `GatewayError` becomes an `error` message to the page."""

    def lost(self, peer: Peer) -> None:
        """The socket is gone."""


Door = Callable[[signalling.Hello, Peer], Awaitable[Visitor]]
"""Lets somebody in who says hello, or raises a GatewayError."""


def is_origin_allowed(origin: str | None, allowed: Collection[str]) -> bool:
    """Browsers always send Origin, and only they can be tricked into opening a socket: no Origin, no danger."""
    return origin is None or origin in allowed


async def serve_socket(
    socket: WebSocket, door: Door, origins: Collection[str], lobby: Lobby, arrivals: TokenBuckets
) -> None:
    """Serve one WebSocket from its handshake to its end; `arrivals` has a bucket for each household."""
    origin = socket.headers.get("origin")
    if not is_origin_allowed(origin, origins):
        log.warning("websocket refused: origin %r is not in listen.origins", origin)
        await socket.close(POLICY_VIOLATION)  # before accept: HTTP 403
        return
    address = socket.client.host if socket.client else ""
    if not arrivals.take(household(address), asyncio.get_running_loop().time()):
        log.warning("websocket refused: more than %.0f a second from %s", ARRIVALS_PER_S, address)
        await socket.close(TRY_AGAIN_LATER)
        return
    peer = Peer(socket)
    place = lobby.enter(address, lambda: peer.close(TRY_AGAIN_LATER, "too many wait"))
    if place is None:
        log.warning("websocket refused: too many from %s have not said hello yet", address)
        await socket.close(TRY_AGAIN_LATER)
        return
    await socket.accept()
    writer = asyncio.create_task(peer.write_all())
    reader = asyncio.create_task(_read_all(socket, peer, door, lambda: lobby.leave(place)))
    try:
        await asyncio.wait([reader, writer], return_when=asyncio.FIRST_COMPLETED)
        if reader.done():
            peer.close(GOING_AWAY, "")
            await asyncio.wait([writer], timeout=GOODBYE_S)
    finally:
        peer.is_open = False
        for task in (reader, writer):
            task.cancel()
        for outcome in await asyncio.gather(reader, writer, return_exceptions=True):
            if isinstance(outcome, Exception) and not isinstance(outcome, WebSocketDisconnect):
                log.error("websocket %s failed", peer.address, exc_info=outcome)


async def _read_all(socket: WebSocket, peer: Peer, door: Door, leave_lobby: Callable[[], None]) -> None:
    visitor: Visitor | None = None
    try:
        try:
            visitor = await _let_in(socket, peer, door)
        finally:
            leave_lobby()
        if visitor is not None:
            await _converse(socket, peer, visitor)
    except (WebSocketDisconnect, TimeoutError):
        pass
    finally:
        if visitor is not None:
            visitor.lost(peer)


async def _let_in(socket: WebSocket, peer: Peer, door: Door) -> Visitor | None:
    try:
        async with asyncio.timeout(HELLO_TIMEOUT_S):
            message = signalling.decode(await _next_frame(socket))
        if not isinstance(message, signalling.Hello):
            raise PeerError("The first message must be hello.", hint="See docs/signalling.md.")
        if message.version != signalling.VERSION:
            raise PeerError(f"Version {message.version} is not spoken here, only {signalling.VERSION}.")
        return await door(message, peer)
    except GatewayError as error:
        code: signalling.ErrorCode = "unauthorized" if isinstance(error, PolicyError) else "bad-message"
        _refuse(peer, code, error)
    except TimeoutError:
        _refuse(peer, "bad-message", PeerError(f"No hello came within {HELLO_TIMEOUT_S:.0f} s."))
    return None


def _refuse(peer: Peer, code: signalling.ErrorCode, error: GatewayError) -> None:
    peer.send(signalling.Error(code, str(error), error.hint))
    peer.close(POLICY_VIOLATION, code)


async def _converse(socket: WebSocket, peer: Peer, visitor: Visitor) -> None:
    loop = asyncio.get_running_loop()
    bucket = TokenBucket(MESSAGES_PER_S, BURST, loop.time())
    mistakes = 0
    while peer.is_open:
        async with asyncio.timeout(SILENCE_S):
            frame = await _next_frame(socket)
        if not bucket.take(loop.time()):
            _refuse(peer, "too-many-messages", PeerError(f"More than {MESSAGES_PER_S:.0f} messages a second."))
            return
        if not visitor.may_speak():
            _refuse(peer, "too-many-messages", PeerError("The pages of this user send too many messages together."))
            return
        if not _understands(peer, visitor, frame):
            mistakes += 1
            # Garbage closes the socket at once; a wrong message of a real client only costs an error.
            if mistakes >= MAX_MISTAKES or not signalling.is_json_object(frame):
                peer.close(POLICY_VIOLATION, "bad-message")
                return
        del frame  # the next one may be long in coming, and an SDP is long


def _understands(peer: Peer, visitor: Visitor, frame: str | bytes) -> bool:
    try:
        message = signalling.decode(frame)
    except PeerError as error:
        peer.send(signalling.Error("bad-message", str(error), error.hint, signalling.call_of(frame)))
        return False
    _handle(peer, visitor, message)
    return True


def _handle(peer: Peer, visitor: Visitor, message: signalling.ClientMessage) -> None:
    if isinstance(message, signalling.Ping):
        peer.send(signalling.Pong(message.sequence))
        return
    try:
        visitor.handle(message)
    except GatewayError as error:
        code: signalling.ErrorCode = "not-allowed" if isinstance(error, PolicyError) else "refused"
        peer.send(signalling.Error(code, str(error), error.hint, getattr(message, "call", None)))
    except Exception:
        log.exception("websocket %s: %s failed", peer.address, message.type)
        words, hint = "The gateway made a mistake with this message.", "Its log has the details; please report them."
        peer.send(signalling.Error("internal", words, hint, getattr(message, "call", None)))


async def _next_frame(socket: WebSocket) -> str | bytes:
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1000))
    text: str | None = message.get("text")
    return text if text is not None else message["bytes"]
