"""The gateway and baresip with SDES-SRTP: both directions, hold, and what happens where one side will not encrypt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness.baresip import Baresip
from tests.harness.pagelike import page_at
from tests.harness.speech import Speech, hears, measure, measure_best
from tests.harness.suitefilter import only_suite
from tests.interop.conftest import SECURE_PHONES, SUITE_PHONES, House, PhoneKind

pytestmark = pytest.mark.interop

StartPhone = Callable[[PhoneKind], Baresip]
TLS, OPTIONAL, OPEN, REFUSED = SECURE_PHONES
RECEIVES = r"audio=\d+/6\d{4} \(bit/s\)"
"""What baresip's status line says while it can decrypt what comes: the second figure, of G.711."""
SUITE = "AES_CM_128_HMAC_SHA1_80"
SHORT_TAGS = "AES_CM_128_HMAC_SHA1_32"
REPORTS = 3
"""RTCP packets of such a call, at most. baresip shortens their tags, too, against RFC 4568 §6.2.2."""


async def trunk_counters(house: House, call_id: str) -> dict[str, Any]:
    """While the call is up: baresip says goodbye in plain RTCP, which may count as forged before the call has ended."""
    live = await asyncio.to_thread(house.gateway.ask, f"calls/{call_id}")
    return dict(live["media"]["trunk"])


async def test_an_encrypted_call_goes_on_after_hold(
    house: House, desk_phone: StartPhone, speech: Speech, other_speech: Speech
) -> None:
    phone = await asyncio.to_thread(desk_phone, TLS)
    async with page_at(house.gateway.signal_url, user="alice") as page:
        call = await page.call(TLS.name, speech)
        await call.answered()
        await hears(other_speech, call.listen)
        await call.listen(2 * speech.lasts_s)  # baresip records only up to the first hold
        call_id = await call.record_id()
        phone.hold()
        await house.gateway.live_entry(call_id, "re-INVITE")
        phone.hold(resume=True)
        await house.gateway.live_entry(call_id, "re-INVITE", times=2)
        resumed = len(phone.program.lines)
        await hears(other_speech, call.listen)
        await phone.program.says(RECEIVES, since=resumed)
        trunk = await trunk_counters(house, call_id)
        await call.hang_up()
    await phone.program.says("session closed|terminated")
    assert measure_best(speech, *phone.heard()).is_good
    assert (trunk["srtp"], trunk["dropped_srtp_auth"], trunk["dropped_srtp_replay"]) == (SUITE, 0, 0)
    await house.gateway.record(call_id)
    assert f"trunk: SRTP with {SUITE}, keys by SDP" in house.gateway.command("call", call_id)


@pytest.mark.parametrize("kind", SUITE_PHONES, ids=lambda kind: str(kind.only_suite))
async def test_every_suite_is_understood_both_ways(
    house: House, desk_phone: StartPhone, speech: Speech, other_speech: Speech, kind: PhoneKind
) -> None:
    phone = await asyncio.to_thread(desk_phone, kind)
    assert kind.only_suite is not None
    async with (
        only_suite(kind.only_suite, phone.port + 1, phone.port),
        page_at(house.gateway.signal_url, user="alice") as page,
    ):
        call = await page.call(kind.name, speech)
        await call.answered()
        await hears(other_speech, call.listen)
        trunk = await trunk_counters(house, await call.record_id())
        await call.hang_up()
        await phone.program.says("session closed|terminated")
    assert measure(speech, *phone.heard()).is_good
    assert (trunk["srtp"], trunk["rx_lost"], trunk["dropped_srtp_replay"]) == (kind.only_suite, 0, 0)
    assert trunk["dropped_srtp_auth"] <= (REPORTS if kind.only_suite == SHORT_TAGS else 0)


async def test_a_phone_with_optional_srtp_calls_encrypted(
    house: House, desk_phone: StartPhone, speech: Speech, other_speech: Speech
) -> None:
    phone = await asyncio.to_thread(desk_phone, OPTIONAL)
    async with page_at(house.gateway.signal_url, user="bob") as page:
        phone.call(f"sip:101@127.0.0.1:{house.gateway.sip_port}")
        _, call = await page.rings()
        await call.accept(speech)
        await call.answered()
        await hears(other_speech, call.listen)
        call_id = await call.record_id()
        phone.hang_up()
        await call.ended()
    assert measure(speech, *phone.heard()).is_good
    record = await house.gateway.record(call_id)
    assert record["media"]["trunk"]["srtp"] == SUITE


async def test_a_phone_without_srtp_is_heard_where_it_is_optional(
    house: House, desk_phone: StartPhone, speech: Speech, other_speech: Speech
) -> None:
    await asyncio.to_thread(desk_phone, OPEN)
    async with page_at(house.gateway.signal_url, user="alice") as page:
        call = await page.call(OPEN.name, speech)
        await call.answered()
        await hears(other_speech, call.listen)
        call_id = await call.record_id()
        await call.hang_up()
    assert (await house.gateway.record(call_id))["media"]["trunk"]["srtp"] is None


async def test_a_phone_without_srtp_is_refused_where_it_is_required(house: House, desk_phone: StartPhone) -> None:
    phone = await asyncio.to_thread(desk_phone, REFUSED)
    async with page_at(house.gateway.signal_url, user="bob"):
        phone.call(f"sip:101@127.0.0.1:{house.gateway.sip_port}")
        await phone.program.says("488")
