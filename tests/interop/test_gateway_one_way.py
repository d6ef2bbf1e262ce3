"""A call that is heard in one direction only is told within seconds, with the likely cause."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable

import pytest

from tests.harness.pagelike import page_at
from tests.harness.sipp import Sipp, expect, reply, sdp
from tests.harness.tonephone import TonePhone, tone_speech
from tests.interop.conftest import House
from tests.interop.sip_peer import Peer
from tests.interop.sip_peer import sdp as phone_sdp

pytestmark = pytest.mark.interop

Run = Callable[..., Sipp]


async def test_a_trunk_that_sends_nothing_and_a_muted_microphone_are_told(house: House, sipp: Run) -> None:
    answers = (expect("INVITE"), reply(200, "OK", body=sdp()), expect("ACK"))
    peer = sipp(*answers, expect("BYE"), reply(200, "OK", in_dialog=True))
    async with page_at(house.gateway.signal_url, user="alice") as page:
        call = await page.call("sipp")
        await call.answered()
        began = time.monotonic()
        sentences = ("Nothing is heard from the far end.", "Your microphone sends only silence.")
        told = {sentence: (await call.until("error", 10, message=sentence))["hint"] for sentence in sentences}
        assert time.monotonic() - began < 9
        call_id = await call.record_id()
        live = await asyncio.to_thread(house.gateway.ask, f"calls/{call_id}")
        await call.hang_up()
    await peer.succeeds()
    assert "No packets from the trunk since the answer" in told["Nothing is heard from the far end."]
    assert "microphone muted" in told["Your microphone sends only silence."]
    browser, trunk = live["media"]["browser"], live["media"]["trunk"]
    assert browser["rx_lost"] == 0
    # 4.4, less what a busy machine handed over too late: that counts as lost.
    assert browser["rx_mos"] > 3
    assert browser["rx_level_dbov"] is None
    assert trunk["rx_mos"] is None
    words = {entry["why"] for entry in live["journal"] if entry["what"] == "one-way audio"}
    assert words == set(told.values())


async def test_a_trunk_whose_packets_stop_in_mid_call_is_told(house: House) -> None:
    phone = TonePhone(1900)
    async with Peer.open(house.sipp_port) as peer, page_at(house.gateway.signal_url, user="alice") as page:
        call = await page.call("sipp", tone_speech(1400))
        invite = await peer.request("INVITE")
        peer.reply(invite, 200, "OK", ["Content-Type: application/sdp"], phone_sdp(phone.open(), codecs=(0, 101)))
        found = re.search(r"m=audio (\d+)", invite.body)
        assert found
        phone.talk(int(found.group(1)))
        await call.answered()
        await phone.hears(1400)
        assert call.audio is not None
        await call.audio.hear_sound()
        await phone.close()
        told = await call.until("error", 10, message="The far end is no longer heard.")
        await call.hang_up()
    assert "not on hold" in told["hint"]
