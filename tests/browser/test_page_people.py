"""More than one call at once, and the ends of a call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from playwright.async_api import expect

from tests.browser.conftest import House, OpenPhone
from tests.harness.chromium import Softphone
from tests.harness.sipp import UNTIL_TOLD, Sipp, bye_of_callee, play, reply, sdp
from tests.harness.sipp import expect as expect_request
from tests.harness.speech import Speech, hears

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_two_people_call_at_the_same_time_and_each_hears_the_own_echo(
    open_phone: OpenPhone, speech: Speech
) -> None:
    phones = [await open_phone("alice"), await open_phone("bob")]
    await asyncio.gather(*(phone.talk("echo") for phone in phones))
    await asyncio.gather(*(hears(speech, phone.hear) for phone in phones))
    await phones[0].part("hangup").click()
    await phones[0].until("ended")
    await phones[1].hear_sound()
    await phones[1].until("answered")


async def test_the_far_end_hangs_up(phone: Softphone, sipp: Callable[..., Sipp]) -> None:
    answer = (expect_request("INVITE"), play(), reply(200, "OK", body=sdp()), expect_request("ACK"))
    callee = sipp(*answer, UNTIL_TOLD, bye_of_callee())
    await phone.talk("sipp")
    await phone.hear_sound()
    await callee.go_on()
    assert "sipp hung up." in await phone.ended()
    await callee.succeeds()


async def test_closing_the_tab_ends_the_call_at_once(open_phone: OpenPhone, house: House) -> None:
    phone = await open_phone()
    await phone.talk("music")
    record_id = await phone.record_id()
    await phone.page.close()
    record = await house.gateway.record(record_id)
    assert (record["cause"], record["sentence"]) == ("connection-lost", "The page was closed.")


async def test_loading_the_page_again_keeps_the_call(phone: Softphone) -> None:
    await phone.talk("music")
    phone.page.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
    await phone.page.evaluate("location.reload()")
    await phone.until("answered")
    await phone.connected()
    await phone.hear_sound()
    await phone.part("hangup").click()
    await phone.until("ended")


async def test_mute_keeps_my_words_here(phone: Softphone) -> None:
    await phone.talk("echo")
    await phone.hear_sound()
    await phone.part("mute").click()
    await expect(phone.part("mute")).to_have_attribute("aria-pressed", "true")
    await phone.hear_quiet(2)
    await phone.part("mute").click()
    await phone.hear_sound()


async def test_the_call_is_among_the_recent_ones_and_can_be_repeated(phone: Softphone) -> None:
    await phone.dial("busy")
    await phone.until("ended")
    entries = phone.part("history").get_by_role("listitem")
    await expect(entries).to_have_count(1)
    await entries.first.get_by_role("button").first.click()
    await expect(entries).to_have_count(2)
    assert "busy is busy." in await phone.ended()
