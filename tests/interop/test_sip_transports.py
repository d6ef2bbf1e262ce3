"""Calls over TCP and TLS: two workers facing each other, and what they say when they cannot."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest

from sip.messages import Accept, Answered, Ended, Incoming, Invite, Progress, Release, Ringing, Start, TrunkAccount
from tests.harness.certificates import Authority
from tests.interop.sip_line import Line
from tests.interop.sip_peer import HOST, sdp

OFFER = sdp(40000)
ANSWER = sdp(50000)
PJSIP_IDLE_S = 33
"""After so long without a transaction pjsip closes connections that it made, if it is left alone."""


def tls_settings(authority: Authority, **extra: object) -> dict[str, object]:
    certificate, key = authority.issue(HOST)
    return {"tls_cert": str(certificate), "tls_key": str(key), "tls_ca": str(authority.certificate), **extra}


@contextlib.asynccontextmanager
async def running(start: Start) -> AsyncIterator[Line]:
    line = Line(start)
    await line.agent.start()
    try:
        yield line
    finally:
        await line.agent.stop()


@contextlib.asynccontextmanager
async def facing(
    transport: Literal["udp", "tcp", "tls"],
    host: str = HOST,
    bind: str = HOST,
    *,
    caller_listens: bool = False,
    **settings: object,
) -> AsyncIterator[tuple[Line, Line]]:
    """Two workers; the first reaches the second by this transport, and is reached over the same connection."""
    ports = {"tcp": {"tcp_port": 0}, "tls": {"tls_port": 0}, "udp": {}}[transport]
    caller_trunk = TrunkAccount("caller", bind, 1, transport)
    async with running(Start(bind, bind, 0, trunks=(caller_trunk,), **ports, **settings)) as callee:  # type: ignore[arg-type]
        started = callee.agent.started
        port = {"tcp": started.tcp_port, "tls": started.tls_port, "udp": started.udp_port}[transport] or 0
        callee_trunk = TrunkAccount("callee", host, port, transport)
        if caller_listens:
            settings |= ports
        async with running(Start(bind, bind, 0, trunks=(callee_trunk,), **settings)) as caller:  # type: ignore[arg-type]
            yield caller, callee


async def whole_call(caller: Line, callee: Line) -> None:
    """Ring, talk, hang up; then once more the other way round the end."""
    for leg, hangs_up in (("a1", "caller"), ("a2", "callee")):
        caller.agent.post(Invite(leg, "callee", "100", OFFER))
        incoming = await callee.expect(Incoming)
        callee.agent.post(Progress(incoming.leg))
        await caller.expect(Ringing)
        callee.agent.post(Accept(incoming.leg, ANSWER))
        assert "m=audio 50000" in (await caller.expect(Answered)).sdp
        assert "m=audio 40000" in (await callee.expect(Answered)).sdp
        if hangs_up == "caller":
            caller.agent.post(Release(leg))
        else:
            callee.agent.post(Release(incoming.leg))
        ends = {(await caller.expect(Ended)).by, (await callee.expect(Ended)).by}
        assert ends == {"us", "peer"}
    await caller.calls_left(0)
    await callee.calls_left(0)


async def test_calls_over_tcp() -> None:
    async with facing("tcp") as (caller, callee):
        await whole_call(caller, callee)


async def test_a_call_that_is_silent_for_long_can_still_be_ended_over_the_connection_that_it_was_made_on() -> None:
    async with facing("tcp") as (caller, callee):
        caller.agent.post(Invite("a1", "callee", "100", OFFER))
        leg = (await callee.expect(Incoming)).leg
        callee.agent.post(Accept(leg, ANSWER))
        await caller.expect(Answered)
        await callee.expect(Answered)
        await asyncio.sleep(PJSIP_IDLE_S + 2)
        callee.agent.post(Release(leg))
        assert (await caller.expect(Ended)).by == "peer"


async def test_calls_over_ipv6() -> None:
    async with facing("udp", host="::1", bind="::1") as (caller, callee):
        await whole_call(caller, callee)


async def test_calls_over_tls(tmp_path: Path) -> None:
    async with facing("tls", **tls_settings(Authority(tmp_path))) as (caller, callee):
        await whole_call(caller, callee)


async def test_calls_over_tls_to_a_name(tmp_path: Path) -> None:
    async with facing("tls", host="localhost", **tls_settings(Authority(tmp_path))) as (caller, callee):
        await whole_call(caller, callee)


async def test_an_untrusted_certificate_is_named(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    settings = tls_settings(theirs, tls_ca=str(ours.certificate))
    async with facing("tls", **settings) as (caller, callee):
        caller.agent.post(Invite("a1", "callee", "100", OFFER))
        ended = await caller.expect(Ended)
        assert (ended.by, ended.status, ended.fault) == ("fault", 503, "transport")
        assert "certificate" in ended.detail
        assert "not trusted" in ended.detail
        assert callee.events.empty()


async def test_an_untrusted_certificate_may_be_let_pass(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    settings = tls_settings(theirs, tls_ca=str(ours.certificate), tls_verify=False)
    async with facing("tls", **settings) as (caller, callee):
        await whole_call(caller, callee)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_a_refused_connection_is_named(transport: Literal["tcp", "tls"], tmp_path: Path) -> None:
    # Held, not only chosen: who connects to a port that is free may get it as its own, and then talks to itself.
    with socket.socket() as closed:
        closed.bind((HOST, 0))
        trunk = TrunkAccount("dead", HOST, closed.getsockname()[1], transport)
        settings = tls_settings(Authority(tmp_path)) if transport == "tls" else {}
        async with running(Start(HOST, HOST, 0, trunks=(trunk,), **settings)) as line:  # type: ignore[arg-type]
            line.agent.post(Invite("a1", "dead", "100", OFFER))
            ended = await line.expect(Ended)
            assert (ended.by, ended.status, ended.fault) == ("fault", 503, "transport")
            assert "refused" in ended.detail


async def test_a_tls_trunk_that_speaks_something_else_is_named(tmp_path: Path) -> None:
    async def chatter(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.org ESMTP\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(chatter, HOST, 0) as server:
        trunk = TrunkAccount("mail", HOST, server.sockets[0].getsockname()[1], "tls")
        settings = tls_settings(Authority(tmp_path))
        async with running(Start(HOST, HOST, 0, trunks=(trunk,), **settings)) as line:  # type: ignore[arg-type]
            line.agent.post(Invite("a1", "mail", "100", OFFER))
            ended = await line.expect(Ended)
            assert (ended.by, ended.fault) == ("fault", "transport")
            assert ended.detail
