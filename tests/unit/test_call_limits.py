import pytest

from call.errors import LimitReached
from call.limits import DAY_S, MINUTE_S, Caps, Ledger, Party, Usage

ALICE, DEMO, ALL = Party("user", "alice"), Party("trunk", "demo"), Party("gateway", "")
TEN = Caps(minutes_per_day=10.0)
SETTINGS = {"user.concurrent": "limits.user_calls", "trunk.per_minute": "trunk.NAME.max_calls_per_minute"}


def test_calls_at_once_are_counted_until_they_end() -> None:
    usage, caps = Usage(), Caps(concurrent=2)
    usage.begin(0.0, "a")
    assert usage.exceeded(0.0, caps) == ""
    usage.begin(0.0, "b")
    assert usage.exceeded(0.0, caps) == "concurrent"
    usage.end(1.0, "a")
    assert usage.exceeded(1.0, caps) == ""


def test_calls_a_minute_are_forgotten_after_a_minute() -> None:
    usage, caps = Usage(), Caps(per_minute=1)
    usage.begin(0.0, "a")
    usage.end(1.0, "a")
    assert usage.exceeded(MINUTE_S - 0.1, caps) == "per_minute"
    assert usage.exceeded(MINUTE_S, caps) == ""


def test_minutes_count_from_the_answer_and_running_ones_too() -> None:
    usage, caps = Usage(), Caps(minutes_per_day=2.0)
    usage.begin(0.0, "a")
    assert usage.talked_s(500.0) == 0.0
    usage.answer(500.0, "a")
    assert usage.talked_s(560.0) == 60.0
    usage.end(560.0, "a")
    usage.begin(600.0, "b")
    usage.answer(600.0, "b")
    assert usage.exceeded(659.0, caps) == ""
    assert usage.exceeded(660.0, caps) == "minutes_per_day"


def test_minutes_are_forgotten_after_a_day() -> None:
    usage, caps = Usage(), Caps(minutes_per_day=1.0)
    usage.begin(0.0, "a")
    usage.answer(0.0, "a")
    usage.end(60.0, "a")
    assert usage.exceeded(60.0 + DAY_S - 1, caps) == "minutes_per_day"
    assert usage.exceeded(60.0 + DAY_S, caps) == ""
    assert usage.is_idle


def test_call_that_was_not_answered_costs_no_minutes() -> None:
    usage = Usage()
    usage.begin(0.0, "a")
    usage.end(100.0, "a")
    usage.answer(101.0, "a")
    assert usage.talked_s(200.0) == 0.0


def test_memory_of_many_calls_is_bounded_and_loses_no_minutes() -> None:
    usage = Usage()
    for number in range(0, int(3 * DAY_S), 20):
        assert usage.exceeded(float(number), Caps()) == ""
        usage.begin(float(number), "a")
        usage.answer(float(number), "a")
        usage.end(number + 10.0, "a")
    assert len(usage._talked) <= DAY_S / MINUTE_S + 1
    assert usage.talked_s(3 * DAY_S) == pytest.approx(DAY_S / 2, abs=MINUTE_S)


def test_zero_switches_a_cap_off() -> None:
    usage = Usage()
    for number in range(100):
        usage.begin(0.0, str(number))
    assert usage.exceeded(0.0, Caps()) == ""


def test_refused_call_is_counted_for_nobody() -> None:
    ledger = Ledger(SETTINGS)
    parties = {ALL: Caps(), ALICE: Caps(concurrent=1), DEMO: Caps(concurrent=5)}
    ledger.begin(0.0, "a", parties)
    with pytest.raises(LimitReached):
        ledger.begin(0.0, "b", parties)
    ledger.end(1.0, "a")
    ledger.begin(1.0, "c", parties)
    assert ledger._usage[DEMO].exceeded(1.0, Caps(concurrent=2)) == ""


@pytest.mark.parametrize(
    ("party", "caps", "sentence", "hint"),
    [
        (
            ALICE,
            Caps(concurrent=1),
            "User alice has 1 outgoing call at once already, which is the limit.",
            "limits.user_calls",
        ),
        (
            DEMO,
            Caps(per_minute=1),
            "Trunk demo has had 1 call within a minute, which is the limit.",
            "trunk.demo.max_calls_per_minute",
        ),
        (ALL, Caps(concurrent=1), "The gateway has 1 call at once already, which is the limit.", ""),
    ],
)
def test_refusal_says_who_what_and_which_setting(party: Party, caps: Caps, sentence: str, hint: str) -> None:
    ledger = Ledger(SETTINGS)
    ledger.begin(0.0, "a", {party: caps})
    with pytest.raises(LimitReached) as caught:
        ledger.begin(0.0, "b", {party: caps})
    assert str(caught.value) == sentence
    assert hint in caught.value.hint
    assert bool(caught.value.hint) == bool(hint)


def test_minutes_that_run_out_are_somebodys() -> None:
    ledger = Ledger({"user.minutes_per_day": "limits.user_minutes", "trunk.minutes_per_day": "trunk.NAME.minutes"})
    for party, sentence, setting in (
        (ALICE, "User alice has used the 2 minutes of outgoing calls of a day.", "`limits.user_minutes`"),
        (DEMO, "Trunk demo has used the 2 minutes of calls of a day.", "`trunk.demo.minutes`"),
    ):
        used_up = ledger.used_up(party, Caps(minutes_per_day=2.0))
        assert str(used_up) == sentence
        assert setting in used_up.hint


def test_minutes_without_a_cap_or_a_call_are_not_used_up() -> None:
    ledger = Ledger(SETTINGS)
    ledger.begin(0.0, "a", {ALICE: TEN})
    assert ledger.left_s(0.0, ALICE, TEN) is None, "nobody talks"
    ledger.answer(0.0, "a")
    assert ledger.left_s(0.0, ALICE, Caps()) is None
    assert ledger.left_s(0.0, DEMO, TEN) is None
    assert ledger.talking(DEMO) == []


def test_many_parties_are_not_all_looked_at_whenever_a_call_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("call.limits.MAX_PARTIES", 10)
    looks, forget = [0], Usage.forget

    def count(usage: Usage, now: float) -> None:
        looks[0] += 1
        forget(usage, now)

    monkeypatch.setattr(Usage, "forget", count)
    ledger = Ledger(SETTINGS)
    for number in range(500):
        ledger.begin(float(number), "a", {Party("user", str(number)): TEN})
        ledger.answer(float(number), "a")
        ledger.end(number + 0.5, "a")
    assert looks[0] < 3 * 500
    ledger.begin(3 * DAY_S, "a", dict.fromkeys((Party("user", f"new {number}") for number in range(1000)), TEN))
    ledger.end(3 * DAY_S, "a")
    assert len(ledger._usage) == 1000, "those of whom nothing is remembered are gone"


def test_end_of_an_unknown_call_is_harmless() -> None:
    ledger = Ledger(SETTINGS)
    ledger.end(0.0, "nobody")
    ledger.answer(0.0, "nobody")
    ledger.begin(0.0, "a", {ALICE: Caps(concurrent=1)})
    ledger.end(1.0, "a")
    ledger.end(2.0, "a")
    ledger.begin(3.0, "b", {ALICE: Caps(concurrent=1)})


def test_calls_at_once_share_the_minutes_that_are_left() -> None:
    ledger = Ledger(SETTINGS)
    for name in "abcd":
        ledger.begin(0, name, {ALICE: TEN})
        ledger.answer(0, name)
    assert ledger.left_s(0, ALICE, TEN) == 150
    assert ledger.left_s(150, ALICE, TEN) == 0
    ledger.end(100, "a")
    ledger.answer(100, "b")  # saying it again changes nothing
    assert ledger.left_s(100, ALICE, TEN) == pytest.approx(200 / 3)
    assert ledger.talking(ALICE) == ["b", "c", "d"]


def test_minutes_of_yesterday_come_back_to_a_call_that_goes_on() -> None:
    ledger = Ledger(SETTINGS)
    for name in "ab":
        ledger.begin(0, name, {ALICE: TEN})
    ledger.answer(0, "a")
    ledger.end(300, "a")
    ledger.answer(DAY_S, "b")
    assert ledger.left_s(DAY_S + 100, ALICE, TEN) == 200
    assert ledger.left_s(DAY_S + 300, ALICE, TEN) == 300


def test_call_that_is_over_for_its_user_still_counts_for_its_trunk() -> None:
    ledger, one = Ledger(SETTINGS), Caps(concurrent=1)
    ledger.begin(0.0, "a", {ALICE: one, DEMO: one})
    ledger.answer(0.0, "a")
    ledger.leave(60.0, "a", "user")
    ledger.leave(60.0, "unknown", "user")
    assert (ledger.talking(ALICE), ledger.talking(DEMO)) == ([], ["a"])
    with pytest.raises(LimitReached, match="Trunk demo"):
        ledger.begin(61.0, "b", {ALICE: one, DEMO: one})
    ledger.end(62.0, "a")
    ledger.begin(63.0, "b", {ALICE: one, DEMO: one})
    assert ledger.left_s(63.0, ALICE, TEN) is None, "nobody talks"
