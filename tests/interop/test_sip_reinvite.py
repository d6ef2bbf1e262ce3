"""Offers in the middle of a call: hold, UPDATE, late offers, glare (RFC 3261 §14, RFC 3311)."""

from __future__ import annotations

import pytest

from sip.messages import (
    Accept,
    Answered,
    Ended,
    Incoming,
    Reanswer,
    Reanswered,
    Release,
    Reoffer,
    Reoffered,
    Ringing,
)
from tests.interop.sip_line import ANSWER, line_to
from tests.interop.sip_peer import Peer, open_peer, sdp

peer = pytest.fixture(open_peer)

HOLD = sdp(50000, direction="sendonly", version=2, codecs=(8, 101))
HELD = sdp(40000, direction="recvonly", version=2, codecs=(8, 101))


async def test_the_peer_holds_and_takes_back(peer: Peer) -> None:
    async with line_to(peer) as gateway:
        dialog, leg = await gateway.call_in(peer)
        dialog.send("INVITE", body=HOLD)
        offered = await gateway.expect(Reoffered)
        assert offered.leg == leg
        assert "a=sendonly" in str(offered.sdp)
        gateway.agent.post(Reanswer(leg, 200, HELD))
        assert "a=recvonly" in (await dialog.response(200)).body
        dialog.ack()
        dialog.send("INVITE", body=sdp(50002, version=3, codecs=(8, 101)))
        assert "m=audio 50002" in str((await gateway.expect(Reoffered)).sdp)
        gateway.agent.post(Reanswer(leg, 200, sdp(40000, version=3, codecs=(8, 101))))
        assert "a=sendrecv" in (await dialog.response(200)).body
        dialog.ack()
        await dialog.bye()
        assert (await gateway.expect(Ended)).by == "peer"


async def test_a_refused_offer_leaves_the_call_as_it_was(peer: Peer) -> None:
    async with line_to(peer) as gateway:
        dialog, leg = await gateway.call_in(peer)
        dialog.send("INVITE", body=HOLD)
        await gateway.expect(Reoffered)
        gateway.agent.post(Reanswer(leg, 488))
        await dialog.response(488)
        dialog.ack_refusal()
        dialog.send("INVITE", body=HOLD)
        await gateway.expect(Reoffered)
        gateway.agent.post(Reanswer(leg, 200, HELD))
        assert "a=recvonly" in (await dialog.response(200)).body


async def test_an_update_with_an_offer_waits_for_our_answer(peer: Peer) -> None:
    async with line_to(peer) as gateway:
        dialog, leg = await gateway.call_in(peer)
        dialog.send("UPDATE", body=HOLD)
        branch = dialog.branch
        assert "a=sendonly" in str((await gateway.expect(Reoffered)).sdp)
        dialog.send("UPDATE", body=HOLD, cseq=dialog.cseq, branch=branch)  # a retransmission meanwhile
        gateway.agent.post(Reanswer(leg, 200, HELD))
        answer = await peer.heard(lambda m: m.status == 200 and "UPDATE" in m.header("CSeq"))
        assert "a=recvonly" in answer.body
        await dialog.bye()
        assert isinstance(await gateway.next_event(), Ended)


async def test_a_refused_update_leaves_the_call_as_it_was(peer: Peer) -> None:
    async with line_to(peer) as gateway:
        dialog, leg = await gateway.call_in(peer)
        dialog.send("UPDATE", body=HOLD)
        await gateway.expect(Reoffered)
        gateway.agent.post(Reanswer(leg, 488))
        await dialog.response(488)
        await dialog.bye()
        assert (await gateway.expect(Ended)).by == "peer"


async def test_an_update_without_sdp_only_refreshes(peer: Peer) -> None:
    async with line_to(peer) as gateway:
        dialog, _ = await gateway.call_in(peer)
        dialog.send("UPDATE")
        await peer.heard(lambda m: m.status == 200 and "UPDATE" in m.header("CSeq"))
        await dialog.bye()
        assert (await gateway.expect(Ended)).by == "peer"


async def test_an_early_update_moves_the_early_media(peer: Peer) -> None:
    async with line_to(peer) as gateway:
        invite = await gateway.place(peer)
        reliable = ["Require: 100rel", "RSeq: 1"]
        peer.reply(invite, 183, "Progress", headers=reliable, body=ANSWER)
        await gateway.expect(Ringing)
        prack = await peer.request("PRACK")
        peer.reply(prack, 200, "OK")
        dialog = peer.join(invite)
        dialog.send("UPDATE", body=sdp(50500, version=2, codecs=(8, 101)))
        moved = await gateway.expect(Ringing)
        assert "m=audio 50500" in str(moved.sdp)
        answer = await peer.heard(lambda m: m.status == 200 and "UPDATE" in m.header("CSeq"))
        assert "m=audio 40000" in answer.body
        peer.reply(invite, 200, "OK")
        assert "m=audio 50500" in (await gateway.expect(Answered)).sdp


async def test_a_reinvite_without_sdp_gets_our_offer_and_its_answer_is_told(peer: Peer) -> None:
    async with line_to(peer) as gateway:
        dialog, leg = await gateway.call_in(peer)
        dialog.send("INVITE")
        assert (await gateway.expect(Reoffered)).sdp is None
        gateway.agent.post(Reanswer(leg, 200, sdp(40002, version=2)))
        assert "m=audio 40002 RTP/AVP 8 0 101" in (await dialog.response(200)).body
        dialog.ack(sdp(50600, version=2, codecs=(8, 101)))
        told = await gateway.expect(Reanswered)
        assert told.status == 200
        assert "m=audio 50600" in str(told.sdp)


async def test_our_hold_is_answered(peer: Peer) -> None:
    async with line_to(peer) as gateway:
        dialog = await gateway.call_out(peer)
        gateway.agent.post(Reoffer("a1", sdp(40000, direction="sendonly", version=2)))
        reinvite = await dialog.request("INVITE")
        assert "a=sendonly" in reinvite.body
        peer.reply(reinvite, 200, "OK", body=sdp(50000, direction="recvonly", version=2, codecs=(8, 101)))
        answered = await gateway.expect(Reanswered)
        assert (answered.leg, answered.status) == ("a1", 200)
        assert "a=recvonly" in str(answered.sdp)


async def test_our_refused_offer_keeps_the_call(peer: Peer) -> None:
    async with line_to(peer) as gateway:
        dialog = await gateway.call_out(peer)
        for status in (488, 491):
            gateway.agent.post(Reoffer("a1", sdp(40000, direction="sendonly", version=status)))
            peer.reply(await dialog.request("INVITE"), status, "No")
            assert await gateway.expect(Reanswered) == Reanswered("a1", status, None)
        gateway.agent.post(Reoffer("a1", sdp(40010, version=9)))
        reinvite = await dialog.request("INVITE")
        assert "m=audio 40010" in reinvite.body
        peer.reply(reinvite, 200, "OK", body=ANSWER)
        assert (await gateway.expect(Reanswered)).status == 200


async def test_crossing_offers_end_in_491(peer: Peer) -> None:
    """RFC 3261 §14.2."""
    async with line_to(peer) as gateway:
        dialog = await gateway.call_out(peer)
        gateway.agent.post(Reoffer("a1", sdp(40000, direction="sendonly", version=2)))
        ours = await dialog.request("INVITE")
        dialog.send("INVITE", body=HOLD)
        await dialog.response(491)
        peer.reply(ours, 200, "OK", body=ANSWER)
        assert (await gateway.expect(Reanswered)).status == 200


async def test_a_second_offer_of_ours_while_one_is_out_is_refused_here(peer: Peer) -> None:
    async with line_to(peer) as gateway:
        dialog = await gateway.call_out(peer)
        gateway.agent.post(Reoffer("a1", sdp(40000, direction="sendonly", version=2)))
        first = await dialog.request("INVITE")
        gateway.agent.post(Reoffer("a1", sdp(40000, version=3)))
        assert await gateway.expect(Reanswered) == Reanswered("a1", 491, None)
        peer.reply(first, 200, "OK", body=ANSWER)
        assert (await gateway.expect(Reanswered)).status == 200


async def test_a_dialog_that_the_peer_forgot_ends(peer: Peer) -> None:
    async with line_to(peer) as gateway:
        dialog = await gateway.call_out(peer)
        gateway.agent.post(Reoffer("a1", sdp(40000, direction="sendonly", version=2)))
        peer.reply(await dialog.request("INVITE"), 481, "Call Does Not Exist")
        ended = await gateway.expect(Ended)
        assert (ended.by, ended.status, ended.phrase) == ("peer", 481, "Call Does Not Exist")


async def test_srtp_offers_pass_untouched(peer: Peer) -> None:
    secure = sdp(50000, codecs=(8, 101)).replace("RTP/AVP", "RTP/SAVP")
    secure += "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n"
    async with line_to(peer) as gateway:
        dialog = peer.dial(gateway.port, body=secure)
        incoming = await gateway.expect(Incoming)
        assert "RTP/SAVP" in str(incoming.sdp)
        assert "a=crypto:1" in str(incoming.sdp)
        gateway.agent.post(Accept(incoming.leg, secure.replace("50000", "40000")))
        answer = await dialog.response(200)
        assert "RTP/SAVP" in answer.body
        assert "a=crypto:1" in answer.body


async def test_an_offer_that_nobody_could_speak_is_refused(peer: Peer) -> None:
    strange = sdp(50000, codecs=(8,)).replace("RTP/AVP 8", "RTP/AVP 96").replace("8 PCMA/8000", "96 NOISE/16000")
    async with line_to(peer) as gateway:
        dialog = peer.dial(gateway.port, body=strange)
        await dialog.response(488)
        dialog.ack_refusal()
        await gateway.calls_left(0)


async def test_an_offer_that_still_waits_when_the_call_ends_is_refused(peer: Peer) -> None:
    async with line_to(peer) as gateway:
        dialog, leg = await gateway.call_in(peer)
        dialog.send("UPDATE", body=HOLD)
        await gateway.expect(Reoffered)
        gateway.agent.post(Release(leg))
        await peer.heard(lambda m: m.status >= 400 and "UPDATE" in m.header("CSeq"))
        await dialog.request("BYE")
        await gateway.calls_left(0)
