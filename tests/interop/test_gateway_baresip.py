"""The gateway and baresip as a desk phone: every transport and codec, speech both ways, measured."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.harness.baresip import Baresip
from tests.harness.pagelike import page_at
from tests.harness.speech import Speech, hears, measure
from tests.interop.conftest import PHONES, House, PhoneKind

pytestmark = pytest.mark.interop

StartPhone = Callable[[PhoneKind], Baresip]
UDP = PHONES[0]


def check_heard(phone: Baresip, speech: Speech) -> None:
    quality = measure(speech, *phone.heard())
    assert quality.is_good, quality


@pytest.mark.parametrize("kind", PHONES, ids=lambda kind: kind.name)
async def test_a_page_calls_a_desk_phone_and_each_hears_the_other(
    house: House, desk_phone: StartPhone, kind: PhoneKind, speech: Speech, other_speech: Speech
) -> None:
    phone = await asyncio.to_thread(desk_phone, kind)
    async with page_at(house.gateway.signal_url, user="alice") as page:
        call = await page.call(kind.name, speech)
        await call.answered()
        await hears(other_speech, call.listen)
        await call.hang_up()
    await phone.program.says("session closed|terminated")
    check_heard(phone, speech)
    record = await house.gateway.record(await call.record_id())
    assert record["trunk"] == kind.name
    assert record["media"]["trunk"]["codec"] == kind.codec
    assert record["media"]["browser"]["transcoding"] == kind.is_transcoded


async def test_a_desk_phone_calls_a_page_and_hangs_up(
    house: House, desk_phone: StartPhone, speech: Speech, other_speech: Speech
) -> None:
    phone = await asyncio.to_thread(desk_phone, UDP)
    async with page_at(house.gateway.signal_url, user="bob") as page:
        phone.call(f"sip:101@127.0.0.1:{house.gateway.sip_port}")
        incoming, call = await page.rings()
        assert (incoming["remote"], incoming["to"]) == (UDP.name, "101")
        await call.accept(speech)
        await call.answered()
        await hears(other_speech, call.listen)
        phone.hang_up()
        assert (await call.ended())["sentence"] == f"{UDP.name} hung up."
    check_heard(phone, speech)


async def test_digits_arrive_at_a_desk_phone_once_each(house: House, desk_phone: StartPhone) -> None:
    phone = await asyncio.to_thread(desk_phone, UDP)
    async with page_at(house.gateway.signal_url, user="alice") as page:
        call = await page.call(UDP.name)
        await call.answered()
        await call.press("15")
        await call.press("5#")
        await phone.program.says(r"received event: '#' \(end=1\)")
        await call.hang_up()
    ends = [line for line in phone.program.lines if "received event" in line and "end=1" in line]
    assert [line.partition("'")[2][0] for line in ends] == list("155#")
