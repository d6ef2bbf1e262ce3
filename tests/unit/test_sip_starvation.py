from sip.schedstat import Turns
from sip.starvation import is_starved, used_s

BEFORE = Turns(used_s=1.0, waited_s=2.0, count=3, rests=2, is_ready=False)


def test_one_that_waits_for_a_processor_is_starved() -> None:
    assert is_starved(BEFORE, Turns(1.0, 2.0, 3, rests=2, is_ready=True), 0.25)
    assert is_starved(BEFORE, Turns(1.05, 2.2, 3, rests=2, is_ready=False), 0.25)


def test_one_that_is_blocked_or_stopped_hangs() -> None:
    assert not is_starved(BEFORE, Turns(1.0, 2.01, 3, rests=2, is_ready=False), 0.25)


def test_one_that_runs_in_circles_hangs() -> None:
    assert not is_starved(BEFORE, Turns(1.24, 2.0, 3, rests=2, is_ready=True), 0.25)


def test_one_of_which_nothing_is_known_hangs() -> None:
    assert not is_starved(None, Turns(1.0, 2.0, 3, rests=2, is_ready=True), 0.25)
    assert not is_starved(BEFORE, None, 0.25)


def test_the_time_on_a_processor_is_counted_where_it_is_told() -> None:
    assert used_s(BEFORE, Turns(2.5, 9.0, 7, rests=2, is_ready=True)) == 1.5
    assert used_s(None, BEFORE) == used_s(BEFORE, None) == 0
