"""A connection that we made for a call breaks: what we say then goes over a new one (RFC 3261 §18.4)."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sip.messages import Answered, Ended, Reanswered, Release, Reoffer, Ringing
from sip.siptext import tag
from sip.stacksettings import UNACKNOWLEDGED_MS
from tests.harness.certificates import Authority
from tests.harness.patience import PATIENCE_S
from tests.interop.sip_line import ANSWER, Line, line, trunk
from tests.interop.sip_peer import Dialog, Message, sdp
from tests.interop.sip_stream_peer import StreamPeer
from tests.interop.test_sip_orphans import all_settled, number

both = pytest.mark.parametrize("kind", ["tcp", "tls"])


@contextlib.asynccontextmanager
async def facing(
    kind: str, folder: Path, user: str = "", password: str = "", buffer: int = 1 << 16, **settings: object
) -> AsyncIterator[tuple[Line, StreamPeer]]:
    """A worker, without a port of its own for connections unless `settings` has one, and the peer that it calls."""
    authority = Authority(folder)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*authority.issue("peer"))
    async with (
        StreamPeer.listen(tls if kind == "tls" else None, buffer=buffer) as peer,
        line(
            trunk(peer, transport=kind, user=user, password=password), tls_ca=str(authority.certificate), **settings
        ) as caller,
    ):
        yield caller, peer


async def cut_off(caller: Line, peer: StreamPeer) -> Dialog:
    """A call is up whose connection has broken, and the worker has read that."""
    dialog = await caller.call_out(peer)
    await peer.break_connections()
    await caller.agent.ping()
    return dialog


async def lost(peer: StreamPeer, method: str) -> Message:
    """A request that the peer does not answer before its connection breaks."""
    peer.confirms = False
    request = await peer.request(method)
    await peer.break_connections()
    return request


@both
async def test_our_bye_goes_over_a_new_connection(kind: str, tmp_path: Path) -> None:
    async with facing(kind, tmp_path) as (caller, peer):
        dialog = await cut_off(caller, peer)
        caller.agent.post(Release("a1"))
        bye = await dialog.request("BYE")
        assert bye.source != dialog.address
        assert (await caller.expect(Ended)).by == "us"
        await caller.calls_left(0)


@both
async def test_our_offer_goes_over_a_new_connection_which_the_peer_can_use(kind: str, tmp_path: Path) -> None:
    async with facing(kind, tmp_path) as (caller, peer):
        dialog = await cut_off(caller, peer)
        caller.agent.post(Reoffer("a1", sdp(40000, version=2)))
        again = await dialog.request("INVITE")
        assert again.source != dialog.address
        assert f":{again.source[1]};transport={kind}>" in again.header("Contact")
        peer.reply(again, 200, "OK", body=sdp(50000, version=2))
        assert (await caller.expect(Reanswered)).status == 200
        dialog.address = again.source
        await dialog.bye()
        assert (await caller.expect(Ended)).by == "peer"


async def test_the_peers_bye_reaches_the_port_in_our_contact(tmp_path: Path) -> None:
    async with facing("tcp", tmp_path, tcp_port=0) as (caller, peer):
        dialog = await cut_off(caller, peer)
        port = caller.agent.started.tcp_port
        assert f":{port};transport=tcp" in dialog.target
        dialog.address = await peer.connect(port or 0)
        await dialog.bye()
        assert (await caller.expect(Ended)).by == "peer"


@both
async def test_a_call_whose_peer_is_gone_can_be_ended(kind: str, tmp_path: Path) -> None:
    async with facing(kind, tmp_path, goodbyes_s=1.0) as (caller, peer):
        await cut_off(caller, peer)
        peer.shut()
        caller.agent.post(Release("a1"))
        assert (await caller.expect(Ended)).by == "us"
        await caller.calls_left(0)


@both
async def test_an_offer_that_cannot_be_sent_leaves_the_call_as_it_was(kind: str, tmp_path: Path) -> None:
    async with facing(kind, tmp_path, goodbyes_s=1.0) as (caller, peer):
        await cut_off(caller, peer)
        peer.shut()
        caller.agent.post(Reoffer("a1", sdp(40000, version=2)))
        assert await caller.expect(Reanswered) == Reanswered("a1", 503, None)
        assert (await caller.agent.ping()).calls == 1


@both
async def test_a_call_that_rings_ends_in_words_when_its_connection_breaks(kind: str, tmp_path: Path) -> None:
    async with facing(kind, tmp_path) as (caller, peer):
        await caller.place(peer)
        await peer.break_connections()
        ended = await caller.expect(Ended)
        assert (ended.by, ended.fault) == ("fault", "transport")
        assert ended.detail == "It closed the connection without an answer."


@both
async def test_a_bye_that_is_lost_with_its_connection_is_said_again(kind: str, tmp_path: Path) -> None:
    async with facing(kind, tmp_path) as (caller, peer):
        routes = [f"Record-Route: <sip:127.0.0.1:{peer.port};transport={kind};lr>"]
        dialog = await caller.call_out(peer, routes)
        caller.agent.post(Release("a1"))
        assert (await caller.expect(Ended)).by == "us"
        first = await lost(peer, "BYE")
        again = await peer.request("BYE")
        assert again.source != first.source
        assert (again.start, again.header("Route")) == (first.start, first.header("Route"))
        assert [tag(again.header(name)) for name in ("From", "To")] == [tag(dialog.remote), tag(dialog.local)]
        assert number(again) > number(first)
        assert not caller.agent.is_settled
        peer.reply(again, 200, "OK")
        await all_settled(caller)


async def test_it_is_said_until_it_gets_through_and_a_challenge_is_answered(tmp_path: Path) -> None:
    async with facing("tcp", tmp_path, user="me", password="correct horse") as (caller, peer):
        await caller.call_out(peer)
        caller.agent.post(Release("a1"))
        for _ in range(2):
            await lost(peer, "BYE")
        third = await peer.request("BYE")
        peer.reply(third, 401, headers=['WWW-Authenticate: Digest realm="r", nonce="n", algorithm=MD5'])
        fourth = await peer.request("BYE")
        assert "Digest" in fourth.header("Authorization")
        assert number(fourth) > number(third)
        peer.reply(fourth, 481)
        await all_settled(caller)
        assert await caller.is_quiet(peer, "BYE")


async def test_a_bye_is_said_again_by_the_next_worker_if_this_one_dies_before(tmp_path: Path) -> None:
    async with facing("tcp", tmp_path) as (caller, peer):
        await caller.call_out(peer)
        peer.confirms = False
        caller.agent.post(Release("a1"))
        first = await peer.request("BYE")
        os.kill(caller.agent.started.pid, signal.SIGKILL)
        await caller.lost.get()
        again = await peer.heard(lambda m: m.method == "BYE" and number(m) > number(first))
        peer.reply(again, 200, "OK")
        await all_settled(caller)


async def test_a_connection_that_nobody_reads_is_given_up_before_the_bye_is(tmp_path: Path) -> None:
    async with facing("tcp", tmp_path, buffer=1 << 12) as (caller, peer):
        dialog = await caller.call_out(peer)
        peer.stop_reading()
        caller.agent.post(Reoffer("a1", sdp(40000, version=2) + "a=x:" + "y" * 7000 + "\r\n"))
        caller.agent.post(Release("a1"))
        bye = await peer.heard(lambda m: m.method == "BYE", UNACKNOWLEDGED_MS / 1000 + PATIENCE_S)
        assert bye.source != dialog.address
        await all_settled(caller)


async def test_a_bye_that_is_lost_as_the_gateway_stops_is_said_again(tmp_path: Path) -> None:
    async with facing("tcp", tmp_path) as (caller, peer):
        await caller.call_out(peer)
        stopping = asyncio.create_task(caller.agent.stop())
        first = await lost(peer, "BYE")
        again = await peer.request("BYE")
        assert number(again) > number(first)
        peer.reply(again, 200, "OK")
        async with asyncio.timeout(2):
            await stopping


async def test_a_worker_stops_in_time_with_a_bye_that_is_lost(tmp_path: Path) -> None:
    async with facing("tcp", tmp_path, goodbyes_s=1.0) as (caller, peer):
        await caller.call_out(peer)
        caller.agent.post(Release("a1"))
        await lost(peer, "BYE")
        peer.shut()
        async with asyncio.timeout(2):
            await caller.agent.stop()


@both
async def test_a_cancel_that_is_lost_with_its_connection_is_said_again(kind: str, tmp_path: Path) -> None:
    async with facing(kind, tmp_path) as (caller, peer):
        invite = await caller.place(peer)
        peer.reply(invite, 180)
        await caller.expect(Ringing)
        caller.agent.post(Release("a1"))
        first = await lost(peer, "CANCEL")
        peer.forget()
        again = await peer.request("CANCEL")
        assert (again.start, number(again)) == (first.start, number(invite))
        assert again.key[2] == invite.key[2], "the branch"
        peer.reply(again, 200, "OK")
        peer.reply(dataclasses.replace(invite, source=again.source), 487)
        assert (await peer.request("ACK")).key[2] == invite.key[2]
        await all_settled(caller)


@both
async def test_a_call_that_rings_is_cancelled_over_a_new_connection_when_its_own_breaks(
    kind: str, tmp_path: Path
) -> None:
    async with facing(kind, tmp_path) as (caller, peer):
        invite = await caller.place(peer)
        peer.reply(invite, 180)
        await caller.expect(Ringing)
        await peer.break_connections()
        assert (await caller.expect(Ended)).fault == "transport"
        cancel = await peer.request("CANCEL")
        peer.reply(dataclasses.replace(invite, source=cancel.source), 200, "OK", body=ANSWER)  # it crosses
        ack, bye = await peer.request("ACK"), await peer.request("BYE")
        assert number(ack) == number(invite)
        assert tag(bye.header("To")) == "peer"
        await all_settled(caller)


async def test_a_200_that_comes_again_over_a_new_connection_is_acknowledged_there(tmp_path: Path) -> None:
    async with facing("tcp", tmp_path, tcp_port=0, goodbyes_s=1.0) as (caller, peer):
        invite = await caller.place(peer)
        peer.reply(invite, 200, "OK", body=ANSWER)
        await lost(peer, "ACK")
        await caller.expect(Answered)
        address = await peer.connect(caller.agent.started.tcp_port or 0)
        peer.forget()
        peer.reply(dataclasses.replace(invite, source=address), 200, "OK", body=ANSWER)
        assert number(await peer.request("ACK")) == number(invite)
        assert (await caller.agent.ping()).calls == 1
