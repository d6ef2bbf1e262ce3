"""Two thousand calls, twenty at once, ended at random moments, leave everything where it was.

Most go out, some come in, some of these cannot be served; some have audio. Ports, legs, tasks, sessions, descriptors
and what counts against the limits: exactly as before. Memory: all
of them together may cost no more than `GROWTH`. Before them others show the allocator how much is wanted at once.
Most of that is SIP transactions, which linger for 32 s (RFC 3261 §17.1.1.2): so the others go on for longer than that
and each page calls at a set pace, a little faster then than afterwards, however fast the machine is.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from websockets.exceptions import ConnectionClosed

from tests.harness.gateway import GatewayProcess, demo_settings
from tests.harness.memory import module_of, resident_by_name
from tests.harness.pagelike import CHROMIUM_OFFER, PageCall, PageLike, page_at
from tests.harness.ports import taken
from tests.interop.sip_peer import Peer, sdp

pytestmark = pytest.mark.interop

CALLS: Final = 2000
AT_ONCE: Final = 20
CALLS_PER_PAGE: Final = 25
WITH_AUDIO: Final = 0.25
"""Share of the calls that have real ICE, DTLS and SRTP; the others have a leg that nobody comes to."""
CALLED_BACK: Final = 0.03
"""Share of the calls that end in an incoming one, at every page of the caller; they take seconds each."""
ACCEPTED: Final = 0.6
"""Share of the pages that take an incoming call, if they are the first to do anything; the others refuse it."""
LINGER_S: Final = 35.0
WARM_PACE_S, PACE_S = 0.85, 1.0
"""From one call of a page to its next."""
GROWTH: Final = 0
"""What two thousand calls may leave in each process: 4.2 kB a call. A leg that is forgotten is 20 kB or more, a pjsua
call 100 kB."""
NUMBERS: Final = ("echo", "music", "hello", "early", "busy", "reject", "noanswer", "late", "dtmf", "nobody")

PATIENCE_S: Final = 20.0
"""How long a busy machine may take for a response."""
ODD_OFFERS: Final = (
    "",
    "v=0\r\n",
    sdp(codecs=(9,)).replace("G722", "unheard-of"),
    sdp().replace("IN IP4 127.0.0.1", "IN IP6 ::1"),
    sdp() + "a=rtcp:40001 IN IP6 ::1\r\n",
)


@dataclass(frozen=True)
class Holdings:
    """What a gateway holds that calls could leak."""

    descriptors: int
    tasks: int
    sessions: int
    legs: int
    rtp_ports: int
    counted_calls: int
    """Calls that count against the limits."""


@pytest.fixture
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    directory = tmp_path_factory.mktemp("leaks")
    gateway = GatewayProcess(directory, demo_settings(directory, session={"grace_s": 1}), demo=True)
    yield gateway
    gateway.stop()


def family(gateway: GatewayProcess) -> set[int]:
    """The gateway, its SIP worker, the demo phone and the worker of that."""
    return {gateway.program.pid, *gateway.program.descendants()}


def descriptors_of(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def holdings(gateway: GatewayProcess, status: dict[str, Any]) -> Holdings:
    first, last = gateway.settings["media"]["rtp_ports"]
    return Holdings(
        sum(descriptors_of(pid) for pid in family(gateway) if module_of(pid) != "demo"),
        status["tasks"],
        status["sessions"],
        status["media"]["legs"],
        len(taken(range(first, last + 1))),
        status["counted_calls"],
    )


async def settled(gateway: GatewayProcess, wanted: Holdings | None = None) -> Holdings:
    """The holdings once no call is left; waits a while for the last sockets to close."""
    now = holdings(gateway, await gateway.is_idle())
    for _ in range(100):
        if now == wanted or (wanted is None and now.sessions == 0 and now.legs == 0):
            break
        await asyncio.sleep(0.1)
        now = holdings(gateway, await gateway.is_idle())
    return now


async def one_call(page: PageLike, chance: random.Random) -> None:
    """Each call ends after up to a second, if it has not ended before; who will be called back listens to the end."""
    number, patience_s = chance.choice(NUMBERS), chance.random()
    if chance.random() < CALLED_BACK:
        number, patience_s = "callback", 15.0
    call = await (page.call(number) if chance.random() < WITH_AUDIO else page.call_without_audio(number))
    try:
        await call.ended(patience_s)
    except AssertionError:
        await call.hang_up()
    await call.close()


async def one_odd_invite(peer: Peer, sip_port: int, chance: random.Random) -> None:
    """The trunk's host sends an INVITE that cannot be served, or one without SDP that it soon gives up."""
    dialog = peer.dial(sip_port, number=chance.choice(("alice", "bob", "nobody")), body=chance.choice(ODD_OFFERS))
    response = await peer.heard(lambda m: m.status > 100 and m.header("Call-ID") == dialog.call_id, PATIENCE_S)
    if response.status < 200:
        dialog.cancel()
        response = await peer.heard(
            lambda m: m.status >= 200 and m.header("CSeq") == "1 INVITE" and m.header("Call-ID") == dialog.call_id,
            PATIENCE_S,
        )
    if response.status >= 300:
        dialog.ack_refusal()
        return
    dialog.remote = response.header("To")  # a page was quicker
    dialog.ack(sdp())
    await dialog.bye()


async def odd_invites(gateway: GatewayProcess, seed: int, count: int, pace_s: float) -> None:
    """So many of them, one after the other."""
    chance = random.Random(f"odd {seed}")
    async with Peer.open() as peer:
        for _ in range(count):
            await one_odd_invite(peer, gateway.sip_port, chance)
            await asyncio.sleep(pace_s)


async def one_incoming(page: PageLike, call: PageCall, chance: random.Random) -> None:
    """It is refused, or taken and hung up; unless another page is quicker, or the caller gives up."""
    await asyncio.sleep(chance.random() / 2)
    if chance.random() > ACCEPTED:
        await call.reject()
        return
    with contextlib.suppress(AssertionError):  # another page has it
        if chance.random() < 0.5:
            await call.accept()
        else:
            await page.send({"type": "call.accept", "call": call.name, "sdp": CHROMIUM_OFFER})
            await call.until("call.answer-sdp")
        with contextlib.suppress(AssertionError):
            await call.ended(chance.random())
            return
        await call.hang_up()


async def doorman(page: PageLike, chance: random.Random) -> None:
    """Sees to what comes in, until the page goes."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            _, call = await page.incoming.get()
            await one_incoming(page, call, chance)
            await call.close()


async def one_visitor(gateway: GatewayProcess, seed: int, calls: int, pace_s: float) -> None:
    """A page that makes some calls, takes others, and leaves in the middle of another."""
    chance = random.Random(seed)
    async with page_at(gateway.signal_url, user=chance.choice(["alice", "bob"])) as page:
        door = asyncio.create_task(doorman(page, random.Random(f"door {seed}")))
        try:
            began = time.monotonic()
            for number in range(calls - 1):
                await asyncio.sleep(began + number * pace_s - time.monotonic())
                await one_call(page, chance)
            await page.call_without_audio(chance.choice(NUMBERS))
            await asyncio.sleep(chance.random() / 2)
        finally:
            door.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await door
        if chance.random() < 0.5:
            page.socket.transport.abort()  # without goodbye: the gateway waits for its grace


async def many_calls(gateway: GatewayProcess, first_seed: int, calls: int, pace_s: float) -> None:
    """So many calls, always `AT_ONCE` of them at once."""
    seeds = iter(range(first_seed, first_seed + calls // CALLS_PER_PAGE))

    async def visitors() -> None:
        for seed in seeds:
            await one_visitor(gateway, seed, CALLS_PER_PAGE, pace_s)

    odd = odd_invites(gateway, first_seed, calls // AT_ONCE, pace_s)
    await asyncio.gather(*(visitors() for _ in range(AT_ONCE)), odd)


def memory(gateway: GatewayProcess) -> dict[str, int]:
    """Bytes of each process."""
    return resident_by_name(family(gateway))


def incoming_calls(gateway: GatewayProcess) -> int:
    """How many were taken by a page."""
    with contextlib.closing(sqlite3.connect(gateway.settings["records"]["url"].removeprefix("sqlite:///"))) as records:
        found = records.execute("SELECT count(*) FROM calls WHERE direction = 'incoming' AND answered_at IS NOT NULL")
        return int(found.fetchone()[0])


async def warmed(gateway: GatewayProcess) -> Holdings:
    """Calls for so long that as many transactions linger as ever will; what is held then."""
    began = time.monotonic()
    for seed in itertools.count(0, AT_ONCE):
        await many_calls(gateway, seed, AT_ONCE * CALLS_PER_PAGE, WARM_PACE_S)
        if time.monotonic() - began > LINGER_S:
            break
    return await settled(gateway)


@pytest.mark.timeout(400)
async def test_two_thousand_calls_leave_nothing_behind(fresh: GatewayProcess) -> None:
    before = await warmed(fresh)
    assert (before.sessions, before.legs, before.rtp_ports, before.counted_calls) == (0, 0, 0, 0)
    held = memory(fresh)
    await many_calls(fresh, 10_000, CALLS, PACE_S)
    assert await settled(fresh, before) == before
    grown = {name: now - held[name] for name, now in memory(fresh).items()}
    assert max(grown.values()) < GROWTH, f"grown by {grown}, from {held}"
    assert incoming_calls(fresh) > CALLS * CALLED_BACK / 4
