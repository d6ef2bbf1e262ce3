"""The demo phone as a process of its own, called by an `Agent` over real SIP and RTP on loopback."""

from __future__ import annotations

import asyncio
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from demo import voice
from demo.offer_answer import Agreement, LocalMedia, agree, answer, offer
from demo.rtp import RtpPacket, parse
from sip.agent import Agent
from sip.messages import (
    Accept,
    Answered,
    Ended,
    Incoming,
    Invite,
    LegEvent,
    Reanswered,
    Release,
    Reoffer,
    Ringing,
    Start,
    TrunkAccount,
)

pytestmark = pytest.mark.interop

HOST = "127.0.0.1"
SILENCE = b"\xff" * 160


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class Handset(asyncio.DatagramProtocol):
    """RTP of one test call."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[tuple[float, RtpPacket]] = asyncio.Queue()
        self._sequence = random.getrandbits(16)
        self._timestamp = random.getrandbits(31)
        self._ssrc = random.getrandbits(32)
        self.transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self.transport = transport

    def datagram_received(self, data: bytes, addr: object) -> None:
        if packet := parse(data):
            self.heard.put_nowait((asyncio.get_running_loop().time(), packet))

    @property
    def local(self) -> LocalMedia:
        return LocalMedia(HOST, self.transport.get_extra_info("sockname")[1], 1)

    def send(self, to: Agreement, payload: bytes) -> None:
        self._put(to, RtpPacket(to.codec.payload_type, self._sequence, self._timestamp, self._ssrc, payload))
        self._timestamp += 160

    def press(self, to: Agreement, event: int) -> None:
        assert to.events is not None
        for end in (False, False, True, True, True):
            payload = bytes([event, 0x8A if end else 0x0A, 0x03, 0x20])
            self._put(to, RtpPacket(to.events.payload_type, self._sequence, self._timestamp, self._ssrc, payload))
        self._timestamp += 1600

    def _put(self, to: Agreement, packet: RtpPacket) -> None:
        self._sequence = (self._sequence + 1) & 0xFFFF
        self.transport.sendto(bytes(packet), (to.address, to.port))

    async def listen(self, count: int) -> list[RtpPacket]:
        return [(await self.heard.get())[1] for _ in range(count)]

    async def listen_for(self, recording: bytes) -> None:
        """Wait until this has been heard from its beginning to its end."""
        heard = b""
        while recording not in heard:
            heard += (await self.heard.get())[1].payload


class Caller:
    """The other end of the phone's trunk: our agent, one queue of events per leg."""

    def __init__(self, agent: Agent, queues: dict[str, asyncio.Queue[LegEvent]]) -> None:
        self.agent = agent
        self._queues = queues
        self.incoming: asyncio.Queue[LegEvent] = queues.setdefault("", asyncio.Queue())

    def invite(self, number: str, sdp: str, leg: str = "a") -> None:
        self.agent.post(Invite(leg, "phone", number, sdp, from_user="alice"))

    async def next_event(self, leg: str = "a") -> LegEvent:
        async with asyncio.timeout(30):
            return await self._queues.setdefault(leg, asyncio.Queue()).get()

    async def until_answered(self, leg: str = "a") -> Agreement:
        while not isinstance(event := await self.next_event(leg), Answered):
            assert isinstance(event, Ringing), event
        return agree(event.sdp)

    async def hang_up(self, leg: str = "a") -> Ended:
        self.agent.post(Release(leg))
        return await self.until_ended(leg)

    async def until_ended(self, leg: str = "a") -> Ended:
        while not isinstance(event := await self.next_event(leg), Ended):
            pass
        return event


@asynccontextmanager
async def agent_towards(port: int, phone_port: int) -> AsyncIterator[Caller]:
    queues: dict[str, asyncio.Queue[LegEvent]] = {}

    def sort(event: LegEvent) -> None:
        name = "" if isinstance(event, Incoming) else event.leg
        queues.setdefault(name, asyncio.Queue()).put_nowait(event)

    def lost(why: str) -> None:
        raise AssertionError(f"worker lost: {why}")

    start = Start(HOST, HOST, port, trunks=(TrunkAccount("phone", HOST, phone_port),))
    agent = Agent(start, on_event=sort, on_lost=lost)
    await agent.start()
    try:
        yield Caller(agent, queues)
    finally:
        await agent.stop()


async def start_phone(*options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "demo",
        *options,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def phone_towards(port: int, gateway_port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await start_phone("--sip-port", str(port), "--gateway", f"{HOST}:{gateway_port}")
    assert process.stdout is not None
    try:
        async with asyncio.timeout(15):
            assert await process.stdout.readline() == f"demo phone ready on {HOST}:{port}\n".encode()
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


@pytest.fixture
async def ports() -> tuple[int, int]:
    return free_port(), free_port()


@pytest.fixture
async def phone(ports: tuple[int, int]) -> AsyncIterator[asyncio.subprocess.Process]:
    async with phone_towards(*ports) as process:
        yield process


@pytest.fixture
async def caller(ports: tuple[int, int], phone: asyncio.subprocess.Process) -> AsyncIterator[Caller]:
    async with agent_towards(ports[1], ports[0]) as caller:
        yield caller


@pytest.fixture
async def handset() -> AsyncIterator[Handset]:
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(Handset, local_addr=(HOST, 0))
    yield protocol
    transport.close()


async def check_echo(handset: Handset, phone: Agreement) -> None:
    while not handset.heard.empty():
        handset.heard.get_nowait()
    said = [bytes([0x40 + index]) * 160 for index in range(20)]
    for payload in said:
        handset.send(phone, payload)
    while (packets := await handset.listen(1))[0].payload == SILENCE:
        pass
    packets += await handset.listen(19)
    assert [packet.payload for packet in packets] == said
    assert_continuous(packets)


def assert_continuous(packets: list[RtpPacket]) -> None:
    for before, after in pairwise(packets):
        assert after.ssrc == before.ssrc
        assert (after.sequence - before.sequence) & 0xFFFF == 1
        assert (after.timestamp - before.timestamp) & 0xFFFFFFFF == 160


async def test_echo_answers_at_once_and_sends_back_what_it_hears(caller: Caller, handset: Handset) -> None:
    caller.invite("echo", offer(handset.local))
    await check_echo(handset, await caller.until_answered())
    ended = await caller.hang_up()
    assert (ended.by, ended.status) == ("us", 200)


async def test_music_comes_steadily_and_without_a_hole(caller: Caller, handset: Handset) -> None:
    caller.invite("music", offer(handset.local))
    await caller.until_answered()
    timed = [await handset.heard.get() for _ in range(150)]
    assert_continuous([packet for _, packet in timed])
    assert timed[0][1].marker
    took_s = timed[-1][0] - timed[0][0]
    assert took_s == pytest.approx(149 * 0.02, abs=0.1)
    heard = b"".join(packet.payload for _, packet in timed)
    assert voice.prompt("music").startswith(heard)
    await caller.hang_up()


async def test_hello_greets_and_then_echoes(caller: Caller, handset: Handset) -> None:
    caller.invite("hello", offer(handset.local))
    agreed = await caller.until_answered()
    await handset.listen_for(voice.prompt("hello"))
    await check_echo(handset, agreed)
    await caller.hang_up()


async def test_early_media_is_heard_before_the_answer_and_goes_on_after_it(caller: Caller, handset: Handset) -> None:
    caller.invite("early", offer(handset.local))
    ringing = await caller.next_event()
    assert isinstance(ringing, Ringing)
    assert ringing.status == 183
    assert ringing.sdp is not None
    began = asyncio.get_running_loop().time()
    await handset.listen_for(voice.prompt("early"))
    await caller.until_answered()
    assert asyncio.get_running_loop().time() - began == pytest.approx(5.0, abs=0.7)
    await handset.listen_for(voice.prompt("hello")[:16_000])
    await caller.hang_up()


@pytest.mark.parametrize(("number", "status"), [("busy", 486), ("reject", 603), ("nobody", 404)])
async def test_a_refused_call_ends_with_its_status(caller: Caller, handset: Handset, number: str, status: int) -> None:
    caller.invite(number, offer(handset.local))
    ended = await caller.until_ended()
    assert (ended.by, ended.status) == ("peer", status)


async def test_no_answer_rings_until_the_caller_gives_up(caller: Caller, handset: Handset) -> None:
    caller.invite("noanswer", offer(handset.local))
    ringing = await caller.next_event()
    assert isinstance(ringing, Ringing)
    assert (ringing.status, ringing.sdp) == (180, None)
    ended = await caller.hang_up()
    assert (ended.by, ended.status) == ("us", 487)


async def test_late_answers_after_twenty_seconds(caller: Caller, handset: Handset) -> None:
    caller.invite("late", offer(handset.local))
    ringing = await caller.next_event()
    assert isinstance(ringing, Ringing)
    assert ringing.status == 180
    began = asyncio.get_running_loop().time()
    await caller.until_answered()
    assert asyncio.get_running_loop().time() - began == pytest.approx(20, abs=1)
    await handset.listen_for(voice.prompt("hello")[:8_000])
    await caller.hang_up()


async def test_dtmf_reads_each_key_back_once(
    caller: Caller, handset: Handset, phone: asyncio.subprocess.Process
) -> None:
    caller.invite("dtmf", offer(handset.local))
    agreed = await caller.until_answered()
    for event, key in ((5, "5"), (5, "5"), (11, "#")):
        handset.press(agreed, event)
        await handset.listen_for(voice.key(key))
    await caller.hang_up()
    assert phone.stderr is not None
    assert b"keys 55#," in await phone.stderr.readline()


async def test_callback_hangs_up_and_calls_the_caller(caller: Caller, handset: Handset) -> None:
    caller.invite("callback", offer(handset.local))
    await caller.until_answered()
    await handset.listen_for(voice.prompt("callback"))
    ended = await caller.until_ended()
    assert (ended.by, ended.status) == ("peer", 200)
    incoming = await caller.next_event("")
    assert isinstance(incoming, Incoming)
    assert (incoming.number, incoming.trunk) == ("alice", "phone")
    assert incoming.sdp is not None
    agreed = agree(incoming.sdp)
    caller.agent.post(Accept(incoming.leg, answer(incoming.sdp, agreed, handset.local)))
    await handset.listen_for(voice.prompt("called-back"))
    await check_echo(handset, agreed)
    await caller.hang_up(incoming.leg)


async def test_hold_stops_the_music_and_resume_brings_it_back(caller: Caller, handset: Handset) -> None:
    ours = offer(handset.local)
    caller.invite("music", ours)
    await caller.until_answered()
    await handset.listen(10)
    caller.agent.post(Reoffer("a", ours.replace("a=sendrecv", "a=inactive")))
    held = await caller.next_event()
    assert isinstance(held, Reanswered)
    assert held.sdp is not None
    assert "a=inactive" in held.sdp
    while not handset.heard.empty():
        handset.heard.get_nowait()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await handset.listen(3)
    caller.agent.post(Reoffer("a", ours))
    assert isinstance(await caller.next_event(), Reanswered)
    assert (await handset.listen(1))[0].marker
    assert_continuous(await handset.listen(20))
    await caller.hang_up()


async def test_an_offer_that_it_cannot_speak_is_refused(caller: Caller, handset: Handset) -> None:
    foreign = offer(handset.local).replace("0 8 101", "18")
    caller.invite("echo", foreign)
    assert (await caller.until_ended()).status == 488


async def test_sigterm_ends_calls_with_bye(caller: Caller, handset: Handset, phone: asyncio.subprocess.Process) -> None:
    caller.invite("music", offer(handset.local))
    await caller.until_answered()
    phone.send_signal(signal.SIGTERM)
    ended = await caller.until_ended()
    assert (ended.by, ended.status) == ("peer", 200)
    assert await phone.wait() == 0


async def test_a_taken_port_is_said_in_words() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((HOST, 0))
        port = taken.getsockname()[1]
        process = await start_phone("--sip-port", str(port))
        _, errors = await process.communicate()
    assert process.returncode == 1
    assert str(port) in errors.decode()
    assert "Traceback" not in errors.decode()
