"""A trunk that wants to be told where we are, seen on the wire (RFC 3261 §10)."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from pathlib import Path
from typing import Any

import pytest

from sip.messages import Answered, Incoming, Invite, Release
from sip.stacksettings import REGISTER_AGAIN_S
from tests.harness.gateway import GatewayProcess, settings_for, trunk_to
from tests.harness.patience import eventually
from tests.harness.ports import free_port
from tests.interop.sip_line import line, trunk
from tests.interop.sip_peer import HOST, Dialog, Message, Peer, open_peer, sdp
from tests.interop.sip_stream_peer import StreamPeer

peer = pytest.fixture(open_peer)

CHALLENGE = 'WWW-Authenticate: Digest realm="r", nonce="n", algorithm=MD5, qop="auth"'
ACCOUNT: Any = {"user": "4930", "password": "secret", "from_host": "home.example", "registers": True}


def accept(peer: Peer, register: Message, expires: int = 300) -> None:
    peer.reply(register, 200, "OK", headers=[f"Contact: {register.header('Contact')};expires={expires}"])


async def registered(peer: Peer, register: Message) -> Message:
    """The REGISTER that had the password."""
    peer.reply(register, 401, headers=[CHALLENGE])
    again = await peer.heard(lambda m: m.method == "REGISTER" and bool(m.header("Authorization")))
    accept(peer, again)
    return again


async def test_we_register_with_the_password_and_take_it_back(peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with line(trunk(peer, **ACCOUNT)) as gateway:
        register = await registered(peer, await peer.request("REGISTER"))
        assert register.start == f"REGISTER sip:{HOST}:{peer.port} SIP/2.0"
        assert "<sip:4930@home.example>" in register.header("To")
        assert register.header("Contact").startswith(f"<sip:4930@{HOST}:{gateway.port}>")
        await gateway.agent.ping()
        stopping = asyncio.create_task(gateway.agent.stop())
        last = await peer.request("REGISTER")
        assert "0" in (last.header("Expires"), *re.findall(r"expires=(\d+)", last.header("Contact")))
        accept(peer, last, expires=0)
        async with asyncio.timeout(1):
            await stopping
    assert [each.message for each in caplog.records if "registered" in each.message] == [
        "worker: trunk peer has registered us: its calls come here"
    ]


async def test_the_admin_is_shown_until_when_a_trunk_has_registered_us_or_why_not(tmp_path: Path) -> None:
    async with Peer.open(free_port()) as taking, Peer.open(free_port()) as refusing:
        account = {"user": "4930", "password": "secret", "registration": True}
        trunks = {
            "taking": trunk_to(taking.port, ["1"], **account),
            "refusing": trunk_to(refusing.port, ["2"], **account),
            "silent": trunk_to(free_port(), ["3"]),
        }
        gateway = await asyncio.to_thread(GatewayProcess, tmp_path, settings_for(tmp_path, trunk=trunks))

        def states() -> dict[str, str]:
            return {name: each["registration"]["state"] for name, each in gateway.ask("status")["trunks"].items()}

        try:
            assert states() == {"taking": "pending", "refusing": "pending", "silent": "off"}
            await registered(taking, await taking.request("REGISTER"))
            refusing.reply(await refusing.request("REGISTER"), 403, "Not here")
            await eventually(lambda: states() == {"taking": "registered", "refusing": "failed", "silent": "off"})
            shown = gateway.ask("status")["trunks"]
        finally:
            stopping = asyncio.create_task(asyncio.to_thread(gateway.stop))
            accept(taking, await taking.request("REGISTER"), expires=0)
            await stopping
    assert 0 < shown["taking"]["registration"]["until"] - time.time() <= 300
    assert "403 Not here" in shown["refusing"]["registration"]["sentence"]


def calling(peer: Peer, called: str, address: tuple[str, int]) -> Dialog:
    """A call to this user at our end, with another number in To."""
    transport = "" if peer.protocol == "udp" else f";transport={peer.protocol}"
    caller = Dialog(
        peer,
        f"sip:{called}@{HOST}:{address[1]}{transport}",
        address,
        local="<sip:49401@home.example>;tag=1",
        remote="<sip:493077@home.example>",
        call_id=f"to-{called}-{peer.port}",
    )
    caller.send("INVITE", body=sdp(50000))
    return caller


@pytest.mark.parametrize(("called", "number"), [("4930", "493077"), ("99", "99")])
async def test_a_call_to_our_contact_is_for_whom_to_names(peer: Peer, called: str, number: str) -> None:
    async with line(trunk(peer, **ACCOUNT)) as gateway:
        await registered(peer, await peer.request("REGISTER"))
        caller = calling(peer, called, (HOST, gateway.port))
        incoming = await gateway.expect(Incoming)
        assert incoming.number == number
        gateway.agent.post(Release(incoming.leg, 486))
        await caller.response(486)


async def test_a_refusal_is_told_once_and_calls_go_out_all_the_same(
    peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    async with line(trunk(peer, **ACCOUNT)) as gateway:
        peer.reply(await peer.request("REGISTER"), 403, "Not here")
        gateway.agent.post(Invite("a1", "peer", "100", sdp(40000)))
        peer.reply(await peer.request("INVITE"), 200, "OK", body=sdp(50000))
        await gateway.expect(Answered)
        assert await gateway.is_quiet(peer, "REGISTER")
    told = [each.message for each in caplog.records if "register" in each.message]
    assert told == ["worker: trunk peer does not register us (403 Not here): its calls do not come here"]


async def test_over_tcp_a_connection_that_breaks_is_followed_by_one_that_is_registered() -> None:
    async with StreamPeer.listen() as peer, line(trunk(peer, transport="tcp", **ACCOUNT)) as gateway:
        first = await registered(peer, await peer.request("REGISTER"))
        assert f":{first.source[1]};transport=tcp>" in first.header("Contact")
        await gateway.agent.ping()
        await peer.break_connections()
        second = await registered(peer, await peer.heard(lambda m: m.method == "REGISTER", REGISTER_AGAIN_S + 10))
        assert f":{second.source[1]};transport=tcp>" in second.header("Contact")
        caller = calling(peer, "4930", second.source)
        gateway.agent.post(Release((await gateway.expect(Incoming)).leg, 486))
        await caller.response(486)
