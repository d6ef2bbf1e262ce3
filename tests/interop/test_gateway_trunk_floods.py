"""A trunk floods a call with digits or 18x: its page keeps its socket and its other call, and the journal says it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway import toldcodec
from gateway.trunkpace import BURST, OFFERS_BURST
from tests.harness.gateway import GatewayProcess
from tests.harness.pagelike import PageCall, PageLike, page_at
from tests.interop.page_line import exchange_with
from tests.interop.sip_peer import Dialog, Peer, sdp

pytestmark = pytest.mark.interop

FLOOD = 1_000
A_FEW = 50
"""So many fit into the buffer of a socket."""


@dataclass
class Scene:
    """A page with a calm call through one trunk, and another trunk that is about to flood."""

    gateway: GatewayProcess
    page: PageLike
    flooder: Peer
    calm: PageCall
    dialog: Dialog
    """The calm call's."""

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """What is sent meanwhile reaches the gateway in one go."""
        os.kill(self.gateway.program.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.gateway.program.pid, signal.SIGCONT)

    async def goes_on(self, flooded: PageCall, kind: str) -> None:
        """The page is still there and heard some of the flood; the calm call is up."""
        await self.gateway.live_entry(await flooded.record_id(), "flood")
        await self.page.send({"type": "ping", "sequence": 7})
        assert (await self.page.error())["sequence"] == 7  # it comes behind what the page was told of the flood
        assert BURST <= [message["type"] for message in flooded.messages].count(kind) < FLOOD / 2
        assert (await self.calm.hang_up())["cause"] == "hangup"


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    with exchange_with(tmp_path, {"calm": {}, "flood": {"prefer": "cpu"}}) as exchange:
        gateway, ports = exchange.gateway, exchange.ports
        async with (
            Peer.open(ports["calm"]) as peer,
            Peer.open(ports["flood"]) as flooder,
            page_at(gateway.signal_url, user="alice") as page,
        ):
            calm, dialog = await answered_by(peer, page, "calm")
            yield Scene(gateway, page, flooder, calm, dialog)
            await asyncio.to_thread(gateway.stop)  # while the peers are there to confirm its goodbyes


async def answered_by(peer: Peer, page: PageLike, number: str) -> tuple[PageCall, Dialog]:
    """A call of the page that this peer has answered."""
    call = await page.call_without_audio(number)
    invite = await peer.request("INVITE")
    peer.reply(invite, 200, "OK", body=sdp(50000))
    await call.answered()
    return call, peer.join(invite)


async def test_a_flood_of_18x_leaves_the_page_its_socket_and_its_other_call(scene: Scene) -> None:
    flooded = await scene.page.call_without_audio("flood")
    invite = await scene.flooder.request("INVITE")
    with scene.at_once():
        for _ in range(FLOOD // A_FEW):
            for _ in range(A_FEW):
                scene.flooder.reply(invite, 180, "Ringing")
            scene.dialog.send("OPTIONS")
            await scene.dialog.response(200)  # the SIP worker has read them
    await scene.goes_on(flooded, "call.progress")
    scene.flooder.reply(invite, 486, "Busy Here")
    assert (await flooded.ended())["cause"] == "busy"


async def test_a_flood_of_digits_leaves_the_page_its_socket_and_its_other_call(scene: Scene) -> None:
    flooded, dialog = await answered_by(scene.flooder, scene.page, "flood")
    with scene.at_once():
        for _ in range(FLOOD):
            dialog.send("INFO", ["Content-Type: application/dtmf-relay"], "Signal=5\r\nDuration=100\r\n")
            await scene.flooder.heard(lambda m: m.status in (200, 503) and "INFO" in m.header("CSeq"))  # not all get in
    await scene.goes_on(flooded, "call.dtmf")


async def test_a_flood_of_offers_asks_the_page_a_few_times_and_fills_no_journal(scene: Scene) -> None:
    flooded, dialog = await answered_by(scene.flooder, scene.page, "flood")
    for version in range(2, 82):  # the bound on requests inside a call lets 100 through
        dialog.send("INVITE", body=sdp(50000, version=version, codecs=(9, 101) if version % 2 else (8, 101)))
        await dialog.response(200)
        dialog.ack()
    journal = scene.gateway.ask(f"calls/{await flooded.record_id()}")["journal"]
    assert [entry["what"] for entry in journal].count("re-INVITE") == OFFERS_BURST
    assert [entry["what"] for entry in journal].count("flood") == 1
    asked = [message["type"] for message in flooded.messages].count("call.renegotiate")
    assert 1 <= asked < toldcodec.BURST + 10, "and one in two seconds"
    assert (await scene.calm.hang_up())["cause"] == "hangup"
