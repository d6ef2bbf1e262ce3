"""Keys between a page and trunks that take and send them by SIP INFO, as tones, or as telephone-events: each once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.baresip import Baresip
from tests.harness.eventphone import KEY_MS, EventAudio, EventPhone
from tests.harness.keyphone import KeyPhone
from tests.harness.pagelike import page_at
from tests.harness.patience import eventually
from tests.harness.sipp import Sipp, expect, expect_info, info_of_callee, reply
from tests.harness.sipp import sdp as sipp_sdp
from tests.harness.speech import Speech
from tests.interop.page_line import Exchange, Line, exchange_with, line_to

pytestmark = pytest.mark.interop

RELAY = ["Content-Type: application/dtmf-relay"]
WITH_EVENTS, WITHOUT = (0, 101), (0,)


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """With a trunk for each form."""
    forms = {"auto": {}, "info": {"dtmf": "info"}, "tones": {"dtmf": "inband", "detect_inband": True}}
    forms["wide"] = {"codecs": ["opus", "PCMU"]}
    with exchange_with(tmp_path_factory.mktemp("dtmf"), forms) as exchange:
        yield exchange


async def page_is_told(line: Line[KeyPhone], keys: str) -> None:
    """Wait until the page was told these keys, and no others."""
    for key in keys:
        await line.call.until("call.dtmf", digits=key)
    messages = [message["digits"] for message in line.call.messages if message["type"] == "call.dtmf"]
    assert "".join(messages) == keys


async def test_keys_behind_an_info_that_nobody_answers_are_told_once_too_many_wait(exchange: Exchange) -> None:
    async with line_to(exchange, "info", KeyPhone(), WITH_EVENTS) as line:
        await line.call.press("1")
        info = await line.dialog.request("INFO")
        await line.call.press("2" * 64)
        await line.call.press("3")
        told = await line.call.until("error")
        assert told["message"].startswith("The far end did not get the keys 3: 64 can wait")
        line.peer.reply(info, 200, "OK")
        assert "Signal=2" in (await line.dialog.request("INFO")).body


async def test_a_page_presses_keys_that_arrive_by_info_in_order(exchange: Exchange) -> None:
    async with line_to(exchange, "info", KeyPhone(), WITH_EVENTS) as line:
        await line.call.press("1#")
        await line.call.press("1")
        for key in "1#1":
            info = await line.dialog.request("INFO")
            assert info.body == f"Signal={key}\r\nDuration=120\r\n"
            line.peer.reply(info, 200, "OK")
        assert {heard.packet.payload_type for heard in line.phone.heard} <= {0}


async def test_a_trunk_that_refuses_info_is_named_to_the_page(exchange: Exchange) -> None:
    async with line_to(exchange, "info", KeyPhone(), WITH_EVENTS) as line:
        await line.call.press("5")
        line.peer.reply(await line.dialog.request("INFO"), 501, "Not Implemented")
        told = await line.call.until("error", code="not-possible")
        assert "the keys 5: the trunk answered INFO with 501" in told["message"]
        assert "trunk.info.dtmf" in told["hint"]


@pytest.mark.parametrize(("trunk", "codecs"), [("tones", WITH_EVENTS), ("auto", WITHOUT)])
async def test_a_page_presses_keys_that_arrive_as_tones(
    exchange: Exchange, trunk: str, codecs: tuple[int, ...]
) -> None:
    async with line_to(exchange, trunk, KeyPhone(), codecs) as line:
        await line.call.press("420D")
        await line.phone.hears_keys("420D")
        line.phone.assert_one_stream()


async def test_tones_of_a_trunk_are_told_to_the_page_once_each(exchange: Exchange) -> None:
    async with line_to(exchange, "tones", KeyPhone(), WITH_EVENTS) as line:
        line.phone.press("77*A")
        await page_is_told(line, "77*A")


async def test_keys_by_info_are_told_to_the_page_in_order_and_a_copy_in_rtp_is_no_second_one(
    exchange: Exchange,
) -> None:
    async with line_to(exchange, "tones", KeyPhone(), WITH_EVENTS) as line:
        for key in "59":
            line.dialog.send("INFO", RELAY, f"Signal={key}\r\nDuration=100\r\n")
        line.phone.press("59#")  # at once: a copy comes within 2 s (ADR 0016)
        await page_is_told(line, "59#")


@pytest.mark.parametrize(
    ("answered", "pressed"),
    [
        ((111, 101, 110), [("1", 101, 8000), ("1", 110, 48_000), ("2", 101, 8000), ("#", 110, 48_000)]),
        ((111, 96), [("1", 110, 48_000), ("1", 96, 48_000), ("2", 101, 8000), ("#", 110, 48_000)]),
        ((98, 96), [("1", 110, 48_000), ("1", 96, 48_000), ("2", 101, 8000), ("#", 110, 48_000)]),
    ],
    ids=["both that were offered", "another number than was offered", "Opus, too, has another"],
)
async def test_events_under_each_number_that_was_agreed_or_offered_arrive_once_with_their_length(
    exchange: Exchange, answered: tuple[int, ...], pressed: list[tuple[str, int, int]]
) -> None:
    audio, keys = EventAudio(), [(key, KEY_MS) for key, _, _ in pressed]
    async with line_to(exchange, "wide", EventPhone(), answered, audio=audio) as line:
        for key in pressed:
            line.phone.press(*key)
        await page_is_told(line, "".join(key for key, _ in keys))
        await eventually(lambda: len(audio.keys) >= len(keys))
        call_id = await line.call.record_id()
    record = await exchange.gateway.record(call_id)
    heard = [entry["why"] for entry in record["journal"] if entry["what"] == "digit in RTP"]
    assert record["media"]["trunk"]["dropped_unknown_payload"] == 0, "Opus is heard by the number of our offer"
    assert heard == [f"{key} for {length} ms" for key, length in keys]
    assert audio.keys == keys


async def test_sipp_sends_and_takes_keys_by_info(exchange: Exchange, tmp_path: Path) -> None:
    answers = (expect("INVITE"), reply(200, "OK", body=sipp_sdp()), expect("ACK"))
    keys = (info_of_callee("Signal=*\nDuration=250"), expect_info("Signal=7"), reply(200, "OK", in_dialog=True))
    end = (expect("BYE"), reply(200, "OK", in_dialog=True))
    peer = Sipp(tmp_path, "info", (*answers, *keys, *end), port=exchange.ports["info"], user="info")
    try:
        async with page_at(exchange.gateway.signal_url, user="alice") as page:
            call = await page.call("info")
            await call.answered()
            await call.until("call.dtmf", digits="*")
            await call.press("7")
            await call.hang_up()
        await peer.succeeds()
    finally:
        peer.stop()


async def test_a_desk_phone_takes_keys_by_info(exchange: Exchange, tmp_path: Path, other_speech: Speech) -> None:
    def start() -> Baresip:
        return Baresip(tmp_path, other_speech, user="info", port=exchange.ports["info"])

    phone = await asyncio.to_thread(start)
    try:
        async with page_at(exchange.gateway.signal_url, user="alice") as page:
            call = await page.call("info")
            await call.answered()
            await call.press("15#")
            await phone.program.says(r"received DTMF: '#'")
            await call.hang_up()
        taken = [line for line in phone.program.lines if "received DTMF" in line]
        assert [line.partition("'")[2][0] for line in taken] == list("15#")
    finally:
        phone.stop()
