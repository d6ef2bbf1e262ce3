"""A hundred calls, ended at random moments, leave everything where it was."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest

from tests.harness.gateway import GatewayProcess, demo_settings
from tests.harness.pagelike import PageLike, page_at
from tests.harness.ports import taken

pytestmark = pytest.mark.interop

CALLS: Final = 100
AT_ONCE: Final = 10
NUMBERS: Final = ("echo", "music", "hello", "early", "busy", "reject", "noanswer", "late", "dtmf", "nobody")


@dataclass(frozen=True)
class Holdings:
    """What a gateway holds that calls could leak."""

    descriptors: int
    tasks: int
    sessions: int
    legs: int
    rtp_ports: int


@pytest.fixture
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    directory = tmp_path_factory.mktemp("leaks")
    gateway = GatewayProcess(directory, demo_settings(directory, session={"grace_s": 1}), demo=True)
    yield gateway
    gateway.stop()


def holdings(gateway: GatewayProcess, status: dict[str, Any]) -> Holdings:
    first, last = gateway.settings["media"]["rtp_ports"]
    return Holdings(
        gateway.program.descriptors(),
        status["tasks"],
        status["sessions"],
        status["media"]["legs"],
        len(taken(range(first, last + 1))),
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
    """Every fifth call has real audio; each ends after up to a second, if it has not ended before."""
    number, patience_s = chance.choice(NUMBERS), chance.random()
    call = await (page.call(number) if chance.random() < 0.2 else page.call_without_audio(number))
    try:
        await call.ended(patience_s)
    except AssertionError:
        await call.hang_up()
    await call.close()


async def one_visitor(gateway: GatewayProcess, seed: int, calls: int) -> None:
    """A page that makes some calls and leaves in the middle of another."""
    chance = random.Random(seed)
    async with page_at(gateway.signal_url, user=chance.choice(["alice", "bob"])) as page:
        for _ in range(calls - 1):
            await one_call(page, chance)
        await page.call_without_audio(chance.choice(NUMBERS))
        await asyncio.sleep(chance.random() / 2)
        if chance.random() < 0.5:
            page.socket.transport.abort()  # without goodbye: the gateway waits for its grace


async def test_a_hundred_calls_leave_nothing_behind(fresh: GatewayProcess) -> None:
    await asyncio.gather(*(one_visitor(fresh, seed, 2) for seed in range(AT_ONCE)))  # everything has been used once
    before = await settled(fresh)
    assert (before.sessions, before.legs, before.rtp_ports) == (0, 0, 0)
    await asyncio.gather(*(one_visitor(fresh, 100 + seed, CALLS // AT_ONCE) for seed in range(AT_ONCE)))
    assert await settled(fresh, before) == before
