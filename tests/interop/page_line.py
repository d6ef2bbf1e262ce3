"""A page in a call through a trunk, and both halves of the trunk's end: a SIP peer and an RTP phone."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from tests.harness.gateway import GatewayProcess, Settings, settings_for, trunk_to
from tests.harness.pagelike import Audio, PageCall, page_at
from tests.harness.ports import free_block
from tests.harness.speech import Speech
from tests.harness.tonephone import TonePhone
from tests.interop.sip_peer import Dialog, Message, Peer, sdp

PhoneT = TypeVar("PhoneT", bound=TonePhone)


@dataclass(frozen=True)
class Exchange:
    """A gateway, and where its trunks expect their peers."""

    gateway: GatewayProcess
    ports: dict[str, int]


@contextmanager
def exchange_with(directory: Path, trunks: Mapping[str, Settings]) -> Iterator[Exchange]:
    """A gateway with these trunks, which may be stopped before; the number of each is its name."""
    ports = {name: free_block(2)[0] for name in trunks}  # baresip wants two
    tables = {name: trunk_to(ports[name], [name], **settings) for name, settings in trunks.items()}
    gateway = GatewayProcess(directory, settings_for(directory, trunk=tables))
    yield Exchange(gateway, ports)
    if gateway.program.returncode is None:
        gateway.stop()


@dataclass(frozen=True)
class Line(Generic[PhoneT]):
    """A call that is up."""

    call: PageCall
    peer: Peer
    dialog: Dialog
    phone: PhoneT
    offer: str
    """What the trunk was offered."""


async def take(call: PageCall, peer: Peer, invite: Message, phone: TonePhone, answer: str) -> Dialog:
    """Answer the INVITE of a page's call; the phone talks from then on."""
    peer.reply(invite, 200, "OK", body=answer)
    dialog = peer.join(invite)
    await dialog.request("ACK")
    found = re.search(r"m=audio (\d+)", invite.body)
    assert found is not None
    phone.talk(int(found.group(1)))
    await call.answered()
    return dialog


@asynccontextmanager
async def line_to(
    exchange: Exchange,
    trunk: str,
    phone: PhoneT,
    codecs: Sequence[int],
    speech: Speech | None = None,
    audio: Audio | None = None,
) -> AsyncIterator[Line[PhoneT]]:
    """A call of a page through a trunk, answered with these payload types; the page says the speech, or nothing."""
    port = phone.open()
    async with Peer.open(exchange.ports[trunk]) as peer, page_at(exchange.gateway.signal_url, user="alice") as page:
        call = await page.call(trunk, speech, audio=audio)
        invite = await peer.request("INVITE")
        dialog = await take(call, peer, invite, phone, sdp(port, codecs=codecs))
        try:
            yield Line(call, peer, dialog, phone, invite.body)
        finally:
            await phone.close()
            await call.hang_up()
