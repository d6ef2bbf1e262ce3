"""Silence between a page and a trunk as comfort noise (RFC 3389): what a scripted phone gets, and what a page hears."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.harness.quietphone import LEVEL, QuietPhone
from tests.harness.speech import Speech, loudness, measure
from tests.harness.tonephone import ULAW_HZ
from tests.interop.page_line import Exchange, exchange_with, line_to

pytestmark = pytest.mark.interop

WITH_NOISE, WITHOUT = (0, 13, 101), (0, 101)
TONE_HZ = 440


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """With a trunk that has comfort noise, and one that has not."""
    with exchange_with(tmp_path_factory.mktemp("noise"), {"quiet": {"comfort_noise": True}, "plain": {}}) as exchange:
        yield exchange


async def test_a_silent_page_costs_a_trunk_three_packets_a_second(exchange: Exchange) -> None:
    async with line_to(exchange, "quiet", QuietPhone(TONE_HZ), WITH_NOISE) as line:
        assert "a=rtpmap:13 CN/8000\r\n" in line.offer
        await line.phone.hears_noise(8)
        line.phone.assert_one_stream()
        line.phone.assert_talk_is_marked()
        heard, noise = line.phone.heard, line.phone.noise
        assert heard[-8:] == noise[-8:], "nothing but comfort noise"
        assert abs(noise[-1].at - noise[-8].at - 2.9) < 0.5 + line.phone.late_s
        assert all(len(packet.packet.payload) == 9 and packet.packet.payload[0] > 60 for packet in noise)
        assert "silence goes to the trunk as comfort noise" in (await line.call.answered())["codec"]


async def test_the_words_of_a_page_arrive_whole_and_its_silences_do_not(exchange: Exchange, speech: Speech) -> None:
    async with line_to(exchange, "quiet", QuietPhone(TONE_HZ), WITH_NOISE, speech) as line:
        await line.phone.listens(3 * speech.lasts_s)
        line.phone.assert_one_stream()
        line.phone.assert_talk_is_marked()
        sound = line.phone.sound()
        last = sound[-round(2 * speech.lasts_s * ULAW_HZ) :]
        quality = measure(speech, last, ULAW_HZ)
        assert quality.is_good, quality
        sent = len(line.phone.heard) / (len(sound) / 160)
        assert sent < 0.9, f"{sent:.0%} of the packets"


@pytest.mark.parametrize(("trunk", "codecs"), [("quiet", WITHOUT), ("plain", WITH_NOISE)])
async def test_a_trunk_gets_every_packet_unless_both_sides_have_comfort_noise(
    exchange: Exchange, trunk: str, codecs: tuple[int, ...]
) -> None:
    async with line_to(exchange, trunk, QuietPhone(TONE_HZ), codecs) as line:
        await line.phone.listens(3)
        line.phone.assert_one_stream()
        assert line.phone.noise == []
        assert len(line.phone.heard) >= 145 - 50 * line.phone.paused_s
        assert "comfort noise" not in (await line.call.answered())["codec"]


@pytest.mark.parametrize("trunk", ["quiet", "plain"])
async def test_a_page_hears_what_the_silence_of_a_trunk_sounds_like_and_is_told_of_no_fault(
    exchange: Exchange, trunk: str, speech: Speech
) -> None:
    async with line_to(exchange, trunk, QuietPhone(TONE_HZ), WITH_NOISE, speech) as line:
        await line.call.listen(4)
        samples, _ = await line.call.listen(3)
        level = -20 * np.log10(loudness(samples))
        assert abs(level - LEVEL) < 4, f"{level:.1f}"
        assert not [message for message in line.call.messages if message["type"] == "error"]
