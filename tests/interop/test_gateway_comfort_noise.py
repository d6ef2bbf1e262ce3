"""Silence between a page and a trunk as comfort noise (RFC 3389): what a scripted phone gets, and what a page hears."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np
import pytest

from tests.harness.gateway import GatewayProcess, settings_for, trunk_to
from tests.harness.pagelike import PageCall, page_at
from tests.harness.ports import free_port
from tests.harness.quietphone import LEVEL, QuietPhone
from tests.harness.speech import Speech, loudness, measure
from tests.harness.tonephone import ULAW_HZ
from tests.interop.sip_peer import Peer, sdp

pytestmark = pytest.mark.interop

WITH_NOISE, WITHOUT = (0, 13, 101), (0, 101)
TONE_HZ = 440


@dataclass(frozen=True)
class Exchange:
    """A gateway with a trunk that has comfort noise, and one that has not."""

    gateway: GatewayProcess
    ports: dict[str, int]


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    directory = tmp_path_factory.mktemp("noise")
    ports = {"quiet": free_port(), "plain": free_port()}
    trunks = {name: trunk_to(port, [name], comfort_noise=name == "quiet") for name, port in ports.items()}
    gateway = GatewayProcess(directory, settings_for(directory, trunk=trunks))
    yield Exchange(gateway, ports)
    gateway.stop()


@dataclass(frozen=True)
class Line:
    """A page in a call, and the trunk's end."""

    call: PageCall
    phone: QuietPhone
    offer: str


@asynccontextmanager
async def line_to(
    exchange: Exchange, trunk: str, codecs: tuple[int, ...], speech: Speech | None = None
) -> AsyncIterator[Line]:
    """A call of a page through a trunk, answered."""
    phone = QuietPhone(TONE_HZ)
    port = phone.open()
    async with Peer.open(exchange.ports[trunk]) as peer, page_at(exchange.gateway.signal_url, user="alice") as page:
        call = await page.call(trunk, speech)
        invite = await peer.request("INVITE")
        peer.reply(invite, 200, "OK", body=sdp(port, codecs=codecs))
        await peer.join(invite).request("ACK")
        found = re.search(r"m=audio (\d+)", invite.body)
        assert found is not None
        phone.talk(int(found.group(1)))
        await call.answered()
        try:
            yield Line(call, phone, invite.body)
        finally:
            await phone.close()
            await call.hang_up()


async def test_a_silent_page_costs_a_trunk_three_packets_a_second(exchange: Exchange) -> None:
    async with line_to(exchange, "quiet", WITH_NOISE) as line:
        assert "a=rtpmap:13 CN/8000\r\n" in line.offer
        await line.phone.hears_noise(8)
        line.phone.assert_one_stream()
        line.phone.assert_talk_is_marked()
        heard, noise = line.phone.heard, line.phone.noise
        assert heard[-8:] == noise[-8:], "nothing but comfort noise"
        assert 2.4 < noise[-1].at - noise[-8].at < 3.4
        assert all(len(packet.packet.payload) == 9 and packet.packet.payload[0] > 60 for packet in noise)
        assert "silence goes to the trunk as comfort noise" in (await line.call.answered())["codec"]


async def test_the_words_of_a_page_arrive_whole_and_its_silences_do_not(exchange: Exchange, speech: Speech) -> None:
    async with line_to(exchange, "quiet", WITH_NOISE, speech) as line:
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
    async with line_to(exchange, trunk, codecs) as line:
        await line.phone.listens(3)
        line.phone.assert_one_stream()
        assert line.phone.noise == []
        assert len(line.phone.heard) >= 145
        assert "comfort noise" not in (await line.call.answered())["codec"]


@pytest.mark.parametrize("trunk", ["quiet", "plain"])
async def test_a_page_hears_what_the_silence_of_a_trunk_sounds_like_and_is_told_of_no_fault(
    exchange: Exchange, trunk: str, speech: Speech
) -> None:
    async with line_to(exchange, trunk, WITH_NOISE, speech) as line:
        await line.call.listen(4)
        samples, _ = await line.call.listen(3)
        level = -20 * np.log10(loudness(samples))
        assert abs(level - LEVEL) < 4, f"{level:.1f}"
        assert not [message for message in line.call.messages if message["type"] == "error"]
