"""Two thousand calls, twenty at once, ended at random moments, leave everything where it was.

Ports, legs, tasks, sessions and descriptors: exactly as before. Memory: the second thousand may cost no more than
`GROWTH`. The first thousand shows the allocator how much is wanted at once, most of it by SIP transactions. They linger
for 32 s (RFC 3261 §17.1.1.2), so they must be gone before the second.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.harness.gateway import GatewayProcess, demo_settings
from tests.harness.memory import MIB, module_of, resident_by_name
from tests.harness.pagelike import PageLike, page_at
from tests.harness.ports import taken

pytestmark = pytest.mark.interop

CALLS: Final = 2000
AT_ONCE: Final = 20
CALLS_PER_PAGE: Final = 25
WITH_AUDIO: Final = 0.05
"""Share of the calls that have real ICE, DTLS and SRTP; the others have a leg that nobody comes to."""
LINGER_S: Final = 35.0
GROWTH: Final = 6 * MIB
"""What a thousand calls may leave in each process: less than 6.3 kB a call. A leg that is forgotten is 20 kB or more, a
pjsua call 100 kB."""
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
    """Each call ends after up to a second, if it has not ended before."""
    number, patience_s = chance.choice(NUMBERS), chance.random()
    call = await (page.call(number) if chance.random() < WITH_AUDIO else page.call_without_audio(number))
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


async def many_calls(gateway: GatewayProcess, first_seed: int, calls: int) -> None:
    """So many calls, always `AT_ONCE` of them at once."""
    seeds = iter(range(first_seed, first_seed + calls // CALLS_PER_PAGE))

    async def visitors() -> None:
        for seed in seeds:
            await one_visitor(gateway, seed, CALLS_PER_PAGE)

    await asyncio.gather(*(visitors() for _ in range(AT_ONCE)))


def memory(gateway: GatewayProcess) -> dict[str, int]:
    """Bytes of each process."""
    return resident_by_name(family(gateway))


@pytest.mark.timeout(400)
async def test_two_thousand_calls_leave_nothing_behind(fresh: GatewayProcess) -> None:
    await many_calls(fresh, 0, AT_ONCE * CALLS_PER_PAGE // 5)  # everything has been used once
    before = await settled(fresh)
    assert (before.sessions, before.legs, before.rtp_ports) == (0, 0, 0)
    await many_calls(fresh, 1000, CALLS // 2)
    assert await settled(fresh, before) == before
    held = memory(fresh)
    await asyncio.sleep(LINGER_S)  # there is no event for it
    await many_calls(fresh, 2000, CALLS // 2)
    assert await settled(fresh, before) == before
    grown = {name: now - held[name] for name, now in memory(fresh).items()}
    assert max(grown.values()) < GROWTH, f"grown by {grown}, from {held}"
