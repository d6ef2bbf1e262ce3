"""A trunk is reached by its own transport, whatever its Contact says (`sip/native/ownway.py`)."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sip.messages import Answered, Ended, Invite, Release
from tests.interop.sip_line import Line, line_to
from tests.interop.sip_peer import Peer, sdp
from tests.interop.test_sip_broken_connections import facing


@contextlib.asynccontextmanager
async def line_by(kind: str, folder: Path) -> AsyncIterator[tuple[Line, Peer]]:
    """A worker, and the peer that it calls by this transport."""
    if kind != "udp":
        async with facing(kind, folder) as both:
            yield both
        return
    async with Peer.open() as peer, line_to(peer) as caller:
        yield caller, peer


@pytest.mark.parametrize(
    ("kind", "announced"), [("udp", "tcp"), ("udp", "tls"), ("tcp", "tls"), ("tls", "tcp"), ("tls", "TCP")]
)
@pytest.mark.parametrize("where", ["contact", "record-route"])
async def test_a_call_is_acknowledged_and_ended(kind: str, announced: str, where: str, tmp_path: Path) -> None:
    async with line_by(kind, tmp_path) as (caller, peer):
        caller.agent.post(Invite("a1", "peer", "100", sdp(40000)))
        invite = await peer.request("INVITE")
        if where == "contact":
            peer.announces = announced
        route = f"Record-Route: <sip:127.0.0.1:{peer.port};transport={announced};lr>"
        peer.reply(invite, 200, "OK", headers=[route] * (where != "contact"), body=sdp(50000))
        await peer.request("ACK")
        await caller.expect(Answered)
        caller.agent.post(Release("a1"))
        assert (await caller.expect(Ended)).by == "us"
        assert f"SIP/2.0/{kind.upper()} " in (await peer.request("BYE")).header("Via")
