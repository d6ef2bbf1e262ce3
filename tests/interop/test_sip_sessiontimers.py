"""Session timers (RFC 4028): who refreshes, what the answer says, and what ends a call and what does not.

A session lives for 90 s at least, so all that can happen in one happens here at the same time: about a minute.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from sip.messages import Ended, Reanswered
from tests.interop.sip_line import ANSWER, Line, line_to
from tests.interop.sip_peer import Message, Peer, sdp

MOVED = sdp(50500, version=2)
SHORTEST_S = 90
WE_REFRESH = f"Session-Expires: {SHORTEST_S};refresher=uac"
THEY_REFRESH = f"Session-Expires: {SHORTEST_S};refresher=uas"


@contextlib.asynccontextmanager
async def call(timer: str, *more: str) -> AsyncIterator[tuple[Line, Peer]]:
    """A call that we made to a peer that wants its session refreshed, by re-INVITE."""
    async with Peer.open() as peer, line_to(peer) as gateway:
        await gateway.call_out(peer, [timer, "Require: timer", "Supported: timer", *more])
        yield gateway, peer


async def refresh(peer: Peer, method: str = "INVITE") -> Message:
    return await peer.heard(lambda m: m.method == method, SHORTEST_S / 2 + 5)


async def is_quiet_until_the_end(gateway: Line, peer: Peer, seconds: float) -> bool:
    """Whether nothing more is asked of the peer, and the call does not end."""
    with contextlib.suppress(AssertionError):
        await peer.heard(lambda m: bool(m.method), seconds)
        return False
    return gateway.events.empty()


async def the_answer_to_a_refresh_moves_the_far_end() -> None:
    async with call(WE_REFRESH, "Allow: INVITE, ACK, BYE, CANCEL") as (gateway, peer):
        request = await refresh(peer)
        assert "m=audio 40000" in request.body
        peer.reply(request, 200, "OK", headers=[WE_REFRESH], body=MOVED)
        told = await gateway.expect(Reanswered)
        assert told.status == 200
        assert "m=audio 50500" in str(told.sdp)


async def a_refresh_by_update_has_nothing_to_tell() -> None:
    async with call(WE_REFRESH, "Allow: INVITE, ACK, BYE, CANCEL, UPDATE") as (gateway, peer):
        request = await refresh(peer, "UPDATE")
        assert not request.body
        peer.reply(request, 200, "OK", headers=[WE_REFRESH])
        assert await is_quiet_until_the_end(gateway, peer, 2)


async def a_refresh_that_crosses_an_offer_is_tried_again() -> None:
    async with call(WE_REFRESH) as (gateway, peer):
        peer.reply(await refresh(peer), 491, "Request Pending")
        again = await peer.request("INVITE")
        peer.reply(again, 200, "OK", headers=[WE_REFRESH], body=ANSWER)
        assert (await gateway.expect(Reanswered)).status == 200


async def a_refresh_that_is_refused_ends_no_call() -> None:
    async with call(WE_REFRESH) as (gateway, peer):
        peer.reply(await refresh(peer), 488, "Not Acceptable Here")
        await peer.request("ACK")
        assert await is_quiet_until_the_end(gateway, peer, SHORTEST_S / 2 + 3)


async def a_session_that_the_peer_lets_expire_ends_in_words_of_its_own() -> None:
    async with call(THEY_REFRESH) as (gateway, peer):
        await peer.heard(lambda m: m.method == "BYE", SHORTEST_S)
        ended = await gateway.expect(Ended)
        assert (ended.by, ended.fault) == ("fault", "transport")
        assert ended.detail == "It let the session expire: no refresh came in time."


async def test_sessions_are_refreshed_and_expire() -> None:
    async with asyncio.TaskGroup() as together:
        for scene in (
            the_answer_to_a_refresh_moves_the_far_end,
            a_refresh_by_update_has_nothing_to_tell,
            a_refresh_that_crosses_an_offer_is_tried_again,
            a_refresh_that_is_refused_ends_no_call,
            a_session_that_the_peer_lets_expire_ends_in_words_of_its_own,
        ):
            together.create_task(scene(), name=scene.__name__)
