"""Caps on calls and minutes: who may still call, and what the refusal says."""

import pytest

from call.errors import LimitReached
from call.limits import DAY_S, MAX_REMEMBERED, Caps, Ledger, Party, Usage

ALICE = Party("user", "alice")
ACME = Party("trunk", "acme")
SETTINGS = {"user.concurrent": "limits.user_calls", "trunk.minutes_per_day": "trunk.NAME.max_minutes_per_day"}


def test_no_caps_allow_everything() -> None:
    usage = Usage()
    for number in range(1000):
        usage.begin(0, str(number))
    assert usage.exceeded(0, Caps()) == ""


def test_concurrent_calls_are_capped_until_one_ends() -> None:
    usage = Usage()
    usage.begin(0, "a")
    usage.begin(1, "b")
    assert usage.exceeded(2, Caps(concurrent=2)) == "concurrent"
    usage.end(3, "a")
    assert usage.exceeded(3, Caps(concurrent=2)) == ""


def test_calls_a_minute_count_attempts_that_failed() -> None:
    usage = Usage()
    for at in (0, 10, 20):
        usage.begin(at, str(at))
        usage.end(at, str(at))
    assert usage.exceeded(30, Caps(per_minute=3)) == "per_minute"
    assert usage.exceeded(60, Caps(per_minute=3)) == ""


def test_minutes_count_from_the_answer_and_include_running_calls() -> None:
    usage = Usage()
    usage.begin(0, "a")
    usage.answer(60, "a")
    assert usage.talked_s(90) == 30
    usage.end(120, "a")
    assert usage.talked_s(500) == 60
    assert usage.exceeded(500, Caps(minutes_per_day=1)) == "minutes_per_day"
    assert usage.exceeded(120 + DAY_S, Caps(minutes_per_day=1)) == ""
    assert usage.is_idle


def test_an_answer_of_an_unknown_call_is_ignored() -> None:
    usage = Usage()
    usage.answer(0, "nobody")
    usage.end(1, "nobody")
    assert usage.is_idle


def test_memory_of_ended_calls_is_bounded_and_loses_no_seconds() -> None:
    usage = Usage()
    for number in range(MAX_REMEMBERED + 5):
        usage.begin(number, "x")
        usage.answer(number, "x")
        usage.end(number + 1, "x")
    assert len(usage._talked) == MAX_REMEMBERED
    assert usage.talked_s(MAX_REMEMBERED + 5) == MAX_REMEMBERED + 5


def test_a_refused_call_is_counted_for_nobody() -> None:
    ledger = Ledger(SETTINGS)
    parties = {ALICE: Caps(concurrent=5), ACME: Caps(concurrent=1)}
    ledger.begin(0, "one", parties)
    with pytest.raises(LimitReached, match="Trunk acme has 1 calls at once already"):
        ledger.begin(1, "two", parties)
    ledger.end(2, "one")
    ledger.begin(3, "three", parties)


def test_the_refusal_names_the_setting_that_raises_the_cap() -> None:
    ledger = Ledger(SETTINGS)
    ledger.begin(0, "one", {ALICE: Caps(concurrent=1)})
    with pytest.raises(LimitReached, match="User alice has 1 calls at once") as refusal:
        ledger.begin(0, "two", {ALICE: Caps(concurrent=1)})
    assert refusal.value.hint == "Whoever runs the gateway can raise `limits.user_calls`."


def test_the_refusal_names_the_trunk_in_the_setting() -> None:
    ledger = Ledger(SETTINGS)
    caps = {ACME: Caps(minutes_per_day=1)}
    ledger.begin(0, "one", caps)
    ledger.answer(0, "one")
    with pytest.raises(LimitReached) as refusal:
        ledger.begin(61, "two", caps)
    assert "trunk.acme.max_minutes_per_day" in refusal.value.hint


def test_remaining_time_is_that_of_the_party_with_least() -> None:
    ledger = Ledger(SETTINGS)
    parties = {ALICE: Caps(minutes_per_day=2), ACME: Caps(minutes_per_day=1)}
    ledger.begin(0, "one", parties)
    ledger.answer(0, "one")
    assert ledger.remaining_s(45, parties) == 15
    assert ledger.remaining_s(500, parties) == 0
    assert ledger.remaining_s(0, {ALICE: Caps()}) is None
