"""A gateway that only pretends: it shows the page every state of a call, with real audio but without SIP.

Run it by `python tests/web/fake_gateway.py [port]`, open the printed address, and dial:
echo, music, early, busy, reject, noanswer, late, dtmf, callback, lost (drops the socket once answered),
nothing (no such number). `GET /control/ring?from=bob&display=Bob` lets somebody call the page.
It must not be reachable from elsewhere: it listens on loopback and believes everybody.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import mimetypes
import sys
from contextlib import suppress
from fractions import Fraction
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaRelay
from av import AudioFrame
from websockets.asyncio.server import Request, Response, Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from call import oneway  # noqa: E402
from webrtc import signalling as wire  # noqa: E402

WEB = ROOT / "web"
CSP = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)
"""Stricter than the real gateway's: what passes here passes there."""
DEMO = {
    "echo": "Echo test",
    "music": "Music",
    "hello": "Spoken greeting",
    "early": "Early media",
    "busy": "Busy",
    "reject": "Declined",
    "noanswer": "No answer",
    "late": "Answers late",
    "dtmf": "Keypad test",
    "callback": "Calls you back",
}
ENDINGS = {
    "busy": ("busy", 486, "busy is busy.", "Try again later."),
    "reject": ("rejected", 603, "reject declined the call.", ""),
    "noanswer": ("no-answer", 408, "noanswer did not answer.", "Try again later."),
    "nothing": (
        "not-found",
        404,
        "No rule of the dial plan matches nothing.",
        "Check the number, or ask the gateway's operator to add a route for it.",
    ),
}
CODEC = "Opus with the browser, G.711 µ-law with the far end, transcoded: the far end offers nothing better."


class Hum(MediaStreamTrack):
    """A chord that swells, so that the far end's meter has something to show."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._samples = 0
        self._start: float | None = None

    async def recv(self) -> AudioFrame:
        loop = asyncio.get_running_loop()
        self._start = self._start or loop.time()
        await asyncio.sleep(max(0.0, self._start + self._samples / 48_000 - loop.time()))
        t = (self._samples + numpy.arange(960)) / 48_000
        wave = sum(numpy.sin(2 * numpy.pi * f * t) for f in (220, 277, 330)) * (0.6 + 0.4 * numpy.sin(3 * t))
        frame = AudioFrame.from_ndarray((wave * 4000).astype("int16").reshape(1, -1), layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, self._samples, Fraction(1, 48_000)
        self._samples += 960
        return frame


class FakeCall:
    """One call of one page."""

    def __init__(self, page: Page, name: str, remote: str) -> None:
        self.page, self.name, self.remote = page, name, remote
        self.pc: RTCPeerConnection | None = None
        self.held = self.recorded = False
        self.script: asyncio.Task[None] | None = None

    async def answer_offer(self, sdp: str) -> None:
        if self.pc:
            await self.pc.close()
        self.pc = RTCPeerConnection()
        relay = MediaRelay()

        @self.pc.on("track")
        def on_track(track: MediaStreamTrack) -> None:
            self.pc.addTrack(Hum() if self.remote == "music" else relay.subscribe(track))

        await self.pc.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        await self.pc.setLocalDescription(await self.pc.createAnswer())
        await self.page.send(wire.CallAnswerSdp(self.name, self.pc.localDescription.sdp, "20261122-0007"))

    async def play(self) -> None:
        """What the far end does."""
        if self.remote == "nothing":
            await self.end(*ENDINGS["nothing"])
            return
        early = self.remote == "early"
        await asyncio.sleep(0.3)
        await self.page.send(wire.CallProgress(self.name, 183 if early else 180, early))
        await asyncio.sleep({"early": 2, "late": 20, "noanswer": 4}.get(self.remote, 0.7))
        if self.remote in ENDINGS:
            await self.end(*ENDINGS[self.remote])
            return
        await self.page.send(wire.CallAnswered(self.name, CODEC))
        await self.after_answer()

    async def after_answer(self) -> None:
        if self.remote == "lost":
            await asyncio.sleep(1)
            self.page.socket.transport.abort()
        if self.remote == "callback":
            await self.end("hangup", 200, "callback hung up.", "")
            await asyncio.sleep(1)
            await self.page.ring("callback", "The demo phone")

    async def end(self, cause: str, status: int, sentence: str, hint: str = "") -> None:
        self.page.calls.pop(self.name, None)
        await self.page.send(wire.CallEnded(self.name, cause, status, sentence, hint))
        if self.pc:
            await self.pc.close()


class Page:
    """One session: it outlives its socket."""

    def __init__(self, key: str, user: str) -> None:
        self.key, self.user = key, user
        self.calls: dict[str, FakeCall] = {}
        self.socket: ServerConnection
        self.digits = ""

    async def send(self, message: wire.ServerMessage) -> None:
        with suppress(ConnectionClosed):
            await self.socket.send(wire.encode(message))

    async def ring(self, remote: str, display: str) -> None:
        name = f"g{next(_NAMES)}"
        self.calls[name] = FakeCall(self, name, remote)
        await self.send(wire.CallIncoming(name, remote, display, self.user))

    async def receive(self, message: wire.ClientMessage) -> None:
        match message:
            case wire.Ping(sequence):
                await self.send(wire.Pong(sequence))
            case wire.CallStart(name, to, sdp):
                call = self.calls[name] = FakeCall(self, name, to)
                if to != "nothing":
                    await call.answer_offer(sdp)
                call.script = asyncio.create_task(call.play())
            case wire.CallAccept(name, sdp):
                await self.calls[name].answer_offer(sdp)
                await self.send(wire.CallAnswered(name, CODEC))
            case wire.CallOffer(name, sdp):
                await self.calls[name].answer_offer(sdp)
            case wire.CallDtmf(name, digits):
                self.digits += digits
            case wire.CallHold(name, on):
                self.calls[name].held = on
                await self.send(wire.CallHeld(name, on))
            case wire.CallHangup(name) | wire.CallReject(name):
                await self.hung_up(name)
            case wire.Goodbye():
                for name in list(self.calls):
                    await self.hung_up(name)
            case _:
                await self.send(wire.Error("refused", f"{message.type} makes no sense now."))

    async def hung_up(self, name: str) -> None:
        call = self.calls.get(name)
        if not call:
            return
        if call.script:
            call.script.cancel()
        await call.end("hangup", 200, "You hung up.")


_NAMES = itertools.count(1)


class FakeGateway:
    """Serves the page, its settings and its socket."""

    def __init__(self, auth: str = "open") -> None:
        self.auth = auth
        self.pages: dict[str, Page] = {}

    async def start(self, port: int) -> Server:
        return await serve(self.socket, "127.0.0.1", port, process_request=self.http)

    async def socket(self, socket: ServerConnection) -> None:
        hello = wire.decode(await socket.recv())
        assert isinstance(hello, wire.Hello)
        if self.auth == "jwt" and hello.token != "good":
            error = wire.Error("unauthorized", "The token has expired.", "Ask the operator for a new one.")
            await socket.send(wire.encode(error))
            await socket.close(1008)
            return
        page = self.pages.get(hello.session)
        resumed = page is not None
        if page is None:
            page = Page(f"key{next(_NAMES)}", hello.user or "alice")
            self.pages[page.key] = page
        page.socket = socket
        kept = page.calls.values()
        live = tuple(wire.LiveCall(c.name, "outgoing", c.remote, "answered", c.held, c.recorded) for c in kept)
        await page.send(wire.Welcome(page.user, page.user.title(), page.key, resumed, 30, 15, (), ("hold",), live))
        with suppress(ConnectionClosed):
            async for frame in socket:
                await page.receive(wire.decode(frame))

    async def http(self, connection: ServerConnection, request: Request) -> Response | None:
        url = urlsplit(request.path)
        if url.path == "/signal":
            return None
        if url.path == "/settings.json":
            demo = [{"to": to, "label": label} for to, label in DEMO.items()]
            settings = {"auth": self.auth, "users": ["alice", "bob"], "demo": demo, "title": "webtrunk"}
            return reply("application/json", json.dumps(settings).encode())
        if url.path.startswith("/control/"):
            return await self.control(url.path.removeprefix("/control/"), parse_qs(url.query))
        file = (WEB / (url.path.lstrip("/") or "index.html")).resolve()
        if not file.is_relative_to(WEB) or not file.is_file():
            return connection.respond(HTTPStatus.NOT_FOUND, "Not found.\n")
        return reply(mimetypes.guess_type(file.name)[0] or "text/plain", file.read_bytes())

    async def control(self, what: str, query: dict[str, list[str]]) -> Response:
        if what == "ring":
            for page in self.pages.values():
                await page.ring(query.get("from", ["bob"])[0], query.get("display", [""])[0])
        if what == "hangup":
            for page in self.pages.values():
                for call in list(page.calls.values()):
                    await call.end("hangup", 200, f"{call.remote} hung up.")
        if what == "record":
            for call in [call for page in self.pages.values() for call in page.calls.values()]:
                call.recorded = query.get("on", ["yes"])[0] == "yes"
                await call.page.send(wire.CallRecording(call.name, call.recorded))
        if what == "one-way":
            for call in [call for page in self.pages.values() for call in page.calls.values()]:
                sentence, hint = oneway.nothing_heard("trunk", {}, {}) or ("", "")
                await call.page.send(wire.Error("not-possible", sentence, hint, call.name))
        if what == "drop":
            for page in self.pages.values():
                page.socket.transport.abort()
        calls = {page.key: [call.remote for call in page.calls.values()] for page in self.pages.values()}
        return reply(
            "application/json", json.dumps({"calls": calls, "digits": [p.digits for p in self.pages.values()]}).encode()
        )


def reply(kind: str, body: bytes) -> Response:
    headers = Headers({"Content-Type": kind, "Content-Length": str(len(body)), "Cache-Control": "no-store"})
    headers["Content-Security-Policy"] = CSP
    return Response(HTTPStatus.OK, "OK", headers, body)


async def main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8090
    gateway = FakeGateway("jwt" if "jwt" in sys.argv else "open")
    server = await gateway.start(port)
    print(f"The page against a pretended gateway: http://127.0.0.1:{port}/", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
