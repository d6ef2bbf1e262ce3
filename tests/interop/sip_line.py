"""A SIP worker with one trunk, the scripted peer, as a test holds it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, TypeVar

from sip.agent import Agent
from sip.messages import Accept, Answered, Ended, Incoming, InfoDtmf, Invite, Start, TrunkAccount, TrunkEvent
from tests.harness.patience import PATIENCE_S
from tests.interop.sip_peer import HOST, Dialog, Lines, Message, Peer, sdp

OFFER = sdp(40000)
"""Ours."""
ANSWER = sdp(50000, codecs=(8, 101))
"""The peer's."""
E = TypeVar("E", bound=TrunkEvent)


class Line:
    """An agent and the events it reported."""

    def __init__(self, start: Start) -> None:
        self.events: asyncio.Queue[TrunkEvent] = asyncio.Queue()
        self.lost: asyncio.Queue[str] = asyncio.Queue()
        self.agent = Agent(start, self.events.put_nowait, self.lost.put_nowait)

    @property
    def port(self) -> int:
        return self.agent.started.udp_port

    async def next_event(self) -> TrunkEvent:
        async with asyncio.timeout(PATIENCE_S):
            return await self.events.get()

    async def expect(self, kind: type[E]) -> E:
        """The next event, which must be of this kind."""
        event = await self.next_event()
        assert isinstance(event, kind), event
        return event

    async def expect_dtmf(self) -> InfoDtmf:
        return await self.expect(InfoDtmf)

    async def place(self, peer: Peer, **extra: Any) -> Message:
        """Call the peer, as leg a1; the INVITE as it heard it."""
        self.agent.post(Invite("a1", "peer", "4711", OFFER, **extra))
        return await peer.request("INVITE")

    async def call_out(self, peer: Peer, headers: Lines = ()) -> Dialog:
        """A call of ours that stands, as leg a1; the peer's 200 has these headers."""
        invite = await self.place(peer)
        peer.reply(invite, 200, "OK", headers, ANSWER)
        dialog = peer.join(invite)
        await dialog.request("ACK")
        await self.expect(Answered)
        return dialog

    async def call_in(self, peer: Peer) -> tuple[Dialog, str]:
        """A call of the peer's that stands, and its leg."""
        dialog = peer.dial(self.port, body=ANSWER)
        leg = (await self.expect(Incoming)).leg
        self.agent.post(Accept(leg, OFFER))
        await dialog.response(200)
        dialog.ack()
        await self.expect(Answered)
        return dialog, leg

    async def works(self, peer: Peer) -> None:
        """A call can be taken and ended."""
        dialog, _ = await self.call_in(peer)
        await dialog.bye()
        await self.expect(Ended)

    async def is_quiet(self, peer: Peer, method: str) -> bool:
        """True if, after a round trip through the worker, the peer heard no such request ("" for nothing at all)."""
        await self.agent.ping()

        def unwanted(message: Message) -> bool:
            return not method or message.method == method

        with contextlib.suppress(AssertionError):
            await peer.heard(unwanted, patience_s=0.05)
            return False
        return True

    async def calls_left(self, count: int) -> None:
        """Wait until the worker holds no more than so many calls."""
        async with asyncio.timeout(PATIENCE_S):
            while (await self.agent.ping()).calls > count:
                pass


def trunk(peer: Peer, **extra: object) -> TrunkAccount:
    """The peer as a trunk."""
    settings = {"name": "peer", "host": HOST, "port": peer.port, **extra}
    return TrunkAccount(**settings)  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def line(*trunks: TrunkAccount, **extra: object) -> AsyncIterator[Line]:
    """A worker with these trunks."""
    made = Line(Start(HOST, HOST, 0, trunks=trunks, **extra))  # type: ignore[arg-type]
    await made.agent.start()
    try:
        yield made
    finally:
        await made.agent.stop()


@contextlib.asynccontextmanager
async def line_to(peer: Peer, **extra: object) -> AsyncIterator[Line]:
    """A worker whose one trunk is the peer."""
    async with line(trunk(peer, **extra)) as made:
        yield made
