"""What carriers and PBXs want and do beyond a plain call, through the whole gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.harness.pagelike import PageLike, page_at
from tests.interop.page_line import Exchange, exchange_with
from tests.interop.sip_peer import HOST, Peer, sdp
from tests.interop.test_gateway_trunk_floods import answered_by

pytestmark = pytest.mark.interop

AUDIO: Final = sdp(50000)
SECOND_AUDIO: Final = "m=audio 50002 RTP/SAVP 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 40 + "\r\n"
VIDEO: Final = "m=video 50002 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n"
FAX: Final = "m=image 50004 udptl t38\r\na=T38FaxVersion:0\r\na=T38FaxRateManagement:transferredTCF\r\n"
FAX_ONLY: Final = AUDIO.split("m=audio")[0] + FAX
BOTH_WAYS: Final = AUDIO.replace("m=audio 50000", "m=audio 0") + FAX


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    trunks = {"carrier": {"from_host": "home.example"}, "pool": {"host": "127.0.0.9", "sources": [f"{HOST}/32"]}}
    with exchange_with(tmp_path_factory.mktemp("carriers"), trunks) as made:
        yield made


@pytest.fixture
async def page(exchange: Exchange) -> AsyncIterator[PageLike]:
    async with page_at(exchange.gateway.signal_url, user="alice") as made:
        yield made


async def test_from_has_the_domain_that_the_trunk_wants(exchange: Exchange, page: PageLike) -> None:
    async with Peer.open(exchange.ports["carrier"]) as peer:
        call = await page.call_without_audio("carrier")
        invite = await peer.request("INVITE")
        assert "@home.example>" in invite.header("From")
        peer.reply(invite, 486, "Busy Here")
        assert (await call.ended())["cause"] == "busy"
        await peer.request("ACK")


async def test_a_call_from_another_address_of_the_carrier_rings(exchange: Exchange, page: PageLike) -> None:
    async with Peer.open() as peer:
        caller = peer.dial(exchange.gateway.sip_port, number="alice", body=AUDIO)
        await caller.response(180)
        caller.cancel()
        await caller.response(487)
        caller.ack_refusal()


async def test_a_trunk_that_wants_to_know_where_we_are_is_told(tmp_path: Path) -> None:
    account = {"registration": True, "user": "4930", "password": "secret"}
    with exchange_with(tmp_path, {"home": account}) as exchange:
        async with Peer.open(exchange.ports["home"]) as peer:
            register = await peer.request("REGISTER")
            assert f"<sip:4930@{HOST}>" in register.header("To")
            assert f"<sip:4930@{HOST}:{exchange.gateway.sip_port}>" in register.header("Contact")


@pytest.mark.parametrize("offer", [FAX_ONLY, BOTH_WAYS], ids=["fax", "fax-beside-audio-0"])
async def test_an_offer_of_fax_is_refused_and_the_call_goes_on(exchange: Exchange, page: PageLike, offer: str) -> None:
    async with Peer.open(exchange.ports["carrier"]) as peer:
        call, dialog = await answered_by(peer, page, "carrier")
        dialog.send("INVITE", body=offer)
        await dialog.response(488)
        dialog.ack_refusal()
        assert (await call.hang_up())["cause"] == "hangup"
        await dialog.request("BYE")


@pytest.mark.parametrize("more", [SECOND_AUDIO, VIDEO, FAX], ids=["srtp", "video", "fax"])
async def test_what_is_offered_beside_the_audio_is_declined_in_its_place(
    exchange: Exchange, page: PageLike, more: str
) -> None:
    async with Peer.open(exchange.ports["carrier"]) as peer:
        call, dialog = await answered_by(peer, page, "carrier")
        dialog.send("INVITE", body=AUDIO + more)
        media = [line.split() for line in (await dialog.response(200)).body.splitlines() if line.startswith("m=")]
        dialog.ack()
        assert [(line[0], line[1] == "0") for line in media] == [("m=audio", False), (more.split()[0], True)]
        assert (await call.hang_up())["cause"] == "hangup"
        await dialog.request("BYE")
