"""How busy the process is, and when it refuses calls because of it."""

from pathlib import Path

import pytest

from call.errors import Overloaded
from gateway.load import SAMPLE_S, LoadWatch, thread_cpu_s


class FakeThreads:
    """Media threads whose CPU time a test sets."""

    def __init__(self) -> None:
        self.cpu = {"1": 0.0, "2": 0.0}

    def __call__(self) -> dict[str, float]:
        return dict(self.cpu)


def test_a_calm_process_lets_calls_in() -> None:
    watch = LoadWatch(FakeThreads())
    watch.sample(SAMPLE_S)
    watch.sample(SAMPLE_S + 0.01)
    watch.check()


def test_a_late_event_loop_refuses_after_two_samples_and_recovers() -> None:
    watch = LoadWatch(FakeThreads())
    watch.sample(SAMPLE_S + 0.4)
    watch.check()
    watch.sample(SAMPLE_S + 0.4)
    with pytest.raises(Overloaded, match="reacts 400 ms late"):
        watch.check()
    watch.sample(SAMPLE_S)
    watch.check()


def test_a_busy_media_thread_refuses() -> None:
    threads = FakeThreads()
    watch = LoadWatch(threads)
    watch.sample(SAMPLE_S)
    for _ in range(2):
        threads.cpu["2"] += 0.9 * SAMPLE_S
        watch.sample(SAMPLE_S)
    with pytest.raises(Overloaded, match="media threads are 90% busy"):
        watch.check()
    assert watch.describe()["busiest_media_thread"] == 0.9


def test_only_threads_of_that_name_count_and_dying_ones_do_no_harm(tmp_path: Path) -> None:
    for thread, name, used in (("1", "media-0", "2000000000 5 7"), ("2", "python", "9 9 9"), ("3", "media-1", "")):
        (tmp_path / thread).mkdir()
        (tmp_path / thread / "comm").write_text(name + "\n")
        (tmp_path / thread / "schedstat").write_text(used)
    (tmp_path / "4").mkdir()
    assert thread_cpu_s("media", tmp_path) == {"1": 2.0}
