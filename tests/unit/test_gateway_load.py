from pathlib import Path

import pytest

from call.errors import Overloaded
from gateway.load import CALM_SAMPLES, MAX_LAG_S, SAMPLE_S, LoadWatch, thread_cpu_s


class Clock:
    """CPU seconds of the media threads, as the test says."""

    def __init__(self) -> None:
        self.used = {"1": 0.0, "2": 0.0}

    def read(self) -> dict[str, float]:
        return dict(self.used)


def watch(clock: Clock) -> LoadWatch:
    made = LoadWatch(clock.read)
    made.sample(SAMPLE_S)
    return made


def test_idle_gateway_lets_calls_in() -> None:
    made = watch(Clock())
    made.check()
    assert (made.lag_s, made.busiest_thread) == (0.0, 0.0)


def test_one_busy_moment_is_no_overload() -> None:
    clock = Clock()
    made = watch(clock)
    clock.used["2"] += SAMPLE_S
    made.sample(SAMPLE_S)
    assert made.busiest_thread == pytest.approx(1.0)
    made.check()


def test_busy_media_thread_refuses_until_it_is_calm_again() -> None:
    clock = Clock()
    made = watch(clock)
    for _ in range(CALM_SAMPLES):
        clock.used["2"] += 0.9 * SAMPLE_S
        made.sample(SAMPLE_S)
    with pytest.raises(Overloaded, match="media threads are 90% busy") as caught:
        made.check()
    assert caught.value.hint
    made.sample(SAMPLE_S)
    made.check()


def test_late_event_loop_refuses() -> None:
    made = watch(Clock())
    for _ in range(CALM_SAMPLES):
        made.sample(SAMPLE_S + MAX_LAG_S + 0.05)
    with pytest.raises(Overloaded, match="reacts 300 ms late"):
        made.check()


def test_thread_that_ended_is_no_load() -> None:
    clock = Clock()
    made = watch(clock)
    del clock.used["1"]
    clock.used["3"] = 100.0
    made.sample(SAMPLE_S)
    assert made.busiest_thread == 0.0


def test_cpu_of_threads_is_read_by_their_names(tmp_path: Path) -> None:
    for number, name, schedstat in (("7", "media-0", "2500000000 1 2"), ("8", "python", "9 9 9"), ("9", "media-1", "")):
        (tmp_path / number).mkdir()
        (tmp_path / number / "comm").write_text(name + "\n")
        (tmp_path / number / "schedstat").write_text(schedstat)
    assert thread_cpu_s("media", tmp_path) == {"7": 2.5}
