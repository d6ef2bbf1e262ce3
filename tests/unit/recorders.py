"""Stand-ins for what surrounds a leg: they remember what they were told and do nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from call.leg import LegEvent
from gateway.auth import Identity
from gateway.directory import Session
from gateway.relays import Handler, Leg, Relays, Sound
from gateway.sounds import Sounds
from gateway.surroundings import Report, Surroundings
from sip import messages
from webrtc import signalling
from webrtc.dtls import Certificates
from webrtc.websocket import Peer

VECTORS = Path(__file__).parents[1] / "vectors" / "sdp"
CHROMIUM = (VECTORS / "chromium.offer.sdp").read_bytes().decode()
CERTIFICATES = Certificates()
SOUNDS = Sounds()


def offer(ufrag: str = "aaaa", fingerprint: str = "AB") -> str:
    """Chromium's offer with ICE credentials and a fingerprint of our choice."""
    hashed = fingerprint if ":" in fingerprint else ":".join([fingerprint] * 32)
    lines = []
    for line in CHROMIUM.split("\r\n"):
        name = line.partition(":")[0]
        mine = {
            "a=ice-ufrag": f"a=ice-ufrag:{ufrag}",
            "a=ice-pwd": f"a=ice-pwd:{ufrag * 6}",
            "a=fingerprint": f"a=fingerprint:sha-256 {hashed}",
        }
        lines.append(mine.get(name, line))
    return "\r\n".join(lines)


def with_ilbc(sdp: str) -> str:
    """This offer of a browser with a codec that webtrunk only passes on."""
    more = "a=rtpmap:97 iLBC/8000\r\na=fmtp:97 mode=20\r\na=rtpmap:111"
    return sdp.replace("SAVPF 111", "SAVPF 111 97").replace("a=rtpmap:111", more)


@dataclass
class MediaRecorder:
    """A leg of the media core: keeps the last arguments of every call, and all calls in order."""

    id: int
    handler: Handler
    address: tuple[str, int] | None = None
    calls: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def note(*positional: Any, **named: Any) -> None:
            self.calls.append((name, (*positional, *named.values())))

        return note

    def stats(self) -> dict[str, int]:
        return {"rx_packets": self.id}

    def last(self, name: str) -> tuple[Any, ...] | None:
        """Arguments of the last call of a method."""
        return next((given for called, given in reversed(self.calls) if called == name), None)


@dataclass
class RelaysRecorder:
    """The media engine: hands out recorders."""

    legs: list[MediaRecorder] = field(default_factory=list)
    released: list[MediaRecorder] = field(default_factory=list)
    coupled: list[tuple[MediaRecorder, MediaRecorder]] = field(default_factory=list)
    played: list[tuple[MediaRecorder, Sound | None, bool]] = field(default_factory=list)
    """What each leg was told to play, None for stop, and whether over and over."""
    has_ports: bool = True
    browser_candidates = (("192.0.2.1", 8082),)
    trunk_address = "192.0.2.1"

    def browser_leg(self, ufrag: str, pwd: str, handler: Handler) -> Leg:
        return self._make(handler, None)

    def rtp_leg(self, handler: Handler) -> Leg:
        if not self.has_ports:
            raise OSError("no free pair")
        return self._make(handler, ("192.0.2.1", 30_000 + 2 * len(self.legs)))

    def couple(self, one: MediaRecorder, other: MediaRecorder) -> None:
        self.coupled.append((one, other))

    def play(self, sound: Sound, leg: MediaRecorder, *, repeats: bool = False) -> int:
        self.played.append((leg, sound, repeats))
        return len(self.played)

    def stop(self, leg: MediaRecorder) -> None:
        self.played.append((leg, None, False))

    def release(self, leg: MediaRecorder) -> None:
        self.released.append(leg)

    def _make(self, handler: Handler, address: tuple[str, int] | None) -> Leg:
        self.legs.append(MediaRecorder(len(self.legs) + 1, handler, address))
        return cast(Leg, self.legs[-1])


@dataclass
class House:
    """Surroundings whose tasks a test can wait for."""

    relays: RelaysRecorder = field(default_factory=RelaysRecorder)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    grace_s: float = 30.0

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    @property
    def surroundings(self) -> Surroundings:
        return Surroundings(cast(Relays, self.relays), SOUNDS, CERTIFICATES, self.spawn, self.grace_s)

    async def settle(self) -> None:
        """Wait until every task has ended."""
        async with asyncio.timeout(10):
            while self.tasks:
                await asyncio.wait(self.tasks)

    async def tear_down(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@dataclass
class ReportRecorder:
    """Where a leg reports to."""

    events: list[LegEvent] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    noted: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def report(self) -> Report:
        return Report(self._emit, self._note)

    def _emit(self, event: LegEvent) -> None:
        self.events.append(event)
        self.news.set()

    def _note(self, what: str, why: str) -> None:
        self.notes.append((what, why))
        self.noted.set()

    async def note_of(self, what: str) -> str:
        """Why of a note, as soon as there is one."""
        async with asyncio.timeout(10):
            while not (found := [why for noted, why in self.notes if noted == what]):
                self.noted.clear()
                await self.noted.wait()
        return found[-1]

    async def next_event(self) -> LegEvent:
        """The newest event, as soon as there is one."""
        async with asyncio.timeout(10):
            await self.news.wait()
        self.news.clear()
        return self.events[-1]


@dataclass
class Page:
    """A session with a socket that only remembers."""

    session: Session
    sent: list[signalling.ServerMessage] = field(default_factory=list)

    def send(self, message: signalling.ServerMessage) -> None:
        self.sent.append(message)

    @property
    def types(self) -> list[str]:
        return [message.type for message in self.sent]


def page(user: str = "alice", identity: Identity | None = None) -> Page:
    """A page of a user, logged in."""
    made = Page(Session(identity or Identity(user, user.capitalize()), lambda _session, _message: None))
    made.session.peer = cast(Peer, made)
    return made


@dataclass
class Worker:
    """The SIP worker: keeps the commands."""

    commands: list[messages.Command] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def post(self, command: messages.Command) -> None:
        self.commands.append(command)
        self.news.set()

    async def wait_for(self, kind: str) -> None:
        """Return as soon as a command of this type was posted."""
        async with asyncio.timeout(10):
            while kind not in self.types:
                self.news.clear()
                await self.news.wait()

    @property
    def types(self) -> list[str]:
        return [command.type for command in self.commands]
