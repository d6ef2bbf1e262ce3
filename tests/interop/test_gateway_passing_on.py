"""A codec that webtrunk does not speak, between a page and a scripted trunk that share it and another one.

What is called iLBC here is G.711 under another name, so that both ends can speak it; the gateway cannot know.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import pytest

from tests.harness.pagelike import CHROMIUM_OFFER, Audio, Message, PageCall, PageLike, page_at
from tests.harness.patience import PATIENCE_S, eventually
from tests.harness.tonephone import LOUD, TonePhone, share, tone_speech
from tests.interop.page_line import Exchange, exchange_with, take
from tests.interop.sip_peer import Dialog, Peer, sdp

pytestmark = pytest.mark.interop

PHONE_HZ, PAGE_HZ = 440, 700
ILBC: Final = 96
"""The payload type that we offer it by."""
PASSED_ON: Final = "Both speak ILBC: relayed without transcoding (it can only be passed on, and both sides have it)."
RELAYED: Final = (
    "Both speak PCMU: relayed without transcoding (the route prefers the trunk's own codec, to save transcoding)."
)


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """With a trunk that has iLBC last, and one that has it first."""
    trunks = {
        "last": {"codecs": ["PCMA", "iLBC/8000"], "prefer": "cpu"},
        "first": {"codecs": ["iLBC/8000", "PCMU"], "prefer": "cpu"},
    }
    with exchange_with(tmp_path_factory.mktemp("passing"), trunks) as exchange:
        yield exchange


def ilbc(port: int) -> str:
    """An answer that takes iLBC."""
    return sdp(port, codecs=(0, 101)).replace("AVP 0", f"AVP {ILBC}").replace("0 PCMU", f"{ILBC} iLBC")


@dataclass
class Line:
    """A call that the trunk has answered, of a page that says iLBC and means `mask`."""

    exchange: Exchange
    page: PageLike
    call: PageCall
    dialog: Dialog
    phone: TonePhone
    offer: str
    """What the trunk was offered."""
    mask: str

    async def change_over(self, codecs: str) -> None:
        """Do as the gateway asks, on a new connection, since aiortc keeps the codec of the first one."""
        await self.call.until("call.renegotiate")
        await self.call.close()
        self.call.audio = Audio(tone_speech(PAGE_HZ))
        offer = masked(await self.call.audio.offer(), self.mask)
        await self.page.send({"type": "call.offer", "call": self.call.name, "sdp": offer})
        await self.call.audio.answer(unmasked(await self.call.until("call.answer-sdp", codec=codecs), self.mask))
        await self.call.audio.connected()

    async def both_hear(self) -> None:
        await self.phone.hears(PAGE_HZ)
        async with asyncio.timeout(PATIENCE_S):
            while share(*await self.call.listen(0.5), PHONE_HZ) < LOUD:
                pass

    async def page_talks(self) -> None:
        """Wait until the gateway has taken some more packets of the page."""
        record = f"calls/{await self.call.record_id()}"

        def taken() -> int:
            return int(self.exchange.gateway.ask(record)["media"]["browser"]["rx_packets"])

        before = taken()
        await eventually(lambda: taken() >= before + 10)


def masked(offer: str, mask: str) -> str:
    return offer.replace(f"{mask}/8000", "iLBC/8000")


def unmasked(answer: Message, mask: str) -> str:
    return str(answer["sdp"]).replace("ILBC/8000", f"{mask}/8000")


@asynccontextmanager
async def answered(exchange: Exchange, trunk: str, taken: int, *, mask: str) -> AsyncIterator[Line]:
    """A call of a page that offers `mask` as iLBC, on a connection that stands; the trunk took this payload type."""
    phone, audio = TonePhone(PHONE_HZ, payload_type=taken), Audio(tone_speech(PAGE_HZ))
    port = phone.open()
    answer = ilbc(port) if taken == ILBC else sdp(port, codecs=(taken, 101))
    async with Peer.open(exchange.ports[trunk]) as peer, page_at(exchange.gateway.signal_url, user="alice") as page:
        call = await page.call_without_audio(trunk, masked(await audio.offer(), mask))
        call.audio = audio
        invite = await peer.request("INVITE")
        await audio.answer(unmasked(await call.until("call.answer-sdp"), mask))
        dialog = await take(call, peer, invite, phone, answer)
        try:
            yield Line(exchange, page, call, dialog, phone, invite.body, mask)
        finally:
            await phone.close()


@pytest.mark.parametrize(
    ("trunk", "offered", "taken", "mask", "codecs"),
    [("last", "8 96 101", ILBC, "PCMU", PASSED_ON), ("first", "96 0 101", 0, "PCMA", RELAYED)],
    ids=["the one only passed on", "the other one"],
)
async def test_whichever_codec_the_trunk_takes_is_heard_once_the_page_has_changed_over(
    exchange: Exchange, trunk: str, offered: str, taken: int, mask: str, codecs: str
) -> None:
    async with answered(exchange, trunk, taken, mask=mask) as line:
        assert f"RTP/AVP {offered}\r\n" in line.offer
        await line.page_talks()
        assert line.phone.heard == [], "nothing goes where it could not be understood"
        await line.change_over(codecs)
        await line.both_hear()
        assert {heard.packet.payload_type for heard in line.phone.heard} == {taken}
        assert (await line.call.hang_up())["cause"] == "hangup"


async def test_a_trunk_that_takes_what_the_page_was_given_is_heard_at_once(exchange: Exchange) -> None:
    async with answered(exchange, "first", ILBC, mask="PCMU") as line:
        await line.both_hear()
        assert "call.renegotiate" not in [message["type"] for message in line.call.messages]
        assert (await line.call.hang_up())["cause"] == "hangup"


async def test_a_page_that_does_not_change_over_loses_its_call_in_words(exchange: Exchange) -> None:
    async with answered(exchange, "last", ILBC, mask="PCMU") as line:
        ended = await line.call.ended(2 * PATIENCE_S)
        assert ended["cause"] == "no-common-media"
        assert "speaks PCMA and the trunk ILBC" in ended["sentence"]
        assert "speaks PCMA and the trunk ILBC" in (await line.dialog.request("BYE")).header("Reason")
        media = (await exchange.gateway.record(await line.call.record_id()))["media"]
        assert media["trunk"]["rx_packets"] > 0
        assert (line.phone.heard, media["browser"]["tx_packets"]) == ([], 0), "nothing went where it was no use"


async def test_a_page_without_it_lets_the_trunk_be_offered_the_rest(exchange: Exchange) -> None:
    async with Peer.open(exchange.ports["first"]) as peer, page_at(exchange.gateway.signal_url, user="alice") as page:
        call = await page.call_without_audio("first", CHROMIUM_OFFER)
        invite = await peer.request("INVITE")
        assert "RTP/AVP 0 101\r\n" in invite.body
        peer.reply(invite, 488, "Not Acceptable Here")
        assert (await call.ended())["cause"] == "no-common-media"
        await peer.request("ACK")


async def test_a_caller_that_takes_it_of_our_offer_hears_in_words_that_the_page_has_it_not(exchange: Exchange) -> None:
    async with Peer.open(exchange.ports["first"]) as peer, page_at(exchange.gateway.signal_url, user="alice") as page:
        dialog = peer.dial(exchange.gateway.sip_port, number="alice")
        _, call = await page.rings()
        await page.send({"type": "call.accept", "call": call.name, "sdp": CHROMIUM_OFFER})
        assert "RTP/AVP 0 96 101\r\n" in (await dialog.response(200)).body
        dialog.ack(ilbc(50000))
        assert "cannot transcode" in (await dialog.request("BYE")).header("Reason")
        assert (await call.ended())["cause"] == "no-common-media"
