"""The worker as a process: how it starts, hangs, dies and is replaced, and that no call outlives the gateway."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from call.errors import TransportError
from sip import messagelines, messages
from sip.agent import SILENT_TURNS, TURN_S
from sip.channel import Channel
from sip.messages import Answered, Ended, Heartbeat, Invite, Start, Started
from sip.schedstat import Scheduled
from tests.interop.sip_line import ANSWER, OFFER, Line, line, line_to, trunk
from tests.interop.sip_peer import HOST, Peer, open_peer

peer = pytest.fixture(open_peer)


async def test_a_taken_port_is_said_in_one_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((HOST, 0))
        port = other.getsockname()[1]
        with pytest.raises(TransportError, match=f"SIP port {port} .*is taken") as raised:
            await Line(Start(HOST, HOST, port)).agent.start()
        assert "`sip.udp_port`" in str(raised.value)
    assert "pjsip: " not in capfd.readouterr().err


async def test_a_missing_certificate_is_said_in_a_sentence(tmp_path: Path) -> None:
    missing = str(tmp_path / "nowhere.pem")
    with pytest.raises(TransportError, match=r"SIP over TLS cannot use .*nowhere\.pem"):
        await Line(Start(HOST, HOST, 0, tls_port=0, tls_cert=missing, tls_key=missing)).agent.start()


async def test_an_address_that_is_not_ours_is_said_in_a_sentence() -> None:
    with pytest.raises(TransportError, match=r"on 192\.0\.2\.1"):
        await Line(Start("192.0.2.1", "192.0.2.1", 0)).agent.start()


async def test_a_killed_worker_is_reported_and_replaced_on_the_same_port(peer: Peer) -> None:
    async with line_to(peer) as gateway:
        await gateway.call_out(peer)
        before = gateway.agent.started
        os.kill(before.pid, signal.SIGKILL)
        async with asyncio.timeout(5):
            assert "died" in await gateway.lost.get()
        gateway.agent.post(Invite("a2", "peer", "4711", OFFER))
        assert (await gateway.expect(Ended)).detail.startswith("The SIP worker is being restarted")
        async with asyncio.timeout(10):
            after = await gateway.agent.ready()
        assert (after.udp_port, after.pid != before.pid) == (before.udp_port, True)
        await gateway.works(peer)


@pytest.fixture
def spinning_on_a_signal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python processes that are started run in circles from SIGUSR2 on."""
    spin = "import signal\ndef spin(*_):\n    while True: pass\nsignal.signal(signal.SIGUSR2, spin)\n"
    (tmp_path / "sitecustomize.py").write_text(spin)
    monkeypatch.syspath_prepend(str(tmp_path))


def used_by_dead_children_s() -> float:
    return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


@contextlib.contextmanager
def busy_machine() -> Iterator[None]:
    """Two programs that spin for each processor."""
    hogs = [
        subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) for _ in range(2 * (os.cpu_count() or 1))
    ]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


@pytest.mark.usefixtures("spinning_on_a_signal")
async def test_a_worker_that_spins_is_noticed_on_a_busy_machine_too(peer: Peer) -> None:
    """It may get less than half a processor: that is what one that only waits looks like. What it uses betrays it."""
    async with line_to(peer) as gateway:
        before = gateway.agent.started
        with busy_machine():
            with contextlib.closing(Scheduled(Path("/proc", str(before.pid)))) as worker:
                born = worker.turns()
            assert born
            used_by_the_dead_s = used_by_dead_children_s()
            os.kill(before.pid, signal.SIGUSR2)
            async with asyncio.timeout(60):
                assert await gateway.lost.get() == "The SIP worker hung and was killed (signal 9)."
            spun_s = used_by_dead_children_s() - used_by_the_dead_s - born.used_s
        # Each silent turn but the first, which has nothing to compare with, is one in which it had half a processor.
        assert TURN_S * (SILENT_TURNS - 1) / 2 < spun_s < TURN_S * SILENT_TURNS * 2
        async with asyncio.timeout(10):
            assert (await gateway.agent.ready()).pid != before.pid


async def test_losses_in_quick_succession_are_made_good_soon(peer: Peer) -> None:
    async with line_to(peer) as gateway:
        for _ in range(5):
            os.kill(gateway.agent.started.pid, signal.SIGKILL)
            await gateway.lost.get()
            async with asyncio.timeout(3):
                await gateway.agent.ready()
        await gateway.works(peer)


async def test_a_worker_that_is_terminated_with_the_gateway_leaves_the_goodbye_to_it(peer: Peer) -> None:
    """systemd sends SIGTERM to all processes of a unit."""
    async with line_to(peer) as gateway:
        await gateway.call_out(peer)
        os.kill(gateway.agent.started.pid, signal.SIGTERM)
        assert await gateway.is_quiet(peer, "BYE")
        assert gateway.events.empty()
    await peer.request("BYE")
    ended = await gateway.expect(Ended)
    assert (ended.by, ended.fault) == ("fault", "worker")


async def test_a_hanging_worker_is_noticed_and_replaced(peer: Peer) -> None:
    async with line_to(peer) as gateway:
        before = gateway.agent.started
        os.kill(before.pid, signal.SIGSTOP)
        async with asyncio.timeout(5):
            assert await gateway.lost.get() == "The SIP worker hung and was killed (signal 9)."
        async with asyncio.timeout(10):
            assert (await gateway.agent.ready()).pid != before.pid
        await gateway.works(peer)


async def test_stop_ends_every_call(peer: Peer) -> None:
    async with line_to(peer) as gateway:
        await gateway.call_out(peer)
        gateway.agent.post(Invite("a2", "peer", "1", OFFER))
        ringing = await peer.request("INVITE")
        peer.reply(ringing, 180, "Ringing")
        caller = peer.dial(gateway.port, body=ANSWER)
        await gateway.next_event()
        await gateway.next_event()
        pid = gateway.agent.started.pid
    await peer.request("BYE")
    await peer.request("CANCEL")
    await caller.response(503)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


class Orphan:
    """A worker without an agent, whose gateway the test is; it has a call that is up."""

    def __init__(self, process: asyncio.subprocess.Process, channel: Channel) -> None:
        self.process = process
        self.channel = channel
        self._lines = channel.lines()

    @classmethod
    @contextlib.asynccontextmanager
    async def talking(cls, peer: Peer, **settings: float) -> AsyncIterator[Orphan]:
        ours, theirs = socket.socketpair()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sip.worker", "--socket", str(theirs.fileno())),
            pass_fds=(theirs.fileno(),),
            stderr=asyncio.subprocess.PIPE,
        )
        theirs.close()
        made = cls(process, await Channel.open(ours))
        made.channel.send(Start(HOST, HOST, 0, trunks=(trunk(peer),), **settings))  # type: ignore[arg-type]
        await made.expect(Started)
        made.channel.send(Invite("a1", "peer", "4711", OFFER))
        peer.reply(await peer.request("INVITE"), 200, "OK", body=ANSWER)
        await made.expect(Answered)
        yield made
        async with asyncio.timeout(5):
            assert await process.wait() == 0

    async def expect(self, kind: type) -> None:
        async for text in self._lines:
            if isinstance(messagelines.decode_event(text), kind):
                return
        raise AssertionError(f"no {kind.__name__}")

    async def is_cut_off(self) -> None:
        """Wait until the worker has closed its end."""
        async for _ in self._lines:
            pass


@pytest.mark.parametrize("is_closed", [True, False], ids=["gone", "hung"])
async def test_a_worker_that_loses_its_gateway_ends_its_calls_and_exits(peer: Peer, is_closed: bool) -> None:
    async with Orphan.talking(peer, gateway_silence_s=60.0 if is_closed else 3.0) as worker:
        if is_closed:
            await worker.channel.close()
        await peer.request("BYE")


async def test_a_gateway_that_hung_finds_its_worker_lost_and_not_busy_with_goodbyes(peer: Peer) -> None:
    """It would take no more calls."""
    peer.confirms = False
    async with Orphan.talking(peer, gateway_silence_s=3.0) as worker:
        bye = await peer.request("BYE")
        async with asyncio.timeout(1):
            await worker.is_cut_off()
        assert worker.process.returncode is None
        peer.reply(bye, 200, "OK")


async def test_goodbyes_that_nobody_hears_are_given_up_in_words(peer: Peer) -> None:
    peer.confirms = False
    async with Orphan.talking(peer, goodbyes_s=1.0) as worker:
        await worker.channel.close()
        await peer.request("BYE")
        assert worker.process.stderr
        words = (await worker.process.stderr.read()).decode()
        assert "far ends have not confirmed the end of their calls within 1 s (1 left)" in words


async def test_a_worker_answers_pings_in_order() -> None:
    async with line() as gateway:
        assert isinstance(await gateway.agent.ping(), Heartbeat)
        assert (await gateway.agent.ping()).calls == 0


async def test_a_handler_that_fails_loses_no_event(peer: Peer) -> None:
    gateway = Line(Start(HOST, HOST, 0, trunks=(trunk(peer),)))
    seen: list[str] = []

    def clumsy(event: messages.LegEvent) -> None:
        seen.append(event.type)
        if len(seen) == 1:
            raise RuntimeError("a bug in the gateway")

    gateway.agent._on_event = clumsy
    await gateway.agent.start()
    try:
        for leg in ("a1", "a2"):
            gateway.agent.post(Invite(leg, "nowhere", "1", OFFER))
        await gateway.agent.ping()
        assert seen == ["ended", "ended"]
    finally:
        await gateway.agent.stop()
