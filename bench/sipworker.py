"""How many calls a second the SIP worker sets up and tears down: two of them face each other, without media.

Every call is INVITE, 200, ACK, BYE and 200 over UDP on loopback; the next one begins when it is over.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from bench import cost
from bench.descriptions import phone_answer
from bench.subject import HOST
from bench.summary import CROWDED_CORES
from sip.agent import Agent
from sip.messages import Accept, Answered, Ended, Incoming, Invite, Release, Start, TrunkAccount, TrunkEvent

AT_ONCE: Final = 20
"""Calls that are under way at the same time."""
WARM_S: Final = 1.0
WINDOW_S: Final = 8.0
_OFFER: Final = phone_answer((HOST, 40000), "PCMU")
_ANSWER: Final = phone_answer((HOST, 50000), "PCMU")


@dataclass(slots=True)
class SipFigures:
    """What the two workers did within the window."""

    calls_per_second: float
    cpu_ms_per_call: dict[str, float]
    """Of the worker that calls and of the one that is called."""
    shares: dict[str, float]
    """Cores that this program and everything else on the machine used."""
    failed: dict[str, int] = field(default_factory=dict)
    """Calls that were not answered and hung up, by how they ended."""

    def doubts(self) -> list[str]:
        """What makes these figures doubtful, in words."""
        found = [f"SIP worker: {count} calls failed: {how}" for how, count in self.failed.items()]
        busy = self.shares["others"] + self.shares["stolen"]
        if busy >= CROWDED_CORES:
            found.append(f"SIP worker: others kept {busy:.1f} cores of this machine busy")
        return found


class Mill:
    """Makes calls from one worker to the other, always so many at once."""

    def __init__(self) -> None:
        self.caller: Agent
        self.callee: Agent
        self.done = 0
        self._failed: dict[str, int] = {}
        self._numbers = itertools.count(1)
        self._answered: set[str] = set()
        self._is_over = False

    def call(self) -> None:
        """Begin one more."""
        self.caller.post(Invite(f"c{next(self._numbers)}", "callee", "100", _OFFER))

    def stop(self) -> dict[str, int]:
        """Begin no more; what failed until now. Calls that are still up are ended by their workers."""
        self._is_over = True
        return dict(self._failed)

    def on_called(self, event: TrunkEvent) -> None:
        """The callee answers at once."""
        if isinstance(event, Incoming):
            self.callee.post(Accept(event.leg, _ANSWER))

    def on_calling(self, event: TrunkEvent) -> None:
        """The caller hangs up as soon as it is answered, and calls again."""
        match event:
            case Answered():
                self._answered.add(event.leg)
                self.caller.post(Release(event.leg))
            case Ended():
                self._note_end(event)
                if not self._is_over:
                    self.call()
            case _:
                pass

    def on_lost(self, sentence: str) -> None:
        """A worker died, and its calls with it."""
        self._fail(sentence)

    def _note_end(self, event: Ended) -> None:
        if event.leg in self._answered and event.by == "us":
            self._answered.discard(event.leg)
            self.done += 1
        else:
            self._fail(f"{event.status} {event.detail or event.fault}".strip())

    def _fail(self, how: str) -> None:
        self._failed[how] = self._failed.get(how, 0) + 1


async def measure() -> SipFigures:
    """Let them call as fast as they can, and read what that costs between two moments."""
    mill = Mill()
    async with _workers(mill) as workers:
        for _ in range(AT_ONCE):
            mill.call()
        await asyncio.sleep(WARM_S)
        watched, driver = dict(workers), {os.getpid(): "driver"}
        began, before, ours_before, done_before = time.monotonic(), cost.read(watched), cost.read(driver), mill.done
        await asyncio.sleep(WINDOW_S)
        after, ours_after, lasted = cost.read(watched), cost.read(driver), time.monotonic() - began
        done, failed = mill.done - done_before, mill.stop()
    spent = after.since(before)
    ours = sum(ours_after.since(ours_before).values())
    cpu = {name: sum(s for (process, _), s in spent.items() if process == name) for name in workers.values()}
    shares = {"driver": ours / lasted} | after.crowd(before, sum(spent.values()) + ours, lasted)
    each = {name: round(1000 * seconds / max(done, 1), 3) for name, seconds in cpu.items()}
    return SipFigures(round(done / lasted, 1), each, shares, failed)


@asynccontextmanager
async def _workers(mill: Mill) -> AsyncIterator[dict[int, str]]:
    """Both of them, by process id."""
    async with AsyncExitStack() as stack:
        found: dict[int, str] = {}
        mill.callee = await _running(stack, found, "callee", 1, mill)
        mill.caller = await _running(stack, found, "caller", mill.callee.started.udp_port, mill)
        yield found


async def _running(stack: AsyncExitStack, found: dict[int, str], name: str, port: int, mill: Mill) -> Agent:
    """A worker whose one trunk is the other one."""
    other, on_event = ("caller", mill.on_called) if name == "callee" else ("callee", mill.on_calling)
    agent = Agent(Start(HOST, HOST, 0, trunks=(TrunkAccount(other, HOST, port, "udp"),)), on_event, mill.on_lost)
    already = cost.descendants(os.getpid())
    await agent.start()
    stack.push_async_callback(agent.stop)
    found |= dict.fromkeys(cost.descendants(os.getpid()) - already, name)
    return agent
