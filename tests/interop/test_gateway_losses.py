"""Parts die or go away in mid-call: no call is left behind on the other side (design D13)."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.blockable_gateway import BLOCKED_S
from tests.harness.gateway import GatewayProcess, demo_settings, settings_for, trunk_to
from tests.harness.pagelike import PageCall, PageLike, page_at
from tests.harness.patience import eventually
from tests.harness.ports import free_port
from tests.harness.program import is_alive
from tests.harness.scissors import cut_off
from tests.harness.sipp import Sipp, ack, expect, expect_status, invite, play, reply, sdp
from tests.interop.conftest import House

pytestmark = pytest.mark.interop

Run = Callable[..., Sipp]
UNTIL_BYE = (
    expect("INVITE"),
    play(),
    reply(200, "OK", body=sdp()),
    expect("ACK"),
    expect("BYE"),
    reply(200, "OK", in_dialog=True),
)
GRACE_S = 2
SILENT_S = 8.0
"""mediacore's `silent_ms`."""
GOODBYE_S = 1.0
NOTICED_S, REPLACED_S = 2.0, 3.0
"""How soon a lost worker is noticed, and how soon after that calls work again."""


@pytest.fixture
def lonely(tmp_path: Path) -> Iterator[GatewayProcess]:
    """A gateway of the test's own, which it may kill; its one trunk is SIPp."""
    trunk = trunk_to(free_port(), ["sipp"])
    settings = settings_for(tmp_path, trunk={"sipp": trunk}, session={"grace_s": GRACE_S})
    gateway = GatewayProcess(tmp_path, settings)
    yield gateway
    if gateway.program.returncode is None:
        gateway.stop()


@pytest.fixture
def callee(lonely: GatewayProcess, tmp_path: Path) -> Iterator[Run]:
    """SIPp answers so many calls, one unless it is told, and waits for the BYE of each."""
    running: list[Sipp] = []

    def run(calls: int = 1) -> Sipp:
        name, port = f"call{len(running)}", lonely.settings["trunk"]["sipp"]["port"]
        running.append(Sipp(tmp_path, name, UNTIL_BYE, port=port, calls=calls))
        return running[-1]

    yield run
    for each in running:
        each.stop()


async def several(page: PageLike, count: int) -> list[PageCall]:
    """Calls that are answered, the first one with audio."""
    calls = [await page.call("sipp"), *[await page.call_without_audio("sipp") for _ in range(count - 1)]]
    await heard(calls[0])
    for call in calls[1:]:
        await call.answered()
    return calls


async def heard(call: PageCall) -> None:
    await call.answered()
    assert call.audio is not None
    await call.audio.hear_sound()


async def test_a_browser_that_vanishes_ends_its_call_after_the_grace(lonely: GatewayProcess, callee: Run) -> None:
    peer = callee()
    async with page_at(lonely.signal_url, user="alice") as page:
        call = await page.call("sipp")
        await heard(call)
        page.socket.transport.abort()
        await call.close()
    await peer.succeeds()
    record = await lonely.record(await call.record_id())
    assert record["cause"] == "connection-lost"
    assert record["ended_at"] - record["answered_at"] >= GRACE_S


async def lose_socket(page: PageLike, call: PageCall) -> None:
    page.socket.transport.abort()


async def close_media(page: PageLike, call: PageCall) -> None:
    await call.close()


async def lose_network(page: PageLike, call: PageCall) -> None:
    assert call.audio is not None
    call.audio.lose_network()


async def lose_both(page: PageLike, call: PageCall) -> None:
    await lose_network(page, call)
    await lose_socket(page, call)


LOSSES = (lose_socket, close_media, lose_network, lose_both)
NOTICED_AFTER_S = {lose_network: SILENT_S}
"""A network that goes silent is noticed by its silence; everything else at once."""
SLACK_S = 2.0
LONGEST_GAP_S = 0.5
"""A busy machine may hold up the listener himself for some frames."""


async def test_every_way_to_lose_a_browser_starts_the_grace_and_no_more(house: House) -> None:
    async def outlives(lose: Callable[[PageLike, PageCall], Awaitable[None]]) -> float:
        """How long a call outlives the loss of its browser."""
        async with page_at(house.gateway.signal_url, user="alice") as page:
            call = await page.call("music")
            await heard(call)
            lost_at = time.time()
            await lose(page, call)
            record = await house.gateway.record(await call.record_id(), timeout_s=30)
        assert record["cause"] == "connection-lost", record
        return float(record["ended_at"] - lost_at)

    lasted = dict(zip(LOSSES, await asyncio.gather(*map(outlives, LOSSES)), strict=True))
    for lose, seconds in lasted.items():
        earliest = house.grace_s + NOTICED_AFTER_S.get(lose, 0.0) - 0.5
        assert earliest < seconds < earliest + 0.5 + SLACK_S, {each.__name__: s for each, s in lasted.items()}


async def test_a_browser_whose_network_returns_within_the_grace_keeps_its_call(house: House) -> None:
    async with page_at(house.gateway.signal_url, user="alice") as page:
        call = await page.call("music")
        await heard(call)
        record_id = await call.record_id()
        assert call.audio is not None
        call.audio.lose_network()
        async with asyncio.timeout(SILENT_S + SLACK_S):
            await house.gateway.live_entry(record_id, "grace")
        call.audio.find_network()
        await house.gateway.live_entry(record_id, "returned")
        await call.listen(house.grace_s + 0.5)
        await call.hang_up()
        assert (await house.gateway.record(record_id))["cause"] == "hangup"


async def test_a_page_that_says_goodbye_frees_the_far_end_at_once(lonely: GatewayProcess, callee: Run) -> None:
    peer = callee()
    async with page_at(lonely.signal_url, user="alice") as page:
        call = await page.call("sipp")
        await heard(call)
        said = time.time()
        await page.send({"type": "goodbye"})
        await peer.succeeds()
        record = await lonely.record(await call.record_id())
    assert record["sentence"] == "The page was closed."
    assert record["ended_at"] - said < GOODBYE_S


async def test_a_page_that_comes_back_has_its_call_again(lonely: GatewayProcess, callee: Run) -> None:
    peer = callee()
    async with page_at(lonely.signal_url, user="alice") as page:
        call = await page.call("sipp")
        await heard(call)
        page.socket.transport.abort()
        async with page_at(lonely.signal_url, session=page.welcome["session"]) as again:
            assert again.welcome["resumed"]
            assert [(live["call"], live["state"]) for live in again.welcome["calls"]] == [(call.name, "answered")]
            assert call.audio is not None
            await call.audio.hear_sound()
            await again.send({"type": "call.hangup", "call": call.name})
            await peer.succeeds()
    record = await lonely.record(await call.record_id())
    assert record["cause"] == "hangup"


def kill(worker: int) -> None:
    os.kill(worker, signal.SIGKILL)


def hang(worker: int) -> None:
    os.kill(worker, signal.SIGSTOP)


@pytest.mark.parametrize("lose", [kill, hang, cut_off])
async def test_a_sip_worker_that_is_lost_ends_its_calls_on_both_sides_and_is_replaced(
    lonely: GatewayProcess, callee: Run, lose: Callable[[int], None]
) -> None:
    # One SIPp to the end: a BYE that both workers say, and repeat, would be a stranger's to a second one on this port.
    peer = callee(calls=4)
    async with page_at(lonely.signal_url, user="alice") as page:
        calls = await several(page, 3)
        (worker,) = lonely.program.descendants()
        lost_at = time.time()
        lose(worker)
        await lonely.program.says("a new SIP worker runs")
        assert time.time() - lost_at < NOTICED_S + REPLACED_S
        for each in calls:
            ended, record = await each.ended(), await lonely.record(await each.record_id())
            assert record["ended_at"] - lost_at < NOTICED_S
            assert (ended["cause"], ended["sip_status"]) == ("gateway-error", 503)
            assert ended["hint"] == "Call again in a few seconds."
        call = await page.call("sipp")
        await heard(call)
        await call.hang_up()
        await peer.succeeds()  # the replacement said BYE for the three


async def test_a_call_of_the_trunk_gets_its_bye_when_the_sip_worker_is_lost(
    lonely: GatewayProcess, tmp_path: Path
) -> None:
    steps = (invite(sdp()), expect_status(100, optional=True), expect_status(180), expect_status(200, keep=True))
    talking = (*steps, ack(), play(), expect("BYE"), reply(200, "OK", in_dialog=True))
    port = lonely.settings["trunk"]["sipp"]["port"]
    async with page_at(lonely.signal_url, user="alice") as page:
        peer = Sipp(tmp_path, "caller", talking, port=port, remote=lonely.sip_port)
        try:
            _, call = await page.rings()
            await call.accept()
            await heard(call)
            (worker,) = lonely.program.descendants()
            os.kill(worker, signal.SIGKILL)
            assert (await call.ended())["cause"] == "gateway-error"
            await peer.succeeds()
        finally:
            peer.stop()


async def test_a_gateway_that_stops_says_goodbye_to_both_sides(lonely: GatewayProcess, callee: Run) -> None:
    peer = callee()
    async with page_at(lonely.signal_url, user="alice") as page:
        call = await page.call("sipp")
        await heard(call)
        os.kill(lonely.program.pid, signal.SIGTERM)
        assert (await call.ended())["sentence"] == "The gateway was stopped."
        await peer.succeeds()
    lonely.stop()


async def test_a_gateway_that_is_killed_leaves_no_billed_call(lonely: GatewayProcess, callee: Run) -> None:
    peer = callee(calls=3)
    async with page_at(lonely.signal_url, user="alice") as page:
        await several(page, 3)
        family = lonely.program.descendants()
        os.kill(lonely.program.pid, signal.SIGKILL)
        await peer.succeeds()  # the worker that lost its gateway said BYE
    lonely.program.wait()
    await eventually(lambda: not any(map(is_alive, family)))


async def test_running_calls_lose_nothing_while_python_is_blocked(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path, demo_settings(tmp_path), demo=True, module="tests.harness.blockable_gateway")
    try:
        async with page_at(gateway.signal_url, user="alice") as page:
            call = await page.call("music")
            await heard(call)
            assert call.audio is not None
            os.kill(gateway.program.pid, signal.SIGUSR1)
            await gateway.program.says("^blocked")
            call.audio.longest_gap_s = 0.0
            unblocked = asyncio.create_task(gateway.program.says("unblocked"))
            while not unblocked.done():
                await call.listen(0.1)
            gap_s = call.audio.longest_gap_s  # what was caught up later would have been a pause
            lost = await packets_lost(call)
            await call.hang_up()
        media = (await gateway.record(await call.record_id()))["media"]
    finally:
        gateway.stop()
    assert gap_s < LONGEST_GAP_S
    assert (lost, media["browser"]["rx_lost"], media["trunk"]["rx_lost"]) == (0, 0, 0)
    assert media["trunk"]["rx_packets"] > 50 * BLOCKED_S


async def packets_lost(call: PageCall) -> int:
    """What the page's own receiver counts as lost."""
    assert call.audio is not None
    report = await call.audio.pc.getStats()
    return sum(entry.packetsLost for entry in report.values() if entry.type == "inbound-rtp")
