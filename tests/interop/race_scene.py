"""A page on one side of the gateway and the scripted peer on the other, for tests of what crosses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from tests.harness.gateway import GatewayProcess
from tests.harness.pagelike import CHROMIUM_OFFER, PageCall, PageLike, page_at
from tests.harness.patience import PATIENCE_S, eventually
from tests.interop.sip_peer import Dialog, Message, Peer, sdp

OFFER, ANSWER, OTHER = sdp(40000), sdp(50000), sdp(50002, codecs=(0, 101))


@dataclass
class Scene:
    """A page on one side, the scripted peer on the other."""

    gateway: GatewayProcess
    page: PageLike
    peer: Peer

    async def called(self) -> tuple[PageCall, Message]:
        """The page calls; the peer has its INVITE."""
        call = await self.page.call_without_audio("sipp")
        return call, await self.peer.request("INVITE")

    async def talking(self) -> tuple[PageCall, Dialog]:
        """The peer has answered the page."""
        call, invite = await self.called()
        self.peer.reply(invite, 200, "OK", body=ANSWER)
        await self.peer.request("ACK")
        await call.answered()
        return call, self.peer.join(invite)

    async def rings(self) -> tuple[PageCall, Dialog]:
        """The peer calls; the page rings."""
        dialog = self.peer.dial(self.gateway.sip_port, number="alice", body=OFFER)
        _, call = await self.page.rings()
        await dialog.response(180)
        return call, dialog

    async def accept(self, call: PageCall) -> None:
        await self.page.send({"type": "call.accept", "call": call.name, "sdp": CHROMIUM_OFFER})

    async def hang_up(self, call: PageCall) -> None:
        await self.page.send({"type": "call.hangup", "call": call.name})

    async def over(self, call: PageCall, *causes: str) -> None:
        """The page was told, the record says why, and nothing is left."""
        assert (await call.ended())["cause"] in causes
        await self.left_nothing(call, *causes)

    async def left_nothing(self, call: PageCall, *causes: str) -> None:
        """There is neither a call nor a media leg any more, and the record says why."""
        record = await self.gateway.record(await call.record_id(), timeout_s=40)
        assert record["cause"] in causes, record
        assert record["ended_at"] >= record["started_at"]
        await eventually(lambda: counts(self.gateway) == (0, 0))


async def open_scene(gateway: GatewayProcess) -> AsyncIterator[Scene]:
    """For a fixture: alice's page, and the peer at the other end of the trunk "peer"."""
    port = gateway.settings["trunk"]["peer"]["port"]
    async with Peer.open(port) as peer, page_at(gateway.signal_url, user="alice") as page:
        yield Scene(gateway, page, peer)


def counts(gateway: GatewayProcess) -> tuple[int, int]:
    """Calls and media legs that there are now."""
    status = gateway.ask("status")
    return status["calls"], status["media"]["legs"]


def times(peer: Peer, start: str) -> int:
    """How often such a datagram came, retransmissions included."""
    return sum(data.startswith(start.encode()) for data in peer.raw)


async def heard_times(peer: Peer, start: str, count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while times(peer, start) < count:
            await peer.more()
