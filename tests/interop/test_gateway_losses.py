"""Something is lost in mid-call: the SIP worker, the gateway, the browser, or Python's attention."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.harness import blockable_gateway
from tests.harness.gateway import GatewayProcess, demo_settings, settings_for, trunk_to
from tests.harness.pagelike import PageCall, page_at
from tests.harness.ports import free_port
from tests.harness.program import Program
from tests.harness.sipp import Sipp, expect, reply, sdp

pytestmark = pytest.mark.interop

GRACE_S: Final = 2.0
NOTICE_S: Final = 2.0
"""How soon a lost worker must be noticed."""
REPLACE_S: Final = 3.0
"""How soon calls must work again."""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    process = GatewayProcess(tmp_path, demo_settings(tmp_path, session={"grace_s": GRACE_S}), demo=True)
    yield process
    process.stop()


def worker_of(gateway: GatewayProcess) -> int:
    """The process id of the gateway's own SIP worker (the demo phone has one too)."""
    for pid in gateway.program.descendants():
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        if parent == gateway.program.pid and "sip.worker" in Path(f"/proc/{pid}/cmdline").read_text():
            return pid
    raise AssertionError("there is no SIP worker")


async def ended_within(call: PageCall, seconds: float) -> dict[str, Any]:
    """The call's end, which must come that soon."""
    began = time.monotonic()
    message = await call.ended(seconds + 5)
    took = time.monotonic() - began
    assert took < seconds, f"took {took:.1f} s"
    return message


# --- the SIP worker ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
async def test_a_lost_sip_worker_is_told_and_replaced(gateway: GatewayProcess, number: signal.Signals) -> None:
    async with page_at(gateway.signal_url, user="alice") as page:
        answered = await page.call("music")
        await answered.answered()
        ringing = await page.call_without_audio("noanswer")
        await ringing.until("call.progress")
        lost_at = time.monotonic()
        os.kill(worker_of(gateway), number)
        for call in (answered, ringing):
            ended = await ended_within(call, NOTICE_S + 0.5)
            assert "SIP part of the gateway stopped" in ended["sentence"]
        await calls_work_again(gateway, lost_at + NOTICE_S + REPLACE_S)


async def calls_work_again(gateway: GatewayProcess, deadline: float) -> None:
    """Call until it works; a call before that must say that the SIP part is on its way."""
    async with page_at(gateway.signal_url, user="bob") as page:
        while True:
            again = await page.call("music")
            try:
                await again.answered()
                break
            except AssertionError:
                assert "SIP part of the gateway" in (await again.ended())["sentence"]
            assert time.monotonic() < deadline, "no new worker in time"
            await asyncio.sleep(0.1)  # as a person would, who calls again
        assert time.monotonic() < deadline, "too late"
        await again.hang_up()


# --- the gateway -------------------------------------------------------------------------------------------------


async def test_a_killed_gateway_leaves_no_call_behind(tmp_path: Path) -> None:
    port = free_port()
    settings = settings_for(tmp_path, trunk={"sipp": trunk_to(port, ["sipp"])})
    gateway = GatewayProcess(tmp_path, settings)
    rings = (expect("INVITE"), reply(200, "OK", body=sdp()), expect("ACK"))
    with_bye = Sipp(tmp_path, "bye", (*rings, expect("BYE"), reply(200, "OK", in_dialog=True)), port=port, user="sipp")
    try:
        worker = worker_of(gateway)
        async with page_at(gateway.signal_url, user="alice") as page:
            call = await page.call("sipp")
            await call.answered()
            gateway.program.stop(signal.SIGKILL)
            await with_bye.succeeds()
        assert await asyncio.to_thread(ends, worker, 5.0)
    finally:
        with_bye.stop()
        gateway.program.stop(signal.SIGKILL)


def ends(pid: int, timeout_s: float) -> bool:
    """Whether a process that is no child of ours ends in time."""
    descriptor = os.pidfd_open(pid)
    try:
        return bool(select.select([descriptor], [], [], timeout_s)[0])
    finally:
        os.close(descriptor)


# --- the browser -------------------------------------------------------------------------------------------------


async def test_a_page_that_says_goodbye_frees_the_far_end_at_once(gateway: GatewayProcess) -> None:
    heard_before = len(gateway.program.lines)
    async with page_at(gateway.signal_url, user="alice") as page:
        call = await page.call("music")
        await call.answered()
        record = await call.record_id()
        began = time.monotonic()
        await page.send({"type": "goodbye"})
        await gateway.program.says(r"alice → music: .* ended by the other side", since=heard_before)
        assert time.monotonic() - began < 1.0
    assert (await gateway.record(record))["sentence"] == "The page was closed."


async def test_a_page_that_vanishes_frees_the_far_end_after_the_grace(gateway: GatewayProcess) -> None:
    heard_before = len(gateway.program.lines)
    async with page_at(gateway.signal_url, user="alice") as page:
        call = await page.call("music")
        await call.answered()
        record = await call.record_id()
        page.socket.transport.abort()
        began = time.monotonic()
        await gateway.program.says(r"alice → music: .* ended by the other side", since=heard_before)
        assert GRACE_S - 0.5 < time.monotonic() - began < GRACE_S + 1.0
    assert (await gateway.record(record))["cause"] == "connection-lost"


async def test_a_page_that_comes_back_keeps_its_call(gateway: GatewayProcess) -> None:
    async with page_at(gateway.signal_url, user="alice") as page:
        call = await page.call("music")
        await call.answered()
        page.socket.transport.abort()
        async with page_at(gateway.signal_url, session=page.welcome["session"]) as again:
            assert again.welcome["resumed"] is True
            assert again.welcome["calls"] == [
                {"call": call.name, "direction": "outgoing", "remote": "music", "state": "answered"}
            ]
            await asyncio.sleep(GRACE_S + 1)  # nothing to await: the call must outlive the grace of the lost socket
            await call.listen(0.5)
            await again.send({"type": "call.hangup", "call": call.name})
            assert (await gateway.record(await call.record_id()))["cause"] == "hangup"


# --- Python's attention ------------------------------------------------------------------------------------------


async def test_running_calls_lose_nothing_while_python_is_blocked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tests.harness.gateway.Program",
        lambda name, argv: Program(name, [argv[0], "-m", "tests.harness.blockable_gateway", *argv[3:]]),
    )
    gateway = GatewayProcess(tmp_path, demo_settings(tmp_path), demo=True)
    try:
        async with page_at(gateway.signal_url, user="alice") as page:
            call = await page.call("music")
            await call.answered()
            await call.listen(1.0)
            os.kill(gateway.program.pid, signal.SIGUSR1)
            await gateway.program.says("^blocked")
            await call.listen(blockable_gateway.BLOCKED_S)
            await gateway.program.says("unblocked")
            lost = await packets_lost(call)
            await call.hang_up()
        stats = (await gateway.record(await call.record_id()))["media"]
        assert lost == 0
        assert stats["browser"]["rx_lost"] == 0
        assert stats["trunk"]["rx_lost"] == 0
        assert stats["trunk"]["rx_packets"] > 50 * blockable_gateway.BLOCKED_S
    finally:
        gateway.stop()


async def packets_lost(call: PageCall) -> int:
    """What the page's own receiver counts as lost."""
    assert call.audio is not None
    report = await call.audio.pc.getStats()
    return sum(entry.packetsLost for entry in report.values() if entry.type == "inbound-rtp")
