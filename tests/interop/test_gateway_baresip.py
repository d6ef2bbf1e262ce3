"""The gateway and baresip as a desk phone: every transport and codec, speech both ways, measured."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.harness.baresip import Baresip
from tests.harness.pagelike import page_at
from tests.harness.speech import Speech, hears, lost_treble_db, measure, measure_wide
from tests.interop.conftest import PHONES, House, PhoneKind

pytestmark = pytest.mark.interop

StartPhone = Callable[[PhoneKind], Baresip]
UDP = PHONES[0]
MIN_PESQ_WIDE = 2.6
"""G.722 by itself has 3.1."""


def check_heard(phone: Baresip, speech: Speech) -> None:
    quality = measure(speech, *phone.heard())
    assert quality.is_good, quality


@pytest.mark.parametrize("kind", [kind for kind in PHONES if kind.codec != "G722"], ids=lambda kind: kind.name)
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


@pytest.mark.parametrize("name", ["udp-g722", "udp-wide"])
async def test_a_wideband_phone_and_a_page_keep_their_treble(
    house: House, desk_phone: StartPhone, name: str, speech: Speech, other_speech: Speech
) -> None:
    """Through Opus and G.722, or G.722 from end to end, what is above 4 kHz arrives."""
    phone = await asyncio.to_thread(desk_phone, next(kind for kind in PHONES if kind.name == name))
    async with page_at(house.gateway.signal_url, user="alice") as page:
        call = await page.call(name, speech)
        await call.answered()
        page_heard = await call.listen(2 * other_speech.lasts_s)
        await call.hang_up()
    await phone.program.says("session closed|terminated")
    for spoken, heard in ((other_speech, page_heard), (speech, phone.heard())):
        assert lost_treble_db(spoken, *heard) < 6
        assert measure_wide(spoken, *heard) > MIN_PESQ_WIDE
    record = await house.gateway.record(await call.record_id())
    kept = "so webtrunk transcodes and keeps wideband" if name == "udp-g722" else "relayed without transcoding"
    assert kept in record["codecs"]


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
