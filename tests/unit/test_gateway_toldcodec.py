"""`gateway.toldcodec`: of many changes of a trunk's codec the newest is told, and not each on the way there."""

from __future__ import annotations

import asyncio

import pytest

from call.codecs import Format
from call.leg import Settled
from gateway import toldcodec
from gateway.toldcodec import BURST, ToldCodec
from tests.unit.recorders import ReportRecorder

PCMA, G722 = Format("PCMA", 8), Format("G722", 9)


class Teller:
    """A `ToldCodec` and what the other leg hears of it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.report = ReportRecorder()
        self.codec = ToldCodec(self.report.report, clock=lambda: self.now)

    def change(self, count: int) -> None:
        """So many changes; the last one is to G.722 if the count is even."""
        for number in range(count):
            self.codec.tell(G722 if number % 2 else PCMA)

    async def news(self) -> None:
        """Time enough goes by, and something is told."""
        self.report.news.clear()
        self.now += 60.0
        async with asyncio.timeout(5):
            await self.report.news.wait()


@pytest.fixture
def teller(monkeypatch: pytest.MonkeyPatch) -> Teller:
    made = Teller()
    monkeypatch.setattr(toldcodec, "PAUSE_S", 0.0)
    return made


async def test_a_few_changes_are_told_at_once_and_then_the_newest(teller: Teller) -> None:
    teller.change(100)
    assert len(teller.report.events) == BURST
    await teller.news()
    assert len(teller.report.events) == BURST + 1
    assert teller.report.events[-1] == Settled(G722)


async def test_what_is_told_already_is_not_told_again(teller: Teller) -> None:
    teller.codec.tell(PCMA)
    teller.codec.tell(PCMA)
    assert teller.report.events == [Settled(PCMA)]


async def test_after_the_end_nothing_is_told(teller: Teller) -> None:
    teller.change(100)
    told = list(teller.report.events)
    teller.codec.cancel()
    teller.now = 60.0
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert teller.report.events == told
