"""The gateway and Linphone as a desk phone that speaks G.729: speech both ways, measured."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.harness.linphone import Linphone
from tests.harness.pagelike import page_at
from tests.harness.speech import Speech, hears, measure_best
from tests.interop.conftest import G729_PHONES, House, PhoneKind

pytestmark = pytest.mark.interop

StartPhone = Callable[[PhoneKind], Linphone]
BESIDE_OPUS, BESIDE_PCMU = G729_PHONES
MIN_PESQ = 1.8
"""G.729 at 8 kbit/s makes 2.2 to 2.9 of this synthetic voice; wrong audio has 1.1."""


async def check_heard(phone: Linphone, speech: Speech) -> None:
    quality = measure_best(speech, *await asyncio.to_thread(phone.heard))
    assert quality.reaches(MIN_PESQ), quality


@pytest.mark.parametrize(("kind", "browser_codec"), [(BESIDE_OPUS, "opus"), (BESIDE_PCMU, "PCMU")])
async def test_a_page_calls_a_phone_with_g729_and_each_hears_the_other(
    house: House, linphone: StartPhone, kind: PhoneKind, browser_codec: str, speech: Speech, other_speech: Speech
) -> None:
    phone = await asyncio.to_thread(linphone, kind)
    async with page_at(house.gateway.signal_url, user="alice") as page:
        call = await page.call(kind.name, speech)
        await call.answered()
        await hears(other_speech, call.listen, MIN_PESQ)
        await call.listen(2 * speech.lasts_s)
        await call.hang_up()
    await check_heard(phone, speech)
    media = (await house.gateway.record(await call.record_id()))["media"]
    assert (media["browser"]["codec"], media["trunk"]["codec"]) == (browser_codec, "G729")
    assert media["browser"]["transcode_errors"] == media["trunk"]["transcode_errors"] == 0


async def test_a_phone_that_would_be_silent_by_annex_b_calls_a_page(
    house: House, linphone: StartPhone, speech: Speech, other_speech: Speech
) -> None:
    """Linphone offers `annexb=yes`; our answer says no (RFC 4856 §2.1.9)."""
    phone = await asyncio.to_thread(linphone, BESIDE_OPUS)
    async with page_at(house.gateway.signal_url, user="bob") as page:
        phone.call(f"sip:101@127.0.0.1:{house.gateway.sip_port}")
        _, call = await page.rings()
        await call.accept(speech)
        await call.answered()
        await hears(other_speech, call.listen, MIN_PESQ)
        await call.listen(2 * speech.lasts_s)
        phone.hang_up()
        await call.ended()
    await check_heard(phone, speech)
    trunk = (await house.gateway.record(await call.record_id()))["media"]["trunk"]
    assert (trunk["codec"], trunk["rx_lost"]) == ("G729", 0)
