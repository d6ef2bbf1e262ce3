"""One recording, with the clock as an argument."""

from __future__ import annotations

import array
from pathlib import Path

import pytest

from gateway.recording import MAX_GAPS, Recording, Sources, Status, as_dict
from tests.unit.soundrecorders import FileRecorder, Voice


def loudness(samples: bytes) -> list[tuple[int, int]]:
    """Each 100 ms: the first sample of the left and of the right."""
    values = array.array("h", samples)
    return [(values[at], values[at + 1]) for at in range(0, len(values), 3200)]


class Bench:
    def __init__(self, error: OSError | None = None) -> None:
        self.file = FileRecorder(error)
        self.left, self.right = Voice(1), Voice(2)
        self.told: list[Status] = []
        self.recording = Recording(
            Sources(self.left, self.right, 0), lambda: self.file, started_at=5.0, on_change=self.told.append
        )
        self.recording.begin()


def test_the_legs_lie_side_by_side() -> None:
    bench = Bench()
    bench.recording.write_until(300)
    assert loudness(bench.file.samples) == [(1, 2)] * 3


def test_a_pause_is_silence_and_keeps_the_time() -> None:
    bench = Bench()
    bench.recording.pause(100)
    bench.recording.write_until(200)
    bench.recording.resume(300)
    bench.recording.finish(400, "the call ended")
    assert loudness(bench.file.samples) == [(1, 2), (0, 0), (0, 0), (1, 2)]
    assert [status.state for status in bench.told] == ["recording", "paused", "recording", "finished"]
    assert as_dict(bench.told[-1]) == {
        "state": "finished",
        "file": "/done",
        "started_at": 5.0,
        "seconds": 0.4,
        "gaps": [{"from_s": 0.1, "to_s": 0.3, "why": "paused"}],
        "why": "the call ended",
    }
    assert (bench.left.is_closed, bench.right.is_closed) == (True, True)


def test_a_recording_that_ends_while_it_is_paused_says_so() -> None:
    bench = Bench()
    bench.recording.pause(100)
    bench.recording.finish(200, "the call ended")
    assert [(gap.from_s, gap.to_s) for gap in bench.told[-1].gaps] == [(0.1, 0.2)]


def test_pausing_and_resuming_twice_changes_nothing() -> None:
    bench = Bench()
    bench.recording.resume(100)
    bench.recording.pause(100)
    bench.recording.pause(200)
    assert [status.state for status in bench.told] == ["recording", "paused"]


def test_sound_that_was_lost_is_a_gap() -> None:
    bench = Bench()
    bench.right.dropped_ms = 250.0
    bench.recording.write_until(1000)
    bench.recording.write_until(2000)
    (gap,) = bench.recording.status.gaps
    assert (gap.from_s, gap.to_s, gap.why) == (0.75, 1.0, "the disk was too slow")


def test_a_disk_that_is_too_slow_for_hours_fills_no_memory() -> None:
    bench = Bench()
    for number in range(1, 3 * MAX_GAPS):
        bench.right.dropped_ms += 50.0
        bench.recording.write_until(200 * number)
    assert len(bench.recording._gaps) == len(bench.recording.status.gaps) == MAX_GAPS


def test_a_failure_keeps_what_is_there_and_happens_once() -> None:
    bench = Bench()
    bench.recording.write_until(100)
    bench.recording.fail("the disk refused it")
    bench.recording.fail("again")
    bench.recording.finish(200, "the call ended")
    bench.recording.write_until(300)
    assert bench.file.is_abandoned
    assert [(status.state, status.why) for status in bench.told[1:]] == [("failed", "the disk refused it")]
    assert len(loudness(bench.file.samples)) == 1


def test_an_error_of_the_disk_is_the_callers_to_handle() -> None:
    bench = Bench(OSError(28, "No space left on device"))
    with pytest.raises(OSError, match="No space"):
        bench.recording.write_until(100)
    assert Path(bench.recording.status.file) == Path("/growing")


def test_a_failure_before_anything_was_written_leaves_no_file_and_names_none() -> None:
    bench = Bench()
    bench.recording.fail("the disk refused it")
    assert bench.file.is_abandoned
    assert (bench.told[-1].state, bench.told[-1].file) == ("failed", "")
