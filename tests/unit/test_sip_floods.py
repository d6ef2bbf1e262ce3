"""`sip.floods`: a burst gets through, a flood does not, and it makes two lines of log."""

from __future__ import annotations

from sip.floods import BURST_S, Flood

PER_S = 20.0


def through(flood: Flood, seconds: float, per_s: int) -> int:
    """How many get through of a steady stream."""
    return sum(flood.lets_in(number / per_s) for number in range(int(seconds * per_s)))


def test_a_flood_is_cut_down_to_the_burst_and_the_rate() -> None:
    assert abs(through(Flood(PER_S, 0.0), 3, 1500) - PER_S * (BURST_S + 3)) <= 1


def test_what_a_trunk_may_send_gets_through_for_ever() -> None:
    assert through(Flood(PER_S, 0.0), 60, 20) == 60 * 20


def test_no_more_than_a_burst_is_saved_up() -> None:
    flood = Flood(PER_S, 0.0)
    assert sum(flood.lets_in(3600.0) for _ in range(1000)) == PER_S * BURST_S


def test_a_small_rate_still_lets_a_call_in() -> None:
    flood = Flood(0.01, 0.0)
    assert [flood.lets_in(0.0), flood.lets_in(1.0), flood.lets_in(101.0)] == [True, False, True]


def test_without_a_bound_all_get_through() -> None:
    assert through(Flood(0.0, 0.0), 1, 5000) == 5000


def test_the_first_refusal_is_told_and_the_others_are_counted() -> None:
    flood = Flood(PER_S, 0.0)
    assert [flood.refused() for _ in range(3)] == [True, False, False]
    assert flood.told() == 3
    assert flood.refused()
