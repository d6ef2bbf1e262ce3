"""A stand-in for the page: real signalling, ICE, DTLS, SRTP and Opus by aiortc, without a browser."""

from __future__ import annotations

import asyncio
import json
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import aioice.ice
import av
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from websockets.asyncio.client import ClientConnection, connect

from tests.harness.patience import PATIENCE_S
from tests.harness.ports import HOST
from tests.harness.speech import RATE_HZ, Samples, Speech

Message = dict[str, Any]
FRAME: Final = RATE_HZ // 50
CHROMIUM_OFFER: Final = (Path(__file__).parents[1] / "vectors/sdp/chromium.offer.sdp").read_text()
"""For calls that need no audio: a real offer whose browser never comes."""

# aioice leaves loopback out of its candidates; here it is the only network there is.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [HOST]


class _Voice(MediaStreamTrack):
    """Says the speech over and over in real time; silence without one."""

    kind = "audio"

    def __init__(self, speech: Speech | None) -> None:
        super().__init__()
        self._pcm = speech.pcm if speech else bytes(2 * RATE_HZ)
        self._at = 0
        self._began = 0.0

    async def recv(self) -> av.AudioFrame:
        self._began = self._began or time.monotonic()
        await asyncio.sleep(self._began + self._at / RATE_HZ - time.monotonic())
        frame = av.AudioFrame(format="s16", layout="mono", samples=FRAME)
        begin = 2 * self._at % len(self._pcm)
        data = (self._pcm[begin:] + self._pcm)[: 2 * FRAME]
        frame.planes[0].update(data)
        frame.sample_rate, frame.time_base, frame.pts = RATE_HZ, Fraction(1, RATE_HZ), self._at
        self._at += FRAME
        return frame


class _Cut:
    """A datagram transport whose cable is pulled."""

    def __init__(self, whole: asyncio.DatagramTransport) -> None:
        self.whole = whole

    def sendto(self, data: bytes, address: Any = None) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return getattr(self.whole, name)


class Audio:
    """The peer connection of one call: it offers, speaks and hears."""

    def __init__(self, speech: Speech | None) -> None:
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.pc.addTrack(_Voice(speech))
        self.rate_hz = RATE_HZ
        self.longest_gap_s = 0.0
        """Longest time without anything new to hear, once it had begun; whoever asks sets it back."""
        self._heard_at = 0.0
        self._heard: list[Samples] = []
        self._news = asyncio.Event()
        self._ear: asyncio.Task[None] | None = None
        self.pc.on("track", self._listen)

    async def offer(self) -> str:
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return str(self.pc.localDescription.sdp)

    async def answer(self, sdp: str) -> None:
        await self.pc.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    async def connected(self, timeout_s: float = PATIENCE_S) -> None:
        """Wait until ICE and DTLS stand."""
        async with asyncio.timeout(timeout_s):
            while self.pc.connectionState != "connected":
                assert self.pc.connectionState in ("new", "connecting"), self.pc.connectionState
                await asyncio.sleep(0.02)

    async def hear(self, seconds: float) -> Samples:
        """The next so many seconds of what comes in."""
        self._heard.clear()
        async with asyncio.timeout(seconds + PATIENCE_S):
            while sum(map(len, self._heard)) < seconds * self.rate_hz:
                self._news.clear()
                await self._news.wait()
        return np.concatenate(self._heard)[: int(seconds * self.rate_hz)]

    async def hear_sound(self, threshold: float = 0.01, timeout_s: float = PATIENCE_S) -> None:
        """Wait until something that is not silence comes in."""
        async with asyncio.timeout(timeout_s):
            while float(np.abs(await self.hear(0.1)).max()) < threshold:
                pass

    def stop_talking(self) -> None:
        """Send no audio any more; everything else goes on."""
        self.pc.getSenders()[0].replaceTrack(None)

    def lose_network(self) -> None:
        """From now on nothing leaves: no media, no consent check, no goodbye."""
        for protocol in self._sockets():
            protocol.transport = _Cut(protocol.transport)

    def find_network(self) -> None:
        """The network works again."""
        for protocol in self._sockets():
            protocol.transport = protocol.transport.whole

    def _sockets(self) -> list[Any]:
        transport: Any = self.pc.getSenders()[0].transport
        return list(transport.transport._connection._protocols)

    async def close(self) -> None:
        await self.pc.close()
        if self._ear is not None:  # a track whose audio never began does not end by itself
            self._ear.cancel()
            await asyncio.gather(self._ear, return_exceptions=True)

    def _listen(self, track: MediaStreamTrack) -> None:
        self._ear = asyncio.create_task(self._read(track))

    def _note_gap(self, now: float) -> None:
        if self._heard_at:
            self.longest_gap_s = max(self.longest_gap_s, now - self._heard_at)
        self._heard_at = now

    async def _read(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                frame = await track.recv()
                assert isinstance(frame, av.AudioFrame)
                self.rate_hz = frame.sample_rate
                channels = len(frame.layout.channels)
                self._note_gap(time.monotonic())
                self._heard.append(frame.to_ndarray().reshape(-1, channels)[:, 0] / 32768)
                self._news.set()
        except MediaStreamError:
            pass


class PageCall:
    """One call as a page sees it: the messages that came, in order, and its audio."""

    def __init__(self, page: PageLike, name: str) -> None:
        self.name = name
        self.messages: list[Message] = []
        self.audio: Audio | None = None
        self._page = page
        self._news = asyncio.Condition()

    async def receive(self, message: Message) -> None:
        async with self._news:
            self.messages.append(message)
            self._news.notify_all()

    async def until(self, kind: str, timeout_s: float = PATIENCE_S, **values: Any) -> Message:
        """The first message of this type and with these values; waits for it."""

        def match() -> Message | None:
            wanted = {"type": kind, **values}
            return next((m for m in self.messages if wanted.items() <= m.items()), None)

        try:
            async with asyncio.timeout(timeout_s), self._news:
                while (found := match()) is None:
                    ended = next((m for m in self.messages if m["type"] == "call.ended"), None)
                    assert ended is None, f"no {kind}; it ended: {ended}"
                    await self._news.wait()
                return found
        except TimeoutError:
            raise AssertionError(f"no {kind} {values} in {timeout_s} s; there came {self.messages}") from None

    async def answered(self, timeout_s: float = PATIENCE_S) -> Message:
        message = await self.until("call.answered", timeout_s)
        if self.audio is not None:
            await self.audio.connected()
        return message

    async def ended(self, timeout_s: float = PATIENCE_S) -> Message:
        return await self.until("call.ended", timeout_s)

    async def record_id(self) -> str:
        """The id of its record, which an incoming call tells from the start."""
        rang = next((m for m in self.messages if m["type"] == "call.incoming"), None)
        return str((rang or await self.until("call.answer-sdp"))["record"])

    async def listen(self, seconds: float) -> tuple[Samples, int]:
        """The next so many seconds of what comes in, and their rate."""
        assert self.audio is not None
        return await self.audio.hear(seconds), self.audio.rate_hz

    async def accept(self, speech: Speech | None = None) -> None:
        """Take an incoming call."""
        self.audio = Audio(speech)
        await self._page.send({"type": "call.accept", "call": self.name, "sdp": await self.audio.offer()})
        await self.audio.answer((await self.until("call.answer-sdp"))["sdp"])

    async def reject(self) -> None:
        await self._page.send({"type": "call.reject", "call": self.name})

    async def press(self, digits: str) -> None:
        await self._page.send({"type": "call.dtmf", "call": self.name, "digits": digits})

    async def hang_up(self) -> Message:
        """End it; what the gateway says about that."""
        await self._page.send({"type": "call.hangup", "call": self.name})
        return await self.ended()

    async def close(self) -> None:
        if self.audio is not None:
            await self.audio.close()


class PageLike:
    """A page that is logged in."""

    def __init__(self, socket: ClientConnection, welcome: Message) -> None:
        self.socket, self.welcome = socket, welcome
        self.calls: dict[str, PageCall] = {}
        self.incoming: asyncio.Queue[tuple[Message, PageCall]] = asyncio.Queue()
        self.others: asyncio.Queue[Message] = asyncio.Queue()

    async def send(self, message: Message) -> None:
        await self.socket.send(json.dumps(message))

    async def call(
        self,
        to: str,
        speech: Speech | None = None,
        headers: dict[str, str] | None = None,
        audio: Audio | None = None,
    ) -> PageCall:
        """Call with audio; returns once ICE and DTLS are on their way, or the call was refused."""
        call = self._new_call()
        call.audio = audio or Audio(speech)
        await self._start(call, to, await call.audio.offer(), headers)
        answer = asyncio.create_task(call.until("call.answer-sdp"))
        ended = asyncio.create_task(call.ended())
        await asyncio.wait([answer, ended], return_when=asyncio.FIRST_COMPLETED)
        if not answer.done() or answer.exception():
            answer.cancel()
            await asyncio.gather(answer, return_exceptions=True)
            await ended
            return call
        ended.cancel()
        await call.audio.answer(answer.result()["sdp"])
        return call

    async def call_without_audio(self, to: str, sdp: str = CHROMIUM_OFFER) -> PageCall:
        """Call with signalling alone: nobody ever comes to the media port."""
        call = self._new_call()
        await self._start(call, to, sdp, None)
        return call

    async def say_goodbye(self) -> None:
        """Leave for good."""
        await self.send({"type": "goodbye"})

    async def abort(self) -> None:
        """Vanish: the connection is reset."""
        self.socket.transport.abort()

    async def rings(self, timeout_s: float = PATIENCE_S) -> tuple[Message, PageCall]:
        """The next incoming call."""
        async with asyncio.timeout(timeout_s):
            return await self.incoming.get()

    async def error(self, timeout_s: float = PATIENCE_S) -> Message:
        """The next message that belongs to no call."""
        async with asyncio.timeout(timeout_s):
            return await self.others.get()

    async def run(self) -> None:
        """Sort what the gateway says until the socket is closed."""
        async for text in self.socket:
            message: Message = json.loads(text)
            name = str(message.get("call", ""))
            if message["type"] == "call.incoming":
                self.calls[name] = PageCall(self, name)
                self.incoming.put_nowait((message, self.calls[name]))
            if name in self.calls:
                await self.calls[name].receive(message)
            else:
                self.others.put_nowait(message)

    def _new_call(self) -> PageCall:
        name = f"t-{secrets.token_hex(6)}"
        call = self.calls[name] = PageCall(self, name)
        return call

    async def _start(self, call: PageCall, to: str, sdp: str, headers: dict[str, str] | None) -> None:
        message = {"type": "call.start", "call": call.name, "to": to, "sdp": sdp, "headers": headers or {}}
        await self.send(message)


@asynccontextmanager
async def page_at(url: str, *, trust: ssl.SSLContext | None = None, **hello: str) -> AsyncIterator[PageLike]:
    """Log in as a page does, over TLS with `trust`; its calls are over when the block ends."""
    async with connect(url, origin=None, compression=None, ssl=trust) as socket:
        await socket.send(json.dumps({"type": "hello", "version": 1, **hello}))
        welcome = json.loads(await socket.recv())
        assert welcome["type"] == "welcome", welcome
        page = PageLike(socket, welcome)
        reader = asyncio.create_task(page.run())
        try:
            yield page
        finally:
            await _leave(page)
            await socket.close()
            await asyncio.gather(reader, return_exceptions=True)


async def _leave(page: PageLike) -> None:
    closings: list[Callable[[], Any]] = [call.close for call in page.calls.values()]
    await asyncio.gather(*(close() for close in closings), return_exceptions=True)
    if page.socket.state.name == "OPEN":
        await page.send({"type": "goodbye"})
