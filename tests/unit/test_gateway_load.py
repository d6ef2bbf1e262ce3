import asyncio
import errno
import itertools
import os
from pathlib import Path

import pytest

from call.errors import Overloaded
from gateway.load import CALM_SAMPLES, LOOK_S, MAX_LAG_S, MAX_WAIT_S, SAMPLE_S, LoadWatch, ThreadTurns
from sip.schedstat import Turns
from tests.harness.patience import eventually


class Clock:
    """What the scheduler counts of the media threads, as the test says."""

    def __init__(self) -> None:
        self.turns = {name: Turns(0.0, 0.0, 0, 0, False) for name in ("1", "2")}

    def read(self) -> dict[str, Turns]:
        return dict(self.turns)

    def add(
        self, thread: str, *, used_s: float = 0.0, waited_s: float = 0.0, count: int = 0, rests: int | None = None
    ) -> None:
        """It rests after each turn, unless told otherwise."""
        then, rested = self.turns[thread], count if rests is None else rests
        self.turns[thread] = Turns(
            then.used_s + used_s, then.waited_s + waited_s, then.count + count, then.rests + rested, not used_s
        )


def watch(clock: Clock) -> LoadWatch:
    made = LoadWatch(clock.read)
    made.look(0.0)
    return made


def sample(watch: LoadWatch, lag_s: float = 0.0) -> None:
    watch.look(SAMPLE_S)
    watch.sample(lag_s)


def test_idle_gateway_lets_calls_in() -> None:
    made = watch(Clock())
    made.check()
    assert (made.lag_s, made.busiest_thread) == (0.0, 0.0)


def test_one_busy_moment_is_no_overload() -> None:
    clock = Clock()
    made = watch(clock)
    clock.add("2", used_s=SAMPLE_S)
    sample(made)
    assert made.busiest_thread == pytest.approx(1.0)
    made.check()


def test_busy_media_thread_refuses_until_it_is_calm_again() -> None:
    clock = Clock()
    made = watch(clock)
    for _ in range(CALM_SAMPLES):
        clock.add("2", used_s=0.9 * SAMPLE_S)
        sample(made)
    with pytest.raises(Overloaded, match="media threads are 90% busy") as caught:
        made.check()
    assert caught.value.hint
    sample(made)
    made.check()


def test_late_event_loop_refuses() -> None:
    made = watch(Clock())
    for _ in range(CALM_SAMPLES):
        sample(made, MAX_LAG_S + 0.05)
    with pytest.raises(Overloaded, match="reacts 300 ms late"):
        made.check()


def test_thread_that_ended_is_no_load() -> None:
    clock = Clock()
    made = watch(clock)
    del clock.turns["1"]
    clock.turns["3"] = Turns(100.0, 100.0, 1, 1, True)
    sample(made)
    assert (made.busiest_thread, made.wait_s) == (0.0, 0.0)


def test_starved_media_thread_refuses_though_it_is_not_busy() -> None:
    clock = Clock()
    made = watch(clock)
    for _ in range(CALM_SAMPLES):
        made.check()
        clock.add("1", used_s=0.01, waited_s=SAMPLE_S - 0.01, count=8)
        sample(made)
    with pytest.raises(Overloaded, match="packets wait 31 ms for a processor") as caught:
        made.check()
    assert "stop what else runs" in caught.value.hint
    clock.add("1", used_s=0.01, waited_s=SAMPLE_S - 0.01, count=25)
    sample(made)
    made.check()


def test_thread_that_gets_no_turn_at_all_is_starved() -> None:
    clock = Clock()
    made = watch(clock)
    clock.add("1")
    sample(made)
    assert made.wait_s == SAMPLE_S / 2, "those that come first wait longest"
    clock.add("1")
    sample(made)
    with pytest.raises(Overloaded, match="wait 750 ms"):
        made.check()


def test_short_turns_between_long_waits_do_not_hide_them() -> None:
    clock = Clock()
    made = watch(clock)
    for _ in range(CALM_SAMPLES):
        for _ in range(2):
            for _ in range(9):
                clock.add("1")
                made.look(LOOK_S)
            clock.add("1", used_s=0.001, waited_s=10 * LOOK_S, count=50)
            made.look(LOOK_S)
        made.sample(0.0)
    assert made.wait_s == pytest.approx((9 * LOOK_S) ** 2 / SAMPLE_S)
    assert made.wait_s > MAX_WAIT_S
    with pytest.raises(Overloaded, match="packets wait"):
        made.check()


def test_many_short_waits_are_no_starvation() -> None:
    """As beside another busy program: it waits most of the time, but no packet long."""
    clock = Clock()
    made = watch(clock)
    for _ in range(CALM_SAMPLES):
        clock.add("1", used_s=0.02, waited_s=0.9 * SAMPLE_S, count=150)
        sample(made)
    assert made.wait_s < 0.01
    made.check()


async def test_turns_are_read_more_often_while_a_thread_waits() -> None:
    clock, looks = Clock(), list[float]()

    def read() -> dict[str, Turns]:
        looks.append(asyncio.get_running_loop().time())
        clock.add("1")
        return clock.read()

    watching = asyncio.create_task(LoadWatch(read).run())
    await eventually(lambda: len(looks) >= 6)
    watching.cancel()
    gaps = [later - sooner for sooner, later in itertools.pairwise(looks)]
    assert gaps[0] >= SAMPLE_S
    assert sorted(gaps[1:])[2] < SAMPLE_S / 2


def test_thread_that_has_nothing_to_do_is_not_starved() -> None:
    made = watch(Clock())
    for _ in range(CALM_SAMPLES):
        sample(made)
    made.check()


def test_a_thread_that_never_rests_is_starved_by_many_short_waits_too() -> None:
    """Each packet has its turn soon after it is looked at, but more come than there are turns for."""
    clock = Clock()
    made = watch(clock)
    for _ in range(CALM_SAMPLES):
        clock.add("1", used_s=0.2 * SAMPLE_S, waited_s=0.8 * SAMPLE_S, count=400, rests=0)
        sample(made)
    with pytest.raises(Overloaded, match="packets wait 250 ms for a processor"):
        made.check()


def test_turns_of_threads_are_read_by_their_names(tmp_path: Path) -> None:
    def write(number: str, name: str, schedstat: str) -> None:
        (tmp_path / number).mkdir(exist_ok=True)
        (tmp_path / number / "comm").write_text(name + "\n")
        (tmp_path / number / "status").write_text(f"Name:\t{name}\nState:\tR (running)\nvoluntary_ctxt_switches:\t1\n")
        (tmp_path / number / "schedstat").write_text(schedstat)

    write("7", "media-0", "2500000000 4000000 2")
    write("8", "python", "9 9 9")
    write("9", "media-1", "")
    (tmp_path / "10").mkdir()  # it ends while we look
    threads = ThreadTurns("media", tmp_path)
    assert threads.read() == {"7": Turns(2.5, 0.004, 2, 1, True)}
    write("9", "media-1", "1000000000 0 1")
    assert threads.read().keys() == {"7", "9"}
    threads.close()
    assert threads.read() == {}


def test_turns_are_read_while_no_descriptor_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = ThreadTurns("")
    before = threads.read()

    def refuse(*_: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    for opener in ("open", "scandir", "listdir"):
        monkeypatch.setattr(os, opener, refuse)
    assert before.keys() <= threads.read().keys()
    threads.close()


def test_this_machine_counts_turns() -> None:
    (mine,) = [turns for thread, turns in ThreadTurns("").read().items() if int(thread) == os.getpid()]
    assert mine.used_s > 0
    assert mine.count > 0
