"""A call that is heard in one direction only is told within seconds, with the likely cause."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from call.oneway import QUIET_S
from tests.harness.gateway import GatewayProcess
from tests.harness.pagelike import PageCall, page_at
from tests.harness.patience import PATIENCE_S
from tests.harness.sipp import Sipp, expect, reply, sdp
from tests.harness.speech import PHONE_SAYS_S, RATE_HZ, Speech
from tests.harness.tonephone import TonePhone, tone_speech
from tests.interop.conftest import G729_PHONES, PHONES, House, PhoneKind
from tests.interop.sip_peer import Peer
from tests.interop.sip_peer import sdp as phone_sdp

pytestmark = pytest.mark.interop

Run = Callable[..., Sipp]
StartPhone = Callable[..., object]


async def test_a_trunk_that_sends_nothing_and_a_muted_microphone_are_told(house: House, sipp: Run) -> None:
    answers = (expect("INVITE"), reply(200, "OK", body=sdp()), expect("ACK"))
    peer = sipp(*answers, expect("BYE"), reply(200, "OK", in_dialog=True))
    async with page_at(house.gateway.signal_url, user="alice") as page:
        call = await page.call("sipp")
        await call.answered()
        sentences = ("Nothing is heard from the far end.", "Your microphone sends only silence.")
        told = {sentence: (await call.until("error", message=sentence))["hint"] for sentence in sentences}
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
    assert all(told_at(live, hint) - live["answered_at"] < 9 for hint in words)


def told_at(record: dict[str, Any], hint: str) -> float:
    """When the gateway noted this of one-way audio, in seconds since 1970: the test itself may hear of it late."""
    notes = (entry for entry in record["journal"] if entry["what"] == "one-way audio")
    (at_ms,) = (entry["at_ms"] for entry in notes if entry["why"] == hint)
    return float(record["started_at"] + at_ms / 1000)


@dataclass
class Scene:
    """A page, which says 1400 Hz, calls a phone whose every packet is ours."""

    gateway: GatewayProcess
    call: PageCall
    phone: TonePhone
    rtp_port: int
    """Where the gateway hears the phone."""
    reply: Callable[[int, str], None]
    """Answer the INVITE, with SDP."""

    async def answer(self) -> None:
        self.reply(200, "OK")
        await self.call.answered()

    async def talk(self) -> None:
        """Answer, talk, and hear the page."""
        await self.answer()
        self.phone.talk(self.rtp_port)
        await self.phone.hears(1400)

    async def live(self) -> dict[str, Any]:
        """The record so far."""
        return dict(await asyncio.to_thread(self.gateway.ask, f"calls/{await self.call.record_id()}"))

    async def told(self, sentence: str, within_s: float, since: float = 0.0) -> str:
        """Wait for a sentence, which is said in time, from the answer on unless told otherwise; its hint."""
        hint = str((await self.call.until("error", within_s + PATIENCE_S, message=sentence))["hint"])
        live = await self.live()
        paused_s = 2 * self.phone.paused_s  # by design it takes twice a pause longer (level.rs)
        assert told_at(live, hint) - (since or live["answered_at"]) < within_s + paused_s
        return hint

    @property
    def sentences(self) -> list[str]:
        """What the page was told so far."""
        return [message["message"] for message in self.call.messages if message["type"] == "error"]


@asynccontextmanager
async def phone_call(house: House, codec: int = 0) -> AsyncIterator[Scene]:
    phone = TonePhone(1900)
    port = phone.open()
    async with Peer.open(house.sipp_port) as peer, page_at(house.gateway.signal_url, user="alice") as page:
        call = await page.call("sipp", tone_speech(1400))
        invite = await peer.request("INVITE")

        def reply(status: int, reason: str) -> None:
            peer.reply(invite, status, reason, ["Content-Type: application/sdp"], phone_sdp(port, codecs=(codec, 101)))

        found = re.search(r"m=audio (\d+)", invite.body)
        assert found
        yield Scene(house.gateway, call, phone, int(found.group(1)), reply)
        await call.hang_up()
    await phone.close()


async def test_a_trunk_whose_packets_stop_in_mid_call_is_told(house: House) -> None:
    async with phone_call(house) as scene:
        await scene.talk()
        scene.phone.say(0, ())
        hint = await scene.told("The far end is no longer heard.", 10, time.time())
    assert "not on hold" in hint


async def test_silence_after_ringback_in_early_media_is_told(house: House) -> None:
    async with phone_call(house) as scene:
        scene.reply(183, "Session Progress")
        scene.phone.talk(scene.rtp_port)
        assert scene.call.audio is not None
        await scene.call.audio.hear_sound()
        scene.phone.say(0, (b"\xff" * 160,))
        await scene.answer()
        await scene.told("The far end sends only silence.", 6.5)


async def test_silence_in_g722_is_told_and_has_no_level(house: House) -> None:
    async with phone_call(house, codec=9) as scene:
        scene.phone.say(9, g722_of_silence(500))
        scene.phone.talk(scene.rtp_port)
        await scene.answer()
        await scene.told("The far end sends only silence.", 6.5)
        trunk = (await scene.live())["media"]["trunk"]
    assert (trunk["codec"], trunk["rx_level_dbov"]) == ("G722", None)


async def test_a_phone_that_falls_silent_in_mid_call_is_told_in_every_codec(
    house: House, desk_phone: StartPhone, linphone: StartPhone, other_speech: Speech
) -> None:
    """Each says its words and then nothing, as if muted: no packet is missing, and no sample has a sound."""
    rest = np.zeros(round(PHONE_SAYS_S * RATE_HZ))
    muted = Speech(Path(), np.concatenate([other_speech.samples, rest]))

    async def told_after_s(user: str, start: StartPhone, kind: PhoneKind) -> float:
        await asyncio.to_thread(start, kind, muted)
        async with page_at(house.gateway.signal_url, user=user) as page:
            call = await page.call(kind.name)
            await call.answered()
            told = await call.until("error", QUIET_S + 30, message="The far end has been silent for a while.")
            await call.hang_up()
        record = await house.gateway.record(await call.record_id())
        trunk = record["media"]["trunk"]
        assert trunk["codec"] == kind.codec
        assert trunk["rx_level_dbov"] > -40
        return told_at(record, told["hint"]) - float(record["answered_at"]) - other_speech.lasts_s

    phones = [*(("alice", desk_phone, kind) for kind in PHONES[:4]), ("bob", linphone, G729_PHONES[0])]
    for after_s in await asyncio.gather(*(told_after_s(*phone) for phone in phones)):
        assert QUIET_S - 2 < after_s < QUIET_S + 8


async def test_a_trunk_that_saves_silence_is_no_fault_while_its_rtcp_comes(house: House) -> None:
    async with phone_call(house) as scene:
        await scene.talk()
        scene.phone.say(0, ())
        for quarter in range(32):
            if quarter % 8 == 0:
                scene.phone.report(scene.rtp_port + 1)
            await scene.phone.hears(1400)
        assert scene.sentences == []
        await scene.told("The far end is no longer heard.", 15, time.time())


async def test_a_browser_whose_audio_stops_while_it_is_connected_is_told(house: House) -> None:
    async with phone_call(house) as scene:
        await scene.talk()
        assert scene.call.audio is not None
        scene.call.audio.stop_talking()
        hint = await scene.told("Your microphone is no longer heard.", 7.5, time.time())
    assert "still connected" in hint


def g722_of_silence(count: int) -> list[bytes]:
    """Packets of 20 ms of zeros, by FFmpeg."""
    encoder = av.CodecContext.create("g722", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = 16_000, "mono", "s16"
    packets = []
    for n in range(count):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 320), np.int16), format="s16", layout="mono")
        frame.sample_rate, frame.pts = 16_000, n * 320
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    return packets
