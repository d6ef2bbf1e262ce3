"""Chromium and baresip: what each hears of the other, measured."""

from __future__ import annotations

import pytest

from tests.browser.conftest import House
from tests.harness.baresip import Baresip
from tests.harness.chromium import Softphone
from tests.harness.speech import Speech, hears, measure

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def check_heard(desk_phone: Baresip, speech: Speech) -> None:
    quality = measure(speech, *desk_phone.heard())
    assert quality.is_good, quality


async def test_the_page_calls_a_desk_phone(
    phone: Softphone, desk_phone: Baresip, speech: Speech, other_speech: Speech
) -> None:
    await phone.talk("desk")
    await hears(other_speech, phone.hear)
    await phone.part("hangup").click()
    await phone.until("ended")
    await desk_phone.program.says("session closed|terminated")
    check_heard(desk_phone, speech)


async def test_a_desk_phone_calls_the_page(
    phone: Softphone, desk_phone: Baresip, house: House, speech: Speech, other_speech: Speech
) -> None:
    desk_phone.call(f"sip:100@127.0.0.1:{house.gateway.sip_port}")
    await phone.until("ringing")
    await phone.part("accept").click()
    await phone.until("answered")
    await phone.connected()
    await hears(other_speech, phone.hear)
    desk_phone.hang_up()
    assert "desk hung up." in await phone.ended()
    check_heard(desk_phone, speech)
