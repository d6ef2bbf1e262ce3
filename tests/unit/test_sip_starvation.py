import os
from pathlib import Path

from sip.starvation import Turns, is_starved, turns_of

BEFORE = Turns(used_s=1.0, waited_s=2.0, is_ready=False)


def test_one_that_waits_for_a_processor_is_starved() -> None:
    assert is_starved(BEFORE, Turns(1.0, 2.0, is_ready=True), 0.25)
    assert is_starved(BEFORE, Turns(1.05, 2.2, is_ready=False), 0.25)


def test_one_that_is_blocked_or_stopped_hangs() -> None:
    assert not is_starved(BEFORE, Turns(1.0, 2.01, is_ready=False), 0.25)


def test_one_that_runs_in_circles_hangs() -> None:
    assert not is_starved(BEFORE, Turns(1.24, 2.0, is_ready=True), 0.25)


def test_one_of_which_nothing_is_known_hangs() -> None:
    assert not is_starved(None, Turns(1.0, 2.0, is_ready=True), 0.25)
    assert not is_starved(BEFORE, None, 0.25)


def test_turns_are_read_of_a_process(tmp_path: Path) -> None:
    assert turns_of(os.getpid()) is not None
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "schedstat").write_text("1500000000 250000000 12\n")
    (tmp_path / "7" / "stat").write_text("7 (a (b) c) R 1 7\n")
    assert turns_of(7, tmp_path) == Turns(1.5, 0.25, is_ready=True)
    assert turns_of(8, tmp_path) is None
