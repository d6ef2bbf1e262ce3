"""Every demo number, dialled on the page in Chromium."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.conftest import House
from tests.harness.chromium import Softphone
from tests.harness.speech import Speech, hears

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_echo_brings_my_own_words_back(phone: Softphone, speech: Speech, house: House) -> None:
    await phone.talk("echo")
    await phone.hear_sound()
    await hears(speech, phone.hear)
    await expect(phone.part("timer")).to_be_visible()
    await phone.part("hangup").click()
    assert "You hung up" in await phone.ended()
    record = await house.gateway.record(await phone.record_id())
    assert (record["cause"], record["user"], record["remote"]) == ("hangup", "alice", "echo")
    assert "Opus" in record["codecs"]


@pytest.mark.parametrize("number", ["music", "hello"])
async def test_what_the_far_end_plays_is_heard(phone: Softphone, number: str) -> None:
    await phone.talk(number)
    await phone.hear_sound()
    await phone.part("hangup").click()
    await phone.until("ended")


async def test_early_media_is_heard_before_the_answer(phone: Softphone) -> None:
    await phone.dial("early")
    await phone.until("early")
    await expect(phone.part("state")).to_contain_text("you hear the far end")
    await phone.hear_sound()
    await phone.until("early")
    await expect(phone.part("timer")).to_be_hidden()
    await phone.until("answered")
    await phone.hear_sound()
    await phone.part("hangup").click()
    await phone.until("ended")


@pytest.mark.parametrize(
    ("number", "sentence"),
    [("busy", "busy is busy."), ("reject", "reject declined the call."), ("nobody", "nobody does not exist")],
)
async def test_a_refused_call_ends_in_words(phone: Softphone, number: str, sentence: str) -> None:
    await phone.dial(number)
    assert sentence in await phone.ended()


async def test_who_does_not_answer_rings_until_i_hang_up(phone: Softphone, house: House) -> None:
    since = len(house.gateway.program.lines)
    await phone.dial("noanswer")
    await phone.until("ringing")
    await expect(phone.part("state")).to_have_text("Ringing…")
    await phone.part("hangup").click()
    assert "You hung up" in await phone.ended()
    await house.gateway.program.says("alice → noanswer.*487", since=since)


async def test_who_answers_late_is_heard_at_last(phone: Softphone) -> None:
    await phone.dial("late")
    await phone.until("ringing")
    await phone.until("answered", timeout_ms=40_000)
    await phone.hear_sound()
    await phone.part("hangup").click()
    await phone.until("ended")


async def test_digits_of_the_keypad_arrive_once_each(phone: Softphone, house: House) -> None:
    since = len(house.gateway.program.lines)
    await phone.talk("dtmf")
    for key in ("1", "5", "5", "star", "0", "hash"):
        await phone.part(f"key-{key}").click()
    await phone.hear_quiet(1.5)  # it reads every digit back, so it falls quiet after the last one
    await phone.part("hangup").click()
    await phone.until("ended")
    await house.gateway.program.says(r"alice → dtmf: .*keys 155\*0#,", since=since)


async def test_callback_rings_and_is_heard_when_i_accept(phone: Softphone) -> None:
    await phone.talk("callback")
    assert "callback hung up." in await phone.ended()
    await phone.until("ringing")
    await expect(phone.part("state")).to_have_text("Incoming call")
    await phone.part("accept").click()
    await phone.until("answered")
    await phone.connected()
    await phone.hear_sound()
    await phone.part("hangup").click()
    await phone.until("ended")
