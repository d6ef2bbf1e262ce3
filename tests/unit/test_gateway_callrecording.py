"""A call's recordings: who may have them, and who is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import pytest

from call.errors import PolicyError, TransportError
from gateway import callrecording
from gateway.callrecording import CallRecording, Ways, Wish
from gateway.configlistening import RecordingMode
from gateway.recorder import Handle, Recorder
from gateway.recording import Recording, Sources, State, Status
from tests.unit.soundrecorders import Voice


class RecorderStub:
    """Does at once, on the event loop, what is asked of it."""

    def __init__(self) -> None:
        self.is_dead = False
        self.fails: Status | None = None
        """What every wish comes to."""
        self.status = Status("starting")

    def start(self, _call_id: str, _sources: Sources, on_change: Callable[[Status], None]) -> Handle:
        handle = Handle(lambda step: step(0), cast(Recording, self), on_change)
        self._tell = handle.take
        self.change("recording")
        return handle

    def change(self, state: State, why: str = "") -> None:
        if not self.is_dead:
            self.status = self.fails or Status(state, "/file", why=why)
            asyncio.get_running_loop().call_soon(self._tell, self.status)

    def pause(self, _: int) -> None:
        self.change("paused")

    def resume(self, _: int) -> None:
        self.change("recording")

    def finish(self, _: int, why: str) -> None:
        self.change("finished", why)


class Bench:
    def __init__(self, mode: RecordingMode = "on-demand", *, has_folder: bool = True, beep_every_s: float = 0) -> None:
        self.recorder = RecorderStub()
        self.told: list[bool] = []
        self.notes: list[tuple[str, str]] = []
        self.beeps, self.three_beeps = 0, asyncio.Event()
        self.hushes = 0
        self.sources: Sources | None = Sources(Voice(), Voice(), 0)
        self.kept: list[str] = []
        """How the newest recording stood each time when that was saved."""
        ways = Ways(
            lambda: self.sources,
            self.told.append,
            self._beep,
            self._hush,
            lambda *note: self.notes.append(note),
            lambda: self.kept.append(list(self.calls.describe().values())[-1]["state"]),
        )
        recorder = cast(Recorder, self.recorder) if has_folder else None
        self.calls = CallRecording("id1", mode, recorder, ways, beep_every_s=beep_every_s)

    def _beep(self) -> None:
        self.beeps += 1
        if self.beeps == 3:
            self.three_beeps.set()

    def _hush(self) -> None:
        self.hushes += 1


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_every_call_is_recorded_from_its_answer_to_its_end() -> None:
    bench = Bench("all")
    assert bench.calls.describe() == {}
    bench.calls.on_answer()
    await settle()
    assert (bench.told, bench.beeps, bench.calls.is_on) == ([True], 1, True)
    await bench.calls.end()
    assert (bench.told, bench.calls.is_on) == ([True, False], False)
    assert bench.calls.describe()["1"]["why"] == "the call ended"
    assert bench.notes == [("recording began", "/file"), ("recording finished", "the call ended")]


async def test_a_recording_on_demand_goes_through_all_states() -> None:
    bench = Bench()
    bench.calls.on_answer()
    await settle()
    assert bench.told == []
    wishes: list[Wish] = ["start", "pause", "resume", "stop", "start"]
    states = [(await bench.calls.obey(wish))["state"] for wish in wishes]
    assert states == ["recording", "paused", "recording", "finished", "recording"]
    assert bench.told == [True, False, True, False, True]
    assert bench.beeps == 3
    assert [what for what, _ in bench.notes] == [
        "recording began",
        "recording paused",
        "recording goes on",
        "recording finished",
        "recording began",
    ]
    assert list(bench.calls.describe()) == ["1", "2"]


async def test_each_change_is_saved_and_not_only_the_end_of_the_call() -> None:
    bench = Bench()
    bench.calls.on_answer()
    wishes: list[Wish] = ["start", "pause", "resume", "stop"]
    for wish in wishes:
        await bench.calls.obey(wish)
    assert bench.kept == ["recording", "paused", "recording", "finished"]


async def test_the_length_of_a_running_recording_is_asked_for_when_it_is_shown() -> None:
    bench = Bench()
    bench.calls.on_answer()
    await bench.calls.obey("start")
    bench.recorder.status = Status("recording", "/file", seconds=4.5)
    assert bench.calls.describe()["1"]["seconds"] == 4.5


async def test_a_wish_that_makes_no_sense_holds_up_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callrecording, "ANSWER_S", 3600.0)
    bench = Bench()
    bench.calls.on_answer()
    first = asyncio.create_task(bench.calls.obey("start"))
    await asyncio.sleep(0)
    with pytest.raises(PolicyError, match="being recorded already"):
        await bench.calls.obey("start")
    assert (await first)["state"] == "recording"


async def test_two_who_ask_at_once_are_both_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callrecording, "ANSWER_S", 3600.0)
    bench = Bench()
    bench.calls.on_answer()
    await bench.calls.obey("start")
    both = await asyncio.gather(bench.calls.obey("pause"), bench.calls.obey("stop"))
    assert all(status["state"] in ("paused", "finished") for status in both)


async def test_a_call_that_cannot_be_recorded_goes_on_and_its_journal_says_why() -> None:
    bench = Bench("all")
    bench.sources = None
    bench.calls.on_answer()
    await settle()
    assert bench.notes == [("not recorded", "The call has no media yet. Ask again in a moment.")]
    assert (bench.told, bench.beeps) == ([], 0)


@pytest.mark.parametrize("wish", ["pause", "stop"])
async def test_a_tone_that_waits_is_withdrawn_when_nothing_is_recorded_any_more(wish: Wish) -> None:
    bench = Bench("all")
    bench.calls.on_answer()
    await settle()
    assert bench.hushes == 0
    await bench.calls.obey(wish)
    assert bench.hushes == 1


async def test_a_tone_that_waits_is_withdrawn_when_the_recording_fails() -> None:
    bench = Bench("all")
    bench.calls.on_answer()
    bench.recorder.change("failed", "the disk refused it")
    await settle()
    assert bench.hushes == 1


async def test_a_recording_that_fails_at_its_start_is_no_success_and_leaves_no_entry() -> None:
    bench = Bench()
    bench.calls.on_answer()
    bench.recorder.fails = Status("failed", why="the disk refused it: No space left on device")
    with pytest.raises(TransportError, match=r"^The recording failed: the disk refused it: No space left on device\.$"):
        await bench.calls.obey("start")
    assert (bench.told, bench.calls.describe()) == ([], {})
    bench.recorder.fails = None
    assert (await bench.calls.obey("start"))["state"] == "recording"


async def test_both_who_stop_a_recording_that_fails_learn_it_and_where_its_sound_is() -> None:
    bench = Bench()
    bench.calls.on_answer()
    await bench.calls.obey("start")
    bench.recorder.fails = Status("failed", "/file", seconds=2.0, why="the disk refused it")
    outcomes = await asyncio.gather(bench.calls.obey("stop"), bench.calls.obey("stop"), return_exceptions=True)
    assert [getattr(outcome, "hint", "") for outcome in outcomes] == ["What was recorded is in /file."] * 2
    assert bench.calls.describe()["1"]["state"] == "failed"


@pytest.mark.parametrize(
    ("before", "wish", "words"),
    [
        ([], "pause", "nothing to pause"),
        ([], "stop", "nothing to stop"),
        (["start"], "resume", "nothing to resume: the call is being recorded."),
        (["start"], "start", "already"),
        (["start", "pause"], "pause", "nothing to pause: the recording is paused already."),
        (["start", "stop"], "stop", "not being recorded"),
    ],
)
async def test_a_wish_that_makes_no_sense_is_refused(before: list[Wish], wish: Wish, words: str) -> None:
    bench = Bench()
    bench.calls.on_answer()
    for each in before:
        await bench.calls.obey(each)
    with pytest.raises(PolicyError, match=words):
        await bench.calls.obey(wish)


async def test_a_call_is_not_recorded_against_the_settings_or_before_it_is_up() -> None:
    for bench, words in ((Bench("off"), "not to be"), (Bench(has_folder=False), "not to be"), (Bench(), "is up")):
        if words == "not to be":
            bench.calls.on_answer()
        with pytest.raises(PolicyError, match=words):
            await bench.calls.obey("start")


async def test_a_call_without_media_is_not_recorded_yet() -> None:
    bench = Bench()
    bench.sources = None
    bench.calls.on_answer()
    with pytest.raises(PolicyError, match="no media"):
        await bench.calls.obey("start")


async def test_the_tone_comes_again_while_the_call_is_recorded() -> None:
    bench = Bench("all", beep_every_s=0.001)
    bench.calls.on_answer()
    async with asyncio.timeout(5):
        await bench.three_beeps.wait()
    await bench.calls.obey("pause")
    beeps = bench.beeps
    await asyncio.sleep(0.01)
    assert bench.beeps == beeps


async def test_a_disk_that_does_not_answer_holds_the_end_of_a_call_up_for_a_moment_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(callrecording, "END_S", 0.01)
    bench = Bench("all")
    bench.calls.on_answer()
    await settle()
    bench.recorder.is_dead = True
    await bench.calls.end()
    assert bench.calls.describe()["1"]["state"] == "recording"
