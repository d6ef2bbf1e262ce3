"""The live tee of one call: what is said goes to a WebSocket server as it is said, and never holds the call up."""

from __future__ import annotations

import array
import asyncio
import contextlib
import json
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.frames import CloseCode

from call.errors import TransportError
from gateway.configlistening import TeeSettings
from gateway.recording import Source

RATE_HZ: Final = 16_000
FRAME_MS: Final = 100
"""How much goes into one message."""
HOLD_BACK_MS: Final = 300
"""How far behind the present: packets that come a little late still find their place."""
KEEP_MS: Final = 5000
"""How much waits for a server that is slow or away; then the oldest is lost."""
OPEN_S: Final = 5.0
STOP_S: Final = 1.0
"""How long the end of a call waits for the server."""
RETRY_S: Final = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Pauses between attempts, the last one again and again."""
STEADY_S: Final = 10.0
"""After a connection that held so long the pauses begin anew."""
MAX_ANSWER: Final = 65_536
"""Longest message taken from the server; all are ignored."""
_TAKEN: Final = (CloseCode.NORMAL_CLOSURE, CloseCode.NO_STATUS_RCVD)
"""How a server that has read everything answers our close (RFC 6455 §7.4.1)."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a tee goes, and how it shows that it may."""

    url: str
    authorization: str
    tls: ssl.SSLContext | None


def destination(settings: TeeSettings) -> Destination:
    """Where tees go.

    Raises:
        TransportError: The authorities cannot be read.
    """
    tls = None
    if settings.url.startswith("wss:"):
        try:
            tls = ssl.create_default_context(cafile=settings.tls_ca or None)
        except (OSError, ssl.SSLError) as error:
            sentence = f"{settings.tls_ca} holds no certificates that can be read."
            raise TransportError(sentence, hint="It must be a PEM file.") from error
    return Destination(settings.url, settings.secret, tls)


@dataclass(frozen=True, slots=True)
class _Frame:
    """Interleaved samples, and their place since the tee began: whatever is lost around them, it stays."""

    at_ms: int
    samples: bytes


class Tee:
    """Reads the legs' taps in one task and sends in another, so that a slow server fills a bounded buffer at most."""

    def __init__(
        self,
        destination: Destination,
        sources: Sequence[Source],
        start_ms: int,
        facts: dict[str, Any],
        clock: Callable[[], int],
        note: Callable[[str, str], None],
    ) -> None:
        """`facts` begin every connection; `clock` is the media core's, on which the sources begin at `start_ms`."""
        self._destination, self._sources, self._facts, self._note = destination, sources, facts, note
        self._clock = clock
        self._start_ms = self._read_ms = start_ms
        self._waiting: deque[_Frame] = deque()
        self._news, self._ending = asyncio.Event(), asyncio.Event()
        self._sent_ms = self._lost_ms = self._connections = 0
        self._state = "connecting"

    def describe(self) -> dict[str, Any]:
        """For the call's record."""
        return {
            "state": self._state,
            "sent_ms": self._sent_ms,
            "lost_ms": self._lost_ms,
            "connections": self._connections,
        }

    async def run(self) -> None:
        """Send until `end`."""
        reading = asyncio.create_task(self._read())
        try:
            await self._keep_sending()
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            for source in self._sources:
                source.close()
            if self._state != "finished":
                self._state = "lost"
                self._lost_ms += FRAME_MS * len(self._waiting)

    def end(self) -> None:
        """The call is over: send what is there and say so."""
        self._take_until(self._clock())
        self._ending.set()
        self._news.set()

    # -- from the taps --------------------------------------------------------------------------------

    async def _read(self) -> None:
        while not self._ending.is_set():
            await asyncio.sleep(FRAME_MS / 1000)
            self._take_until(self._clock() - HOLD_BACK_MS)

    def _take_until(self, until_ms: int) -> None:
        """Whole frames only."""
        while self._read_ms + FRAME_MS <= until_ms and not self._ending.is_set():
            at_ms = self._read_ms - self._start_ms
            self._read_ms += FRAME_MS
            self._keep(_Frame(at_ms, _interleaved([source.read(self._read_ms) for source in self._sources])))
        self._news.set()

    def _keep(self, frame: _Frame) -> None:
        self._waiting.append(frame)
        while len(self._waiting) * FRAME_MS > KEEP_MS:
            self._waiting.popleft()
            self._lost_ms += FRAME_MS

    # -- to the server --------------------------------------------------------------------------------

    async def _keep_sending(self) -> None:
        clock = asyncio.get_running_loop().time
        attempt = 0
        while True:
            began = clock()
            try:
                async with self._connected() as socket:
                    await self._converse(socket)
                self._conclude(socket.close_code)
            except (OSError, WebSocketException) as error:
                self._lose(_words(error))
            if self._ending.is_set():
                return
            if clock() - began >= STEADY_S:
                attempt = 0
            await self._pause(RETRY_S[min(attempt, len(RETRY_S) - 1)])
            attempt += 1

    def _conclude(self, close_code: int | None) -> None:
        if close_code in _TAKEN:
            self._state = "finished"
        else:
            self._lose("the server did not take the end")

    def _lose(self, why: str) -> None:
        """Tell once of a server that goes on refusing."""
        if self._state != "lost":
            self._note("tee lost", why)
        self._state = "lost"

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ending.wait()

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[ClientConnection]:
        where = self._destination
        headers = {"Authorization": where.authorization} if where.authorization else {}
        opening = _Opening(
            where.url,
            additional_headers=headers,
            ssl=where.tls,
            open_timeout=OPEN_S,
            close_timeout=STOP_S,
            max_size=MAX_ANSWER,
            compression=None,
        )
        async with opening as socket:
            listening = asyncio.create_task(_ignore(socket))
            try:
                yield socket
            finally:
                listening.cancel()

    async def _converse(self, socket: ClientConnection) -> None:
        """Send until the end of the call."""
        self._connections += 1
        self._state = "connected"
        self._note("tee connected", "")
        due_ms = self._waiting[0].at_ms if self._waiting else self._read_ms - self._start_ms
        await socket.send(json.dumps({"type": "start", **self._facts, "offset_ms": due_ms}))
        while True:
            while self._waiting:
                due_ms = await self._send_first(socket, due_ms)
            if self._ending.is_set():
                break
            self._news.clear()
            await self._news.wait()
        await socket.send(json.dumps({"type": "stop"}))

    async def _send_first(self, socket: ClientConnection, due_ms: int) -> int:
        """Send the oldest frame to a server that waits for `due_ms`; what it waits for then."""
        frame = self._waiting.popleft()
        try:
            if frame.at_ms > due_ms:
                await socket.send(json.dumps({"type": "gap", "ms": frame.at_ms - due_ms}))
            await socket.send(frame.samples)
        except BaseException:
            self._waiting.appendleft(frame)  # for the next connection
            raise
        self._sent_ms += FRAME_MS
        return frame.at_ms + FRAME_MS


class _Opening(connect):
    """Follows no redirect: talk and key go where the settings say, and nowhere else."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """What `connect` asks whenever a handshake fails; whoever gets the same error back raises it."""
        return exc


async def _ignore(socket: ClientConnection) -> None:
    """Nobody is asked anything; but unread messages would stop the socket."""
    with contextlib.suppress(ConnectionClosed):
        async for _ in socket:
            pass


def _interleaved(channels: Sequence[bytes]) -> bytes:
    if len(channels) == 1:
        return channels[0]
    both = array.array("h", bytes(sum(map(len, channels))))
    for number, samples in enumerate(channels):
        both[number :: len(channels)] = array.array("h", samples)
    return both.tobytes()


def _words(error: Exception) -> str:
    """Never with the URL: its query may hold a key."""
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        return f"the server answered HTTP {status}" + (": redirects are not followed" if 300 <= status < 400 else "")
    if isinstance(error, TimeoutError):
        return "the server does not answer"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, OSError):
        return f"it cannot be reached: {error.strerror or type(error).__name__}"
    return "the server closed the connection" if isinstance(error, ConnectionClosed) else "it speaks no WebSocket"
