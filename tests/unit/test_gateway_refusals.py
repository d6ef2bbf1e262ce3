"""`gateway.refusals`: which calls that never began leave a record of their own."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from call.causes import Cause
from gateway import refusals as module
from gateway.callrecord import CallRecord
from gateway.refusals import Refusals

LIMIT = CallRecord(
    "r1", "outgoing", "alice", "echo", "demo", 0.0, cause=Cause.LIMIT.value, sentence="Too many.", hint="Raise it."
)


async def kept(*records: CallRecord) -> list[CallRecord]:
    saved: list[CallRecord] = []
    refusals = Refusals(saved.append)
    for record in records:
        refusals.keep(record)
    return saved


async def test_refusals_by_the_same_limit_share_a_record() -> None:
    assert await kept(LIMIT, replace(LIMIT, id="r2", remote="music", sentence="Too many: 7.")) == [LIMIT]


@pytest.mark.parametrize(
    "other",
    [{"user": "bob"}, {"hint": "Raise the other."}, {"cause": Cause.OVERLOAD.value}, {"direction": "incoming"}],
    ids=lambda other: next(iter(other)),
)
async def test_refusals_by_another_limit_or_of_somebody_else_have_their_own(other: dict[str, Any]) -> None:
    assert len(await kept(LIMIT, replace(LIMIT, id="r2", **other))) == 2


async def test_refusals_for_other_reasons_are_all_kept() -> None:
    wrong = replace(LIMIT, cause=Cause.NOT_FOUND.value)
    assert await kept(wrong, wrong) == [wrong, wrong]


@pytest.mark.parametrize(
    ("count", "words"), [(2, "1 more call was refused"), (4, "3 more calls were refused")], ids=["one", "several"]
)
async def test_record_says_in_the_end_how_many_it_stands_for(
    monkeypatch: pytest.MonkeyPatch, count: int, words: str
) -> None:
    monkeypatch.setattr(module, "TOGETHER_S", 0.0)
    summed_up = asyncio.Event()
    saved: list[CallRecord] = []

    def save(record: CallRecord) -> None:
        saved.append(record)
        if len(saved) == 2:
            summed_up.set()

    refusals = Refusals(save)
    for _ in range(count):
        refusals.keep(LIMIT)
    async with asyncio.timeout(5):
        await summed_up.wait()
    assert saved[1] == replace(LIMIT, sentence=f"Too many. {words} for this within a minute.")
    refusals.keep(LIMIT)
    assert saved[2] == LIMIT, "a new minute"
