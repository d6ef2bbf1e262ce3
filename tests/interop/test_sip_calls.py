"""The SIP worker through its agent, against a scripted peer: placing, taking and ending calls (RFC 3665 §3)."""

from __future__ import annotations

import asyncio
import re

import pytest

from sip.messages import (
    Accept,
    Answered,
    DtmfRefused,
    Ended,
    Incoming,
    Invite,
    Progress,
    Release,
    Ringing,
    SendDtmf,
)
from tests.interop.sip_line import ANSWER, OFFER, line_to
from tests.interop.sip_peer import HOST, Dialog, Peer, open_peer, sdp

peer = pytest.fixture(open_peer)

RINGS_S = 1.5
"""The limit of a call whose 180 must come before, on a busy machine too."""


async def test_an_outgoing_call_carries_our_sdp_and_the_remote_sdp_comes_back(peer: Peer) -> None:
    async with line_to(peer) as line:
        invite = await line.place(peer)
        assert "m=audio 40000 RTP/AVP 8 0 101" in invite.body
        assert invite.start == f"INVITE sip:4711@{HOST}:{peer.port} SIP/2.0"
        peer.reply(invite, 200, "OK", body=ANSWER)
        dialog = peer.join(invite)
        ack = await dialog.request("ACK")
        assert ack.body == ""
        answered = await line.expect(Answered)
        assert "m=audio 50000 RTP/AVP 8 101" in answered.sdp
        line.agent.post(Release("a1"))
        await dialog.request("BYE")
        assert await line.expect(Ended) == Ended("a1", by="us", status=487)


async def test_ringing_then_early_media_then_answer(peer: Peer) -> None:
    async with line_to(peer) as line:
        invite = await line.place(peer)
        peer.reply(invite, 180, "Ringing")
        assert await line.expect(Ringing) == Ringing("a1", 180, None, ())
        peer.reply(invite, 183, "Session Progress", body=sdp(50010))
        early = await line.expect(Ringing)
        assert early.status == 183
        assert early.sdp is not None
        assert "m=audio 50010" in early.sdp
        peer.reply(invite, 200, "OK", body=sdp(50020, version=2))
        await peer.join(invite).request("ACK")
        assert "m=audio 50020" in (await line.expect(Answered)).sdp


async def test_forked_early_media_reports_each_branch_and_the_answer_wins(peer: Peer) -> None:
    async with line_to(peer) as line:
        invite = await line.place(peer)
        peer.reply(invite, 183, "Progress", body=sdp(50100), tag="one")
        assert "m=audio 50100" in str((await line.expect(Ringing)).sdp)
        peer.reply(invite, 183, "Progress", body=sdp(50200), tag="two")
        assert "m=audio 50200" in str((await line.expect(Ringing)).sdp)
        peer.reply(invite, 200, "OK", body=sdp(50200), tag="two")
        ack = await peer.request("ACK")
        assert "tag=two" in ack.header("To")
        assert "m=audio 50200" in (await line.expect(Answered)).sdp


async def test_headers_travel_both_ways_on_an_outgoing_call(peer: Peer) -> None:
    async with line_to(peer) as line:
        headers = (("X-Order", "42"), ("P-Asserted-Identity", "<sip:+49301@example.org>"), ("Diversion", "<sip:1@x>"))
        invite = await line.place(peer, headers=headers, from_user="+49302", from_display='Ann "A" Lee')
        assert [invite.header(name) for name, _ in headers] == [value for _, value in headers]
        assert invite.header("From").startswith('"Ann \\"A\\" Lee" <sip:+49302@')
        peer.reply(invite, 180, "Ringing", headers=["X-Queue: 3"])
        assert (await line.expect(Ringing)).headers == (("X-Queue", "3"),)
        peer.reply(invite, 200, "OK", headers=["X-Agent: Bob", "P-Asserted-Identity: <sip:bob@x>"], body=ANSWER)
        assert (await line.expect(Answered)).headers == (("X-Agent", "Bob"), ("P-Asserted-Identity", "<sip:bob@x>"))
        line.agent.post(Release("a1", headers=(("Reason", "Q.850;cause=16"),)))
        assert (await peer.request("BYE")).header("Reason") == "Q.850;cause=16"


async def test_headers_travel_both_ways_on_an_incoming_call(peer: Peer) -> None:
    async with line_to(peer) as line:
        dialog = peer.dial(line.port, "%2B49%23301", ["X-In: a", "Diversion: <sip:q@z>;reason=unconditional"], ANSWER)
        incoming = await line.expect(Incoming)
        assert incoming.number == "+49#301"
        assert (incoming.from_user, incoming.from_display) == ("peer", "Peer")
        assert incoming.headers == (("X-In", "a"), ("Diversion", "<sip:q@z>;reason=unconditional"))
        assert incoming.source == f"{HOST}:{peer.port}"
        assert incoming.call_id == dialog.call_id
        line.agent.post(Progress(incoming.leg, 180, headers=(("X-Ring", "1"),)))
        assert (await dialog.response(180)).header("X-Ring") == "1"
        line.agent.post(Accept(incoming.leg, OFFER, headers=(("X-Out", "2"),)))
        assert (await dialog.response(200)).header("X-Out") == "2"


async def test_an_incoming_call_rings_with_early_media_and_is_answered(peer: Peer) -> None:
    async with line_to(peer) as line:
        dialog = peer.dial(line.port, body=ANSWER)
        incoming = await line.expect(Incoming)
        assert incoming.sdp is not None
        assert "m=audio 50000" in incoming.sdp
        line.agent.post(Progress(incoming.leg))
        assert (await dialog.response(180)).body == ""
        line.agent.post(Progress(incoming.leg, 183, OFFER))
        assert "m=audio 40000" in (await dialog.response(183)).body
        line.agent.post(Accept(incoming.leg, OFFER))
        assert "m=audio 40000" in (await dialog.response(200)).body
        dialog.ack()
        assert "m=audio 50000" in (await line.expect(Answered)).sdp
        await dialog.bye()
        ended = await line.expect(Ended)
        assert (ended.by, ended.status) == ("peer", 200)


async def test_a_peer_hangs_up_an_outgoing_call_with_a_reason(peer: Peer) -> None:
    async with line_to(peer) as line:
        dialog = await line.call_out(peer)
        dialog.send("BYE", ['Reason: Q.850;cause=31;text="Normal, unspecified"', "X-Stats: PS=1"])
        ended = await line.expect(Ended)
        assert (ended.leg, ended.by, ended.status, ended.q850) == ("a1", "peer", 200, 31)
        assert ("X-Stats", "PS=1") in ended.headers


async def test_we_hang_up_an_incoming_call(peer: Peer) -> None:
    async with line_to(peer) as line:
        dialog, leg = await line.call_in(peer)
        line.agent.post(Release(leg, 200))
        await dialog.request("BYE")
        assert (await line.expect(Ended)).by == "us"


@pytest.mark.parametrize("status", [403, 404, 480, 486, 503, 603])
async def test_a_refusal_is_reported_with_the_peers_own_words(peer: Peer, status: int) -> None:
    async with line_to(peer) as line:
        invite = await line.place(peer)
        peer.reply(invite, status, "No Thanks", headers=["Reason: Q.850;cause=17", "X-Error: 7"])
        await peer.request("ACK")
        ended = await line.expect(Ended)
        assert (ended.by, ended.status, ended.phrase, ended.fault, ended.q850) == ("peer", status, "No Thanks", "", 17)
        assert ("X-Error", "7") in ended.headers


async def test_a_redirect_is_not_followed(peer: Peer) -> None:
    async with line_to(peer) as line:
        invite = await line.place(peer)
        peer.reply(invite, 302, "Moved Temporarily")
        await peer.request("ACK")
        ended = await line.expect(Ended)
        assert (ended.by, ended.status, ended.phrase) == ("peer", 302, "Moved Temporarily")
        assert await line.is_quiet(peer, "INVITE")


async def test_a_refused_incoming_call_gets_our_status_and_reason(peer: Peer) -> None:
    async with line_to(peer) as line:
        dialog = peer.dial(line.port, body=ANSWER)
        incoming = await line.expect(Incoming)
        line.agent.post(Release(incoming.leg, 486, "Busy Here", (("Reason", "Q.850;cause=17"),)))
        refusal = await dialog.response(486)
        dialog.ack_refusal()
        assert refusal.start == "SIP/2.0 486 Busy Here"
        assert refusal.header("Reason") == "Q.850;cause=17"
        assert await line.expect(Ended) == Ended(incoming.leg, by="us", status=486)


async def test_cancel_while_ringing(peer: Peer) -> None:
    async with line_to(peer) as line:
        invite = await line.place(peer)
        peer.reply(invite, 180, "Ringing")
        await line.expect(Ringing)
        line.agent.post(Release("a1"))
        await peer.request("CANCEL")
        peer.reply(invite, 487, "Request Terminated")
        await peer.request("ACK")
        assert await line.expect(Ended) == Ended("a1", by="us", status=487)
        await line.calls_left(0)


async def test_cancel_waits_for_the_first_provisional_response(peer: Peer) -> None:
    async with line_to(peer) as line:
        invite = await line.place(peer)
        line.agent.post(Release("a1"))
        assert await line.expect(Ended) == Ended("a1", by="us", status=487)
        assert await line.is_quiet(peer, "CANCEL")
        peer.reply(invite, 180, "Ringing")
        await peer.request("CANCEL")
        peer.reply(invite, 487, "Request Terminated")
        await peer.request("ACK")
        await line.calls_left(0)


async def test_an_answer_that_crosses_our_cancel_is_acknowledged_and_hung_up(peer: Peer) -> None:
    """RFC 5407 §3.1.2."""
    async with line_to(peer) as line:
        invite = await line.place(peer)
        peer.reply(invite, 180, "Ringing")
        await line.expect(Ringing)
        line.agent.post(Release("a1"))
        await peer.request("CANCEL")
        peer.reply(invite, 200, "OK", body=ANSWER)
        await peer.request("ACK")
        await peer.request("BYE")
        assert (await line.expect(Ended)).by == "us"
        await line.calls_left(0)


async def test_an_answer_before_any_provisional_response_after_release_is_hung_up(peer: Peer) -> None:
    async with line_to(peer) as line:
        invite = await line.place(peer)
        line.agent.post(Release("a1"))
        await line.expect(Ended)
        peer.reply(invite, 200, "OK", body=ANSWER)
        await peer.request("ACK")
        await peer.request("BYE")
        await line.calls_left(0)


async def test_a_caller_gives_up(peer: Peer) -> None:
    async with line_to(peer) as line:
        dialog = peer.dial(line.port, body=ANSWER)
        incoming = await line.expect(Incoming)
        line.agent.post(Progress(incoming.leg))
        await dialog.response(180)
        dialog.cancel(['Reason: SIP;cause=200;text="Call completed elsewhere"', "Reason: Q.850;cause=26"])
        await peer.heard(lambda m: m.status == 200 and "CANCEL" in m.header("CSeq"))
        await dialog.response(487)
        dialog.ack_refusal()
        ended = await line.expect(Ended)
        assert (ended.by, ended.status, ended.q850) == ("peer", 487, 26)


async def test_nobody_answers_within_the_calls_own_limit(peer: Peer) -> None:
    async with line_to(peer) as line:
        invite = await line.place(peer, timeout_s=RINGS_S)
        peer.reply(invite, 180, "Ringing")
        await line.expect(Ringing)
        ended = await line.expect(Ended)
        assert (ended.by, ended.status) == ("us", 408)
        assert f"{RINGS_S} s" in ended.detail
        await peer.request("CANCEL")


async def test_late_offer_is_answered_in_the_ack(peer: Peer) -> None:
    """RFC 3261 §13.2.1: an INVITE without SDP; our 200 holds the offer."""
    async with line_to(peer) as line:
        dialog = peer.dial(line.port)
        incoming = await line.expect(Incoming)
        assert incoming.sdp is None
        line.agent.post(Progress(incoming.leg))
        await dialog.response(180)
        line.agent.post(Accept(incoming.leg, OFFER))
        assert "m=audio 40000" in (await dialog.response(200)).body
        dialog.ack(sdp(50300, codecs=(8, 101)))
        assert "m=audio 50300 RTP/AVP 8 101" in (await line.expect(Answered)).sdp


async def test_an_answer_without_sdp_ends_the_call_with_words(peer: Peer) -> None:
    async with line_to(peer) as line:
        invite = await line.place(peer)
        peer.reply(invite, 200, "OK")
        await peer.request("ACK")
        await peer.request("BYE")
        ended = await line.expect(Ended)
        assert (ended.by, ended.fault) == ("fault", "media")
        assert "without SDP" in ended.detail


async def test_unusual_numbers_are_escaped_and_line_breaks_refused(peer: Peer) -> None:
    async with line_to(peer) as line:
        line.agent.post(Invite("a1", "peer", "*31#0 1@x;y", OFFER))
        invite = await peer.request("INVITE")
        assert f"sip:*31%230%201%40x;y@{HOST}" in invite.start  # `;` may stand in a user part
        peer.reply(invite, 100, "Trying")
        line.agent.post(Invite("a2", "peer", "1", OFFER, headers=(("X-A", "b\r\nVia: evil"),)))
        ended = await line.expect(Ended)
        assert ended.leg == "a2"
        assert "line break" in ended.detail
        assert await line.is_quiet(peer, "INVITE")
        peer.reply(invite, 486, "Busy Here")


async def test_info_digits_arrive_once(peer: Peer) -> None:
    async with line_to(peer) as line:
        dialog, leg = await line.call_in(peer)
        relay = ["Content-Type: application/dtmf-relay"]
        dialog.send("INFO", relay, "Signal=5\r\nDuration=120\r\n")
        again = dialog.branch
        await dialog.response(200)
        dialog.send("INFO", relay, "Signal=5\r\nDuration=120\r\n", cseq=dialog.cseq, branch=again)
        dialog.send("INFO", ["Content-Type: application/dtmf"], "#")
        digits = [(await line.expect_dtmf()) for _ in range(2)]
        assert [(d.leg, d.digit, d.duration_ms) for d in digits] == [(leg, "5", 120), (leg, "#", 160)]
        dialog.send("INFO", ["Content-Type: text/plain"], "hello")
        await dialog.response(415)


async def test_an_info_without_a_body_is_a_keep_alive(peer: Peer) -> None:
    async with line_to(peer) as line:
        dialog, _ = await line.call_in(peer)
        dialog.send("INFO")
        await dialog.response(200)
        dialog.send("INFO", ["Content-Type: application/dtmf"], "#")
        assert (await line.expect_dtmf()).digit == "#"


async def test_options_from_a_trunk_is_answered(peer: Peer) -> None:
    async with line_to(peer) as line:
        dialog = Dialog(peer, f"sip:{HOST}:{line.port}", (HOST, line.port), "<sip:p@x>;tag=1", "<sip:x@y>", "opt-1")
        dialog.send("OPTIONS")
        await dialog.response(200)
        dialog.send("FOO")
        await dialog.response(405)


async def test_keep_alive_options_inside_a_dialog_are_answered(peer: Peer) -> None:
    async with line_to(peer) as line:
        dialog, _ = await line.call_in(peer)
        dialog.send("OPTIONS")
        await peer.heard(lambda m: m.status == 200 and "OPTIONS" in m.header("CSeq"))


async def test_a_stranger_gets_no_answer(peer: Peer) -> None:
    async with line_to(peer, host="192.0.2.1") as line:
        for method in ("INVITE", "OPTIONS", "REGISTER"):
            stranger = Dialog(
                peer, f"sip:1@{HOST}:{line.port}", (HOST, line.port), "<sip:p@x>;tag=1", "<sip:x@y>", f"s-{method}"
            )
            stranger.send(method)
        assert await line.is_quiet(peer, "")


async def test_many_calls_leave_nothing_behind(peer: Peer) -> None:
    async with line_to(peer) as line:
        for number in range(40):
            line.agent.post(Invite(f"m{number}", "peer", str(number), OFFER))
        invites = [await peer.request("INVITE") for _ in range(40)]
        for position, invite in enumerate(invites):
            peer.reply(invite, 486 if position % 2 else 200, "X", body="" if position % 2 else ANSWER)
        events = [await line.next_event() for _ in range(40)]
        answered = [event for event in events if isinstance(event, Answered)]
        assert len(answered) == len([event for event in events if isinstance(event, Ended)]) == 20
        for event in answered:
            line.agent.post(Release(event.leg))
        await line.calls_left(0)


async def test_commands_for_an_unknown_leg_are_harmless(peer: Peer) -> None:
    async with line_to(peer) as line:
        line.agent.post(Release("nobody"))
        line.agent.post(Accept("nobody", OFFER))
        line.agent.post(Progress("nobody"))
        dialog = await line.call_out(peer)
        assert re.match(r"sip:", dialog.target)
        line.agent.post(Release("a1"))
        await asyncio.gather(dialog.request("BYE"), line.expect(Ended))
        line.agent.post(Release("a1"))


async def test_digits_go_out_by_info_one_after_the_other(peer: Peer) -> None:
    async with line_to(peer) as line:
        dialog, leg = await line.call_in(peer)
        line.agent.post(SendDtmf(leg, "1#", 120))
        first = await dialog.request("INFO")
        assert first.header("Content-Type") == "application/dtmf-relay"
        assert first.body == "Signal=1\r\nDuration=120\r\n"
        assert await line.is_quiet(peer, "INFO")
        peer.reply(first, 415, "Unsupported Media Type", ["Accept: application/dtmf"])
        for key in "1#":
            info = await dialog.request("INFO")
            assert (info.header("Content-Type"), info.body) == ("application/dtmf", key)
            peer.reply(info, 200, "OK")
        line.agent.post(SendDtmf(leg, "9", 120))
        peer.reply(await dialog.request("INFO"), 501, "Not Implemented")
        refused = await line.expect(DtmfRefused)
        assert (refused.leg, refused.digits, refused.status) == (leg, "9", 501)


async def test_an_info_that_is_no_digit_is_refused(peer: Peer) -> None:
    async with line_to(peer) as line:
        dialog, _ = await line.call_in(peer)
        dialog.send("INFO", ["Content-Type: application/dtmf-relay"], "Signal=hello\r\n")
        await dialog.response(400)
        dialog.send("INFO", ["Content-Type: application/dtmf-relay"], "Signal=hf\r\n")
        await dialog.response(200)
        assert (await line.expect_dtmf()).digit == ""
