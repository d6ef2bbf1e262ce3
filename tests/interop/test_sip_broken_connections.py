"""A connection that we made for a call breaks: what we say then goes over a new one (RFC 3261 §18.4)."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sip.messages import Ended, Reanswered, Release, Reoffer
from tests.harness.certificates import Authority
from tests.interop.sip_line import Line, line, trunk
from tests.interop.sip_peer import Dialog, sdp
from tests.interop.sip_stream_peer import StreamPeer

both = pytest.mark.parametrize("kind", ["tcp", "tls"])


@contextlib.asynccontextmanager
async def facing(kind: str, folder: Path, **settings: object) -> AsyncIterator[tuple[Line, StreamPeer]]:
    """A worker, without a port of its own for connections unless `settings` has one, and the peer that it calls."""
    authority = Authority(folder)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*authority.issue("peer"))
    async with (
        StreamPeer.listen(tls if kind == "tls" else None) as peer,
        line(trunk(peer, transport=kind), tls_ca=str(authority.certificate), **settings) as caller,
    ):
        yield caller, peer


async def cut_off(caller: Line, peer: StreamPeer) -> Dialog:
    """A call is up whose connection has broken, and the worker has read that."""
    dialog = await caller.call_out(peer)
    await peer.break_connections()
    await caller.agent.ping()
    return dialog


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
    async with facing(kind, tmp_path) as (caller, peer):
        await cut_off(caller, peer)
        peer.shut()
        caller.agent.post(Release("a1"))
        assert (await caller.expect(Ended)).by == "us"
        await caller.calls_left(0)


@both
async def test_an_offer_that_cannot_be_sent_leaves_the_call_as_it_was(kind: str, tmp_path: Path) -> None:
    async with facing(kind, tmp_path) as (caller, peer):
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
