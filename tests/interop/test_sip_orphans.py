"""Dialogs of a worker that was lost get their end from its replacement, seen on the wire (design: losses)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest

from sip.messages import Accept, Answered, Ended, Incoming, Invite, Progress, Ringing
from sip.siptext import tag
from tests.harness.certificates import Authority
from tests.harness.patience import PATIENCE_S
from tests.interop.sip_line import ANSWER, OFFER, Line, line_to
from tests.interop.sip_peer import HOST, Message, Peer, open_peer
from tests.interop.test_sip_transports import facing, tls_settings

peer = pytest.fixture(open_peer)

LOSS = pytest.mark.parametrize("loss", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])


async def lose_worker(line: Line, how: signal.Signals = signal.SIGKILL) -> None:
    os.kill(line.agent.started.pid, how)
    async with asyncio.timeout(PATIENCE_S):
        await line.lost.get()
        await line.agent.ready()


def number(message: Message) -> int:
    return int(message.header("CSeq").split(" ")[0])


def assert_in_dialog(request: Message, local: str, remote: str, call_id: str, above: int) -> None:
    """The request has the tags that the dead worker used, and a number that it did not."""
    tags = [tag(request.header(name)) for name in ("From", "To")]
    assert tags == [tag(local), tag(remote)]
    assert all(tags)
    assert request.header("Call-ID") == call_id
    assert number(request) > above


@LOSS
async def test_an_answered_call_of_ours_gets_its_bye(peer: Peer, loss: signal.Signals) -> None:
    async with line_to(peer) as line:
        invite = await line.place(peer)
        peer.reply(invite, 200, "OK", body=ANSWER)
        await peer.request("ACK")
        await line.expect(Answered)
        await lose_worker(line, loss)
        bye = await peer.request("BYE")
        assert bye.start == f"BYE sip:peer@{HOST}:{peer.port} SIP/2.0"
        assert bye.source == ("127.0.0.1", line.port)
        remote = invite.header("To") + ";tag=peer"
        assert_in_dialog(bye, invite.header("From"), remote, invite.header("Call-ID"), number(invite))


@LOSS
async def test_an_answered_call_of_theirs_gets_its_bye(peer: Peer, loss: signal.Signals) -> None:
    async with line_to(peer) as line:
        caller, _ = await line.call_in(peer)
        await lose_worker(line, loss)
        bye = await peer.request("BYE")
        assert_in_dialog(bye, caller.remote, caller.local, caller.call_id, 0)


async def test_the_bye_follows_the_route(peer: Peer) -> None:
    async with line_to(peer) as line:
        invite = await line.place(peer)
        routes = [f"Record-Route: <sip:{HOST}:{peer.port};lr;hop=2>, <sip:{HOST}:{peer.port};lr;hop=1>"]
        peer.reply(invite, 200, "OK", headers=routes, body=ANSWER)
        await peer.request("ACK")
        await line.expect(Answered)
        await lose_worker(line)
        bye = await peer.request("BYE")
        hops = [re.search(r"hop=(\d)", route) for route in bye.all("Route")]
        assert [hop.group(1) for hop in hops if hop] == ["1", "2"]


@pytest.mark.parametrize("status", [None, 100, 183], ids=["unheard", "trying", "early"])
async def test_a_call_that_rings_is_cancelled(peer: Peer, status: int | None) -> None:
    async with line_to(peer) as line:
        invite = await line.place(peer)
        if status:
            peer.reply(invite, status, body=ANSWER if status == 183 else "")
        if status == 183:
            await line.expect(Ringing)
        else:
            await line.agent.ping()
        await lose_worker(line)
        cancel = await peer.request("CANCEL")
        assert cancel.start.replace("CANCEL", "INVITE") == invite.start
        assert cancel.header("Via").split(";branch=")[1].split(";")[0] in invite.header("Via")
        assert (tag(cancel.header("To")), number(cancel)) == ("", number(invite))
        assert tag(cancel.header("From")) == tag(invite.header("From"))
        peer.reply(invite, 487, "Request Terminated")
        ack = await peer.request("ACK")
        assert ack.header("Via").split(";branch=")[1].split(";")[0] in invite.header("Via")
        await all_settled(line)


async def test_an_answer_that_crosses_the_cancel_is_acknowledged_and_ended(peer: Peer) -> None:
    async with line_to(peer) as line:
        invite = await line.place(peer)
        peer.reply(invite, 180)
        await line.expect(Ringing)
        await lose_worker(line)
        await peer.request("CANCEL")
        peer.reply(invite, 200, "OK", body=ANSWER)
        ack, bye = await peer.request("ACK"), await peer.request("BYE")
        assert number(ack) == number(invite)
        remote = invite.header("To") + ";tag=peer"
        assert_in_dialog(bye, invite.header("From"), remote, invite.header("Call-ID"), number(invite))
        peer.reply(invite, 200, "OK", body=ANSWER)  # our ACK was lost
        await peer.request("ACK")
        assert await line.is_quiet(peer, "BYE")
        await all_settled(line)


async def test_a_peer_that_asks_for_the_password_gets_it(peer: Peer) -> None:
    async with line_to(peer, user="me", password="correct horse") as line:
        invite = await line.place(peer)
        peer.reply(invite, 200, "OK", body=ANSWER)
        await line.expect(Answered)
        peer.confirms = False
        await lose_worker(line)
        first = await peer.request("BYE")
        peer.reply(first, 401, headers=['WWW-Authenticate: Digest realm="r", nonce="n", algorithm=MD5'])
        second = await peer.heard(lambda m: bool(m.header("Authorization")))
        assert (second.method, number(second)) == ("BYE", number(first) + 1)
        peer.reply(second, 200, "OK")
        await all_settled(line)


async def test_calls_that_had_ended_get_nothing(peer: Peer) -> None:
    async with line_to(peer) as line:
        caller, _ = await line.call_in(peer)
        await caller.bye()
        await line.expect(Ended)
        peer.dial(line.port, body=ANSWER)
        incoming = await line.expect(Incoming)
        line.agent.post(Progress(incoming.leg))
        await line.agent.ping()
        await lose_worker(line)
        assert await line.is_quiet(peer, "BYE")


async def test_a_worker_lost_while_it_says_goodbye_is_followed_by_another_that_does(peer: Peer) -> None:
    async with line_to(peer) as line:
        invite = await line.place(peer)
        peer.reply(invite, 200, "OK", body=ANSWER)
        await line.expect(Answered)
        peer.confirms = False
        await lose_worker(line)
        first = await peer.request("BYE")
        await lose_worker(line)
        second = await peer.heard(lambda m: m.method == "BYE" and number(m) > number(first))
        peer.reply(second, 200, "OK")
        await all_settled(line)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
@pytest.mark.parametrize("who", ["caller", "callee"])
async def test_over_connections(tmp_path: Path, transport: Literal["tcp", "tls"], who: str) -> None:
    async with talking(transport, tmp_path) as lines:
        lost, other = lines if who == "caller" else lines[::-1]
        await lose_worker(lost)
        ended = await other.expect(Ended)
        assert (ended.by, ended.status) == ("peer", 200)
        await all_settled(lost)


@contextlib.asynccontextmanager
async def talking(transport: Literal["tcp", "tls"], tmp_path: Path) -> AsyncIterator[tuple[Line, Line]]:
    settings = tls_settings(Authority(tmp_path)) if transport == "tls" else {}
    async with facing(transport, caller_listens=True, **settings) as (caller, callee):  # as trunks do
        caller.agent.post(Invite("a1", "callee", "100", OFFER))
        incoming = await callee.expect(Incoming)
        callee.agent.post(Accept(incoming.leg, ANSWER))
        await caller.expect(Answered)
        await callee.expect(Answered)
        yield caller, callee


async def all_settled(line: Line) -> None:
    """Wait until the gateway's book holds no orphan any more."""
    async with asyncio.timeout(PATIENCE_S):
        while not line.agent.is_settled:
            await line.agent.ping()
