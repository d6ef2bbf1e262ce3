"""The demo phone as a process of its own, called by an `Agent` over real SIP and RTP on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count, pairwise
from typing import cast

import pytest
import pytest_asyncio

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
from tests.harness.patience import PATIENCE_S
from tests.harness.ports import HOST, free_port

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]

INCOMING = "incoming"
LATE_S = 20.0
"""After so long the number "late" answers."""
SILENCE = b"\xff" * 160


class Handset(asyncio.DatagramProtocol):
    """RTP of one test call."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[tuple[float, RtpPacket]] = asyncio.Queue()
        self._sequence = random.getrandbits(16)
        self._timestamp = random.getrandbits(31)
        self._ssrc = random.getrandbits(32)
        self.transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

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

    async def listen(self, packets: int) -> list[RtpPacket]:
        return [(await self.heard.get())[1] for _ in range(packets)]

    async def hears_no_more(self) -> None:
        """Wait until a third of a second goes by without a packet: some may still be on their way."""
        async with asyncio.timeout(PATIENCE_S):
            with contextlib.suppress(TimeoutError):
                while await asyncio.wait_for(self.heard.get(), 0.3):
                    pass

    async def listen_for(self, recording: bytes) -> None:
        """Wait until this has been heard from its beginning to its end."""
        heard = b""
        while recording not in heard:
            heard += (await self.heard.get())[1].payload


@dataclass
class Call:
    """One call: its events and its RTP."""

    leg: str
    agent: Agent
    handset: Handset
    queue: Callable[[str], asyncio.Queue[LegEvent]]

    async def next_event(self) -> LegEvent:
        async with asyncio.timeout(LATE_S + PATIENCE_S):
            return await self.queue(self.leg).get()

    async def until_ringing(self) -> Ringing:
        event = await self.next_event()
        assert isinstance(event, Ringing), event
        return event

    async def until_answered(self) -> Agreement:
        while not isinstance(event := await self.next_event(), Answered):
            assert isinstance(event, Ringing), event
        return agree(event.sdp)

    async def hang_up(self) -> Ended:
        self.agent.post(Release(self.leg))
        return await self.until_ended()

    async def until_ended(self) -> Ended:
        while not isinstance(event := await self.next_event(), Ended):
            pass
        return event


class Caller:
    """The other end of the phone's trunk: our agent, one queue of events per leg."""

    def __init__(self, agent: Agent, queues: dict[str, asyncio.Queue[LegEvent]]) -> None:
        self.agent = agent
        self._queues = queues
        self._numbers = count()

    @asynccontextmanager
    async def call(self, number: str) -> AsyncIterator[Call]:
        loop = asyncio.get_running_loop()
        transport, handset = await loop.create_datagram_endpoint(Handset, local_addr=(HOST, 0))
        call = Call(f"{number}-{next(self._numbers)}", self.agent, handset, self.queue)
        self.agent.post(Invite(call.leg, "phone", number, offer(handset.local), from_user="alice"))
        try:
            yield call
        finally:
            self.agent.post(Release(call.leg))
            transport.close()

    def queue(self, leg: str) -> asyncio.Queue[LegEvent]:
        return self._queues.setdefault(leg, asyncio.Queue())


@asynccontextmanager
async def agent_towards(port: int, phone_port: int) -> AsyncIterator[Caller]:
    queues: dict[str, asyncio.Queue[LegEvent]] = {}

    def sort(event: LegEvent) -> None:
        name = INCOMING if isinstance(event, Incoming) else event.leg
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
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def phone_towards(port: int, gateway_port: int, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await start_phone("--sip-port", str(port), "--gateway", f"{HOST}:{gateway_port}", *options)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_S):
            assert await process.stdout.readline() == f"demo phone ready on {HOST}:{port}\n".encode()
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


@dataclass
class Trial:
    """A phone process and an agent that calls it."""

    phone: asyncio.subprocess.Process
    caller: Caller

    async def logged(self) -> str:
        assert self.phone.stderr is not None
        return (await self.phone.stderr.readline()).decode()


@asynccontextmanager
async def new_trial(*options: str) -> AsyncIterator[Trial]:
    port, gateway_port = free_port(), free_port()
    async with phone_towards(port, gateway_port, *options) as phone, agent_towards(gateway_port, port) as caller:
        yield Trial(phone, caller)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def trial() -> AsyncIterator[Trial]:
    async with new_trial() as shared:
        yield shared


@pytest.fixture
def caller(trial: Trial) -> Caller:
    return trial.caller


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


async def test_echo_answers_at_once_and_sends_back_what_it_hears(caller: Caller) -> None:
    async with caller.call("echo") as call:
        await check_echo(call.handset, await call.until_answered())
        assert (await call.hang_up()).by == "us"


async def test_music_comes_steadily_and_without_a_hole(caller: Caller) -> None:
    async with caller.call("music") as call:
        await call.until_answered()
        timed = [await call.handset.heard.get() for _ in range(150)]
    assert_continuous([packet for _, packet in timed])
    assert timed[0][1].marker
    # What comes late, here or there, says nothing of the pace; what is in time does.
    late_s = [at - n * 0.02 for n, (at, _) in enumerate(timed)]
    assert min(late_s[75:]) - min(late_s[:75]) == pytest.approx(0, abs=0.05)
    assert voice.prompt("music").startswith(b"".join(packet.payload for _, packet in timed))


@pytest.mark.parametrize(("number", "status"), [("busy", 486), ("reject", 603), ("nobody", 404)])
async def test_a_refused_call_ends_with_its_status(caller: Caller, number: str, status: int) -> None:
    async with caller.call(number) as call:
        ended = await call.until_ended()
        assert (ended.by, ended.status) == ("peer", status)


async def test_no_answer_rings_until_the_caller_gives_up(caller: Caller) -> None:
    async with caller.call("noanswer") as call:
        ringing = await call.until_ringing()
        assert (ringing.status, ringing.sdp) == (180, None)
        ended = await call.hang_up()
        assert (ended.by, ended.status) == ("us", 487)


async def test_the_slow_numbers_all_at_once(caller: Caller) -> None:
    async with asyncio.TaskGroup() as calls:
        calls.create_task(late_answers_after_twenty_seconds(caller))
        calls.create_task(hello_greets_and_then_echoes(caller))
        calls.create_task(early_media_goes_on_after_the_answer(caller))
        calls.create_task(callback_hangs_up_and_calls_the_caller(caller))


async def late_answers_after_twenty_seconds(caller: Caller) -> None:
    async with caller.call("late") as call:
        assert (await call.until_ringing()).status == 180
        began = asyncio.get_running_loop().time()
        await call.until_answered()
        assert asyncio.get_running_loop().time() - began == pytest.approx(LATE_S, abs=1)
        await call.handset.listen_for(voice.prompt("hello")[:8_000])


async def hello_greets_and_then_echoes(caller: Caller) -> None:
    async with caller.call("hello") as call:
        agreed = await call.until_answered()
        await call.handset.listen_for(voice.prompt("hello"))
        await check_echo(call.handset, agreed)


async def early_media_goes_on_after_the_answer(caller: Caller) -> None:
    async with caller.call("early") as call:
        ringing = await call.until_ringing()
        assert ringing.status == 183
        assert ringing.sdp is not None
        began = asyncio.get_running_loop().time()
        await call.handset.listen_for(voice.prompt("early"))
        await call.until_answered()
        assert asyncio.get_running_loop().time() - began == pytest.approx(5, abs=1)
        await call.handset.listen_for(voice.prompt("hello")[:16_000])


async def callback_hangs_up_and_calls_the_caller(caller: Caller) -> None:
    async with caller.call("callback") as call:
        await call.until_answered()
        await call.handset.listen_for(voice.prompt("callback"))
        ended = await call.until_ended()
        assert (ended.by, ended.status) == ("peer", 200)
        incoming = await caller.queue(INCOMING).get()
        assert isinstance(incoming, Incoming)
        assert (incoming.number, incoming.trunk) == ("alice", "phone")
        assert incoming.sdp is not None
        agreed = agree(incoming.sdp)
        caller.agent.post(Accept(incoming.leg, answer(incoming.sdp, agreed, call.handset.local)))
        await call.handset.listen_for(voice.prompt("called-back"))
        await check_echo(call.handset, agreed)
        caller.agent.post(Release(incoming.leg))


async def test_dtmf_reads_each_key_back_once_and_logs_them(trial: Trial) -> None:
    async with trial.caller.call("dtmf") as call:
        agreed = await call.until_answered()
        for event, key in ((5, "5"), (5, "5"), (11, "#")):
            call.handset.press(agreed, event)
            await call.handset.listen_for(voice.key(key))
        await call.hang_up()
    while "alice → dtmf" not in (line := await trial.logged()):
        pass
    assert "keys 55#," in line


async def test_hold_stops_the_music_and_resume_brings_it_back(caller: Caller) -> None:
    async with caller.call("music") as call:
        await call.until_answered()
        ours = offer(call.handset.local)
        await call.handset.listen(10)
        caller.agent.post(Reoffer(call.leg, ours.replace("a=sendrecv", "a=inactive")))
        held = await call.next_event()
        assert isinstance(held, Reanswered)
        assert held.sdp is not None
        assert "a=inactive" in held.sdp
        await call.handset.hears_no_more()
        caller.agent.post(Reoffer(call.leg, ours))
        assert isinstance(await call.next_event(), Reanswered)
        assert (await call.handset.listen(1))[0].marker
        assert_continuous(await call.handset.listen(20))


async def test_an_offer_that_it_cannot_speak_is_refused(caller: Caller) -> None:
    foreign = offer(LocalMedia(HOST, 4000, 1)).replace("0 8 101", "18")
    caller.agent.post(Invite("foreign", "phone", "echo", foreign))
    event = await caller.queue("foreign").get()
    assert isinstance(event, Ended)
    assert event.status == 488


async def test_sigterm_ends_calls_with_bye() -> None:
    async with new_trial() as trial, trial.caller.call("music") as call:
        await call.until_answered()
        trial.phone.send_signal(signal.SIGTERM)
        ended = await call.until_ended()
        assert (ended.by, ended.status) == ("peer", 200)
        assert await trial.phone.wait() == 0


async def test_once_stops_after_the_first_call() -> None:
    async with new_trial("--once") as trial, trial.caller.call("busy") as call:
        assert (await call.until_ended()).status == 486
        assert await trial.phone.wait() == 0


async def test_an_attached_phone_ends_with_its_parent() -> None:
    async with new_trial("--attached") as trial, trial.caller.call("music") as call:
        await call.until_answered()
        assert trial.phone.stdin is not None
        trial.phone.stdin.close()  # what the kernel does when the parent is killed
        assert (await call.until_ended()).by == "peer"
        assert await trial.phone.wait() == 0


async def test_a_taken_port_is_said_in_words() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((HOST, 0))
        port = taken.getsockname()[1]
        process = await start_phone("--sip-port", str(port))
        _, errors = await process.communicate()
    assert process.returncode == 1
    assert str(port) in errors.decode()
    assert "Traceback" not in errors.decode()
