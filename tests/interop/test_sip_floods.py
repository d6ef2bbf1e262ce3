"""Requests pour in from a trunk's address: most are refused before pjsip keeps anything of them, and calls go on."""

from __future__ import annotations

import time

import pytest

from sip.floods import BURST_S, DIALOG_BURST, DIALOG_REQUESTS_PER_S
from sip.messages import Ended, Incoming
from tests.interop.sip_line import ANSWER, line_to
from tests.interop.sip_peer import Dialog, Peer, open_peer

peer = pytest.fixture(open_peer)

PER_S = 1.0
BURST = int(PER_S * BURST_S)
FLOOD = 40
DIALOG_FLOOD = int(3 * DIALOG_BURST)


async def test_a_flood_in_a_trunks_name_is_refused_and_its_call_goes_on(
    peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    async with line_to(peer, new_calls_per_s=PER_S) as gateway:
        call, _ = await gateway.call_in(peer)

        begun = time.monotonic()
        flood = [peer.dial(gateway.port, body=ANSWER) for _ in range(FLOOD)]
        kept = [await is_let_in(dialog) for dialog in flood].count(True)
        assert BURST - 1 <= kept <= BURST + PER_S * (time.monotonic() - begun)
        assert (await gateway.agent.ping()).calls == 1 + kept

        await call.bye()
        while not isinstance(event := await gateway.next_event(), Ended):
            assert isinstance(event, Incoming)
    assert "more than 1 new calls a second come from trunk peer" in caplog.text
    assert caplog.text.count("what is too much gets 503") == 1


async def is_let_in(dialog: Dialog) -> bool:
    """What the first answer to an INVITE says."""
    first = await dialog.peer.heard(lambda m: m.status > 0 and m.header("Call-ID") == dialog.call_id)
    if first.status == 503:
        dialog.ack_refusal()
    return first.status != 503


@pytest.mark.parametrize("method", ["INFO", "UPDATE", "OPTIONS", "NOTIFY"])
async def test_a_flood_inside_a_call_is_refused_and_its_bye_is_heard(
    peer: Peer, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    async with line_to(peer) as gateway:
        call, _ = await gateway.call_in(peer)

        kept, begun = 0, time.monotonic()
        for _ in range(DIALOG_FLOOD):
            call.send(method)
            answer = await peer.heard(lambda m: m.header("CSeq") == f"{call.cseq} {method}")
            kept += answer.status != 503
        most = DIALOG_BURST + DIALOG_REQUESTS_PER_S * (time.monotonic() - begun)
        assert DIALOG_BURST <= kept <= most + 1

        await call.bye()
        await gateway.expect(Ended)
    assert caplog.text.count("what is too much gets 503") == 1
