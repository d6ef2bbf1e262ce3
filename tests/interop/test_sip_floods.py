"""Requests pour in from a trunk's address: most are refused before pjsip keeps anything of them, and calls go on."""

from __future__ import annotations

import time

import pytest

from sip.floods import BURST_S, DIALOG_BURST, DIALOG_REQUESTS_PER_S
from sip.messages import Accept, Answered, Ended, Incoming
from tests.interop.sip_line import line_to
from tests.interop.sip_peer import Peer, open_peer, sdp

peer = pytest.fixture(open_peer)

PER_S = 1.0
BURST = int(PER_S * BURST_S)
FLOOD = 40
DIALOG_FLOOD = int(3 * DIALOG_BURST)
SLOW_S = 3
"""How long the flood may take on a busy machine: each second lets another one in."""


async def test_a_flood_in_a_trunks_name_is_refused_and_its_call_goes_on(
    peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    async with line_to(peer, new_calls_per_s=PER_S) as gateway:
        call = peer.dial(gateway.port, body=sdp(40000))
        gateway.agent.post(Accept((await gateway.expect(Incoming)).leg, sdp(50000)))
        await call.response(200)
        call.ack()
        await gateway.expect(Answered)

        flood = [peer.dial(gateway.port, body=sdp(40000)) for _ in range(FLOOD)]
        for refused in flood[BURST + SLOW_S :]:
            await refused.response(503)
            refused.ack_refusal()
        heartbeat = await gateway.agent.ping()
        assert BURST <= heartbeat.calls <= BURST + SLOW_S

        assert "more than 1 new calls a second come from trunk peer" in caplog.text
        assert caplog.text.count("what is too much gets 503") == 1
        await call.bye()
        while not isinstance(event := await gateway.next_event(), Ended):
            assert isinstance(event, Incoming)


@pytest.mark.parametrize("method", ["INFO", "UPDATE", "OPTIONS", "NOTIFY"])
async def test_a_flood_inside_a_call_is_refused_and_its_bye_is_heard(
    peer: Peer, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    async with line_to(peer) as gateway:
        call = peer.dial(gateway.port, body=sdp(40000))
        gateway.agent.post(Accept((await gateway.expect(Incoming)).leg, sdp(50000)))
        await call.response(200)
        call.ack()
        await gateway.expect(Answered)

        kept, begun = 0, time.monotonic()
        for _ in range(DIALOG_FLOOD):
            call.send(method)
            answer = await peer.heard(lambda m: m.header("CSeq") == f"{call.cseq} {method}")
            kept += answer.status != 503
        most = DIALOG_BURST + DIALOG_REQUESTS_PER_S * (time.monotonic() - begun)
        assert DIALOG_BURST <= kept <= most + 1

        assert caplog.text.count("what is too much gets 503") == 1
        await call.bye()
        await gateway.expect(Ended)
