"""Beyond a safe load new calls are refused in words; those that are up keep their quality."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import re
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from gateway.load import CALM_SAMPLES, MAX_LAG_S, MAX_WAIT_S
from tests.harness.gateway import GatewayProcess, Settings, demo_settings, trunk_to
from tests.harness.packetstorm import Storm
from tests.harness.pagelike import PageCall, PageLike, page_at
from tests.harness.patience import eventually
from tests.harness.ports import HOST, free_port
from tests.harness.sipp import Sipp, ack_of_refusal, expect_status, invite, sdp
from tests.harness.speech import Speech, hears
from tests.harness.strained_gateway import FEED, MAX_THREAD_LOAD, STARVE

pytestmark = pytest.mark.interop

HINT: Final = "Try again in a minute; whoever runs the gateway can lower `limits.calls` or add a machine."
OTHERS_HINT: Final = "Try again in a minute; whoever runs the gateway can stop what else runs on its machine."


@contextlib.contextmanager
def running(directory: Path, settings: Settings, module: str) -> Iterator[GatewayProcess]:
    """ "sipp" is its second trunk."""
    settings["trunk"]["sipp"] = trunk_to(free_port(), ["sipp"])
    gateway = GatewayProcess(directory, settings, demo=True, module=module)
    yield gateway
    gateway.stop()


@pytest.fixture
def strained(tmp_path: Path) -> Iterator[GatewayProcess]:
    """A gateway that can be made slow."""
    with running(tmp_path, demo_settings(tmp_path), "tests.harness.strained_gateway") as gateway:
        yield gateway


@pytest.fixture
def single(tmp_path: Path) -> Iterator[GatewayProcess]:
    """A gateway as users run it, with one media thread."""
    settings = demo_settings(tmp_path)
    settings["media"]["threads"] = 1
    with running(tmp_path, settings, "gateway") as gateway:
        yield gateway


async def two_samples(gateway: GatewayProcess, figure: str, bound: float) -> None:
    """Wait until a figure was beyond its bound twice: one slow moment is no overload."""
    beyond = set[float]()

    def seen() -> bool:
        value = gateway.ask("status")["load"][figure]
        beyond.update({value} if value > bound else ())
        return len(beyond) >= CALM_SAMPLES

    await eventually(seen)


async def refused_both_ways(
    gateway: GatewayProcess, page: PageLike, directory: Path, sentence: str, hint: str = HINT
) -> None:
    """A page that calls and a trunk that calls are told so; the records say why."""
    call = await page.call_without_audio("echo")
    ended = await call.ended()
    assert (ended["cause"], ended["sip_status"], ended["hint"]) == ("overload", 503, hint)
    assert re.fullmatch(sentence, ended["sentence"]), ended
    steps = (invite(sdp()), expect_status(100, optional=True), expect_status(503), ack_of_refusal())
    port = gateway.settings["trunk"]["sipp"]["port"]
    await Sipp(directory, "caller", steps, port=port, remote=gateway.sip_port, user="alice").succeeds()
    assert page.incoming.empty()

    def refusals() -> list[tuple[str, str, int]]:
        calls = gateway.ask("calls")["calls"]
        return [(each["direction"], each["cause"], each["sip_status"]) for each in calls if each["cause"] != "live"]

    await eventually(lambda: {("outgoing", "overload", 503), ("incoming", "overload", 503)} <= set(refusals()))


async def keeps_its_quality(call: PageCall, speech: Speech, gateway: GatewayProcess) -> None:
    """Listen until it has been heard well; nothing was lost."""
    await hears(speech, call.listen)
    record = await asyncio.to_thread(gateway.ask, f"calls/{await call.record_id()}")
    assert record["media"]["browser"]["rx_lost"] == 0


async def test_a_late_event_loop(strained: GatewayProcess, speech: Speech, tmp_path: Path) -> None:
    async with page_at(strained.signal_url, user="alice") as page:
        call = await page.call("echo", speech)
        await call.answered()
        os.kill(strained.program.pid, signal.SIGUSR1)
        await two_samples(strained, "lag_s", MAX_LAG_S)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keeps_its_quality(call, speech, strained))
            sentence = r"The gateway is full: it reacts \d+ ms late\."
            tasks.create_task(refused_both_ways(strained, page, tmp_path, sentence))
        os.kill(strained.program.pid, signal.SIGUSR2)
        await eventually(lambda: strained.ask("status")["load"]["lag_s"] < MAX_LAG_S)
        again = await page.call_without_audio("echo")
        await again.answered()
        await again.hang_up()
        await call.hang_up()
        assert (await strained.record(await call.record_id()))["cause"] == "hangup"


async def test_busy_media_threads(strained: GatewayProcess, speech: Speech, tmp_path: Path) -> None:
    port = strained.settings["media"]["browser_port"]
    async with page_at(strained.signal_url, user="alice") as page:
        call = await page.call("echo", speech)
        await call.answered()
        found = re.search(r"a=ice-ufrag:(\S+)", (await call.until("call.answer-sdp"))["sdp"])
        assert found is not None
        with Storm(["forged-check"], [port], count=1_000_000, rate=30_000, ufrag=found[1]):
            await two_samples(strained, "busiest_media_thread", MAX_THREAD_LOAD)
            sentence = r"The gateway is full: its media threads are \d+% busy\."
            await refused_both_ways(strained, page, tmp_path, sentence)
            await hears(speech, call.listen)
        await eventually(lambda: strained.ask("status")["load"]["busiest_media_thread"] < MAX_THREAD_LOAD)
        again = await page.call_without_audio("echo")
        await again.answered()
        await again.hang_up()
        await call.hang_up()
        assert (await strained.record(await call.record_id()))["cause"] == "hangup"


async def test_media_threads_that_get_more_than_they_can_do(single: GatewayProcess, tmp_path: Path) -> None:
    """Whoever sends it needs the processors, too: the thread has many turns, none of them long, and never rests."""
    port = single.settings["media"]["browser_port"]
    async with page_at(single.signal_url, user="alice") as page:
        call = await page.call("echo")
        await call.answered()
        found = re.search(r"a=ice-ufrag:(\S+)", (await call.until("call.answer-sdp"))["sdp"])
        assert found is not None
        with contextlib.ExitStack() as storms:
            for _ in range(3 * (os.cpu_count() or 1)):
                storm = Storm(["forged-check"], [port], count=100_000_000, rate=10_000_000, ufrag=found[1])
                storms.enter_context(storm)
            await two_samples(single, "media_wait_s", MAX_WAIT_S)
            sentence = r"The gateway is full: packets wait \d+ ms for a processor\."
            await refused_both_ways(single, page, tmp_path, sentence, OTHERS_HINT)
        await eventually(lambda: single.ask("status")["load"]["media_wait_s"] < MAX_WAIT_S)
        again = await page.call_without_audio("echo")
        await again.answered()


async def test_the_load_is_seen_while_no_descriptor_is_free(strained: GatewayProcess) -> None:
    """Whoever looks has a connection already."""
    pid = strained.program.pid
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    with contextlib.closing(http.client.HTTPConnection(HOST, strained.settings["admin"]["port"], timeout=10)) as admin:

        def lag_s() -> float:
            admin.request("GET", "/api/status")
            return float(json.load(admin.getresponse())["load"]["lag_s"])

        assert lag_s() < MAX_LAG_S
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (0, limits[1]))
        for signal_number, is_late in ((signal.SIGUSR1, True), (signal.SIGUSR2, False)):
            os.kill(pid, signal_number)
            await eventually(lambda is_late=is_late: (lag_s() > MAX_LAG_S) == is_late)  # type: ignore[misc]
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


@contextlib.contextmanager
def starved(gateway: GatewayProcess) -> Iterator[None]:
    """Within the block other programs hold the processors and leave them for 2 ms every 250 ms."""
    os.kill(gateway.program.pid, STARVE)
    try:
        yield
    finally:
        os.kill(gateway.program.pid, FEED)


async def test_media_threads_that_others_starve(strained: GatewayProcess, speech: Speech, tmp_path: Path) -> None:
    """No figure is injected: the threads wait for processors that others have, and the call's packets wait too."""
    async with page_at(strained.signal_url, user="alice") as page:
        call = await page.call("echo", speech)
        await call.answered()
        with starved(strained):
            await two_samples(strained, "media_wait_s", MAX_WAIT_S)
            sentence = r"The gateway is full: packets wait \d+ ms for a processor\."
            await refused_both_ways(strained, page, tmp_path, sentence, OTHERS_HINT)
        await eventually(lambda: strained.ask("status")["load"]["media_wait_s"] < MAX_WAIT_S)
        await hears(speech, call.listen)
        again = await page.call_without_audio("echo")
        await again.answered()
        await again.hang_up()
        await call.hang_up()
        record = await strained.record(await call.record_id())
    assert record["cause"] == "hangup"
    assert record["media"]["browser"]["rx_lost"] == 0
