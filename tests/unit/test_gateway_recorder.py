"""The recorder's thread: what it writes, and what it does when the disk fails."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway import recorder
from gateway.recorder import Handle, Recorder
from gateway.recording import Sources, Status
from tests.unit.soundrecorders import FileRecorder, Voice


class Bench:
    def __init__(self, folder: Path, min_free_bytes: int = 0) -> None:
        self._began = time.monotonic()
        self.recorder = Recorder(folder, "wav", min_free_bytes, lambda: int((time.monotonic() - self._began) * 1000))
        self.voices: list[Voice] = []
        self.told: list[Status] = []
        self._news = asyncio.Event()

    def start(self) -> Handle:
        self.voices += [Voice(), Voice()]
        return self.recorder.start("call", Sources(self.voices[-2], self.voices[-1], 0), self._take)

    async def until(self, state: str) -> Status:
        async with asyncio.timeout(5):
            while not self.told or self.told[-1].state != state:
                self._news.clear()
                await self._news.wait()
        return self.told[-1]

    def _take(self, status: Status) -> None:
        self.told.append(status)
        self._news.set()


@pytest.fixture
async def make(tmp_path: Path) -> Iterator[Callable[..., Bench]]:  # type: ignore[misc]
    made: list[Bench] = []

    def one(folder: Path = tmp_path, **settings: int) -> Bench:
        made.append(Bench(folder, **settings))
        return made[-1]

    yield one
    for bench in made:
        bench.recorder.close()


async def test_a_recording_is_written_paused_and_completed(make: Callable[..., Bench], tmp_path: Path) -> None:
    bench = make()
    handle = bench.start()
    await bench.until("recording")
    handle.pause()
    await bench.until("paused")
    handle.resume()
    await bench.until("recording")
    handle.stop("the call ended")
    status = await bench.until("finished")
    assert handle.over.is_set()
    assert status.file.startswith(str(tmp_path))
    assert all(voice.is_closed for voice in bench.voices)


async def test_a_folder_that_cannot_be_made_fails_the_recording_alone(
    make: Callable[..., Bench], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    bench = make(tmp_path / "file")
    bench.start()
    assert "the disk refused it" in (await bench.until("failed")).why


async def test_a_disk_that_fails_ends_one_recording_and_not_its_neighbour(
    make: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = iter([FileRecorder(OSError(28, "No space left on device")), FileRecorder()])
    monkeypatch.setattr(recorder, "open_file", lambda *_: next(files))
    bench = make()
    bench.start()
    neighbour = bench.start()
    assert (await bench.until("failed")).why == "the disk refused it: No space left on device"
    neighbour.stop("the call ended")
    await bench.until("finished")


async def test_a_bug_ends_one_recording(make: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "open_file", lambda *_: FileRecorder(ZeroDivisionError()))
    bench = make()
    bench.start()
    assert "fault" in (await bench.until("failed")).why


async def test_recordings_end_before_the_disk_is_full(
    make: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "LOOK_S", 0.0)
    bench = make()
    bench.start()
    await bench.until("recording")
    bench.recorder._min_free_bytes = 2**62
    status = await bench.until("finished")
    assert "recording.min_free_mb" in status.why


async def test_nothing_begins_on_a_disk_without_room(make: Callable[..., Bench]) -> None:
    bench = make(min_free_bytes=2**62)
    bench.start()
    status = await bench.until("failed")
    assert "recording.min_free_mb" in status.why
    assert [(each.state, each.file) for each in bench.told] == [("failed", "")]


async def test_a_recording_whose_folder_vanishes_ends_at_once_and_not_only_with_the_call(
    make: Callable[..., Bench], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "LOOK_S", 0.0)
    bench = make()
    bench.start()
    await bench.until("recording")
    shutil.rmtree(tmp_path)
    status = await bench.until("failed")
    assert (status.why, status.file) == ("its file was removed", "")


async def test_closing_completes_what_is_being_recorded(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.start()
    await bench.until("recording")
    await asyncio.to_thread(bench.recorder.close)
    assert (await bench.until("finished")).why == "the gateway was stopped"


async def test_a_recorder_that_recorded_nothing_has_no_thread(make: Callable[..., Bench]) -> None:
    bench = make()
    assert bench.recorder._thread is None
    bench.recorder.close()


async def test_a_recording_in_the_first_second_of_the_media_core_is_written(make: Callable[..., Bench]) -> None:
    bench = make()
    asked: list[int] = []
    bench.start()
    await bench.until("recording")
    bench.voices[0].read = lambda until_ms: asked.append(until_ms) or b""  # type: ignore[method-assign, func-returns-value]
    async with asyncio.timeout(5):
        while not asked:  # noqa: ASYNC110 - the recorder's thread has no event of ours
            await asyncio.sleep(0.02)
    assert min(asked) >= 0
