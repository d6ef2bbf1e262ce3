"""What we announce in Allow and Supported, and what becomes of requests for more (RFC 3261 §8.2)."""

from __future__ import annotations

import pytest

from sip.messages import Accept, Answered, Ended, Incoming, InviteRefused
from tests.interop.sip_line import ANSWER, OFFER, Line, line_to
from tests.interop.sip_peer import Dialog, Peer, open_peer

peer = pytest.fixture(open_peer)


def replaces(running: Dialog) -> str:
    """The header that names a call which we made (RFC 3891 §3): the first tag is that of who receives it."""
    ours, theirs = (value.partition("tag=")[2] for value in (running.remote, running.local))
    return f"Replaces: {running.call_id};to-tag={ours};from-tag={theirs}"


async def is_alive(gateway: Line, peer: Peer, running: Dialog) -> bool:
    running.send("OPTIONS")
    await peer.heard(lambda m: m.status == 200 and "OPTIONS" in m.header("CSeq"))
    return await gateway.is_quiet(peer, "BYE")


async def test_who_requires_to_replace_a_call_is_refused_and_the_call_goes_on(peer: Peer) -> None:
    async with line_to(peer) as gateway:
        running = await gateway.call_out(peer)
        thief = peer.dial(gateway.port, headers=[replaces(running), "Require: replaces"], body=ANSWER)
        assert (await thief.response(420)).header("Unsupported") == "replaces"
        thief.ack_refusal()
        refused = await gateway.expect(InviteRefused)
        assert (refused.status, refused.detail) == (420, "it demands an extension that we do not have (replaces)")
        assert await is_alive(gateway, peer, running)


async def test_who_wishes_to_replace_a_call_makes_a_call_like_any_other(peer: Peer) -> None:
    async with line_to(peer) as gateway:
        running = await gateway.call_out(peer)
        caller = peer.dial(gateway.port, headers=[replaces(running)], body=ANSWER)
        incoming = await gateway.expect(Incoming)
        assert "Replaces" not in dict(incoming.headers)
        gateway.agent.post(Accept(incoming.leg, OFFER))
        await caller.response(200)
        caller.ack()
        assert (await gateway.expect(Answered)).leg == incoming.leg
        assert await is_alive(gateway, peer, running)
        await caller.bye()
        assert (await gateway.expect(Ended)).leg == incoming.leg


async def test_we_announce_nothing_that_we_refuse(peer: Peer) -> None:
    async with line_to(peer) as gateway:
        invite = await gateway.place(peer)
        assert words(invite.header("Allow")) == {"INVITE", "ACK", "BYE", "CANCEL", "UPDATE", "PRACK", "INFO", "OPTIONS"}
        assert words(invite.header("Supported")) == {"100rel", "timer"}
        peer.reply(invite, 486, "Busy Here")


@pytest.mark.parametrize("method", ["REFER", "SUBSCRIBE", "NOTIFY", "MESSAGE"])
async def test_what_we_do_not_do_in_a_call_is_refused(peer: Peer, method: str) -> None:
    async with line_to(peer) as gateway:
        running = await gateway.call_out(peer)
        running.send(method, ["Refer-To: <sip:expensive@example.net>", "Event: refer"])
        refusal = await running.response(405)
        assert "INVITE" in words(refusal.header("Allow"))
        assert await is_alive(gateway, peer, running)


def words(header: str) -> set[str]:
    return {word.strip() for word in header.split(",")}
