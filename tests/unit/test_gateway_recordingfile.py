"""Files of recordings: what is in them, and what is left when the disk or the gateway gives up."""

from __future__ import annotations

import array
import errno
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import pytest

from gateway.recordingfile import RATE_HZ, FileFormat, RecordingFile, open_file

STARTED_AT = 1_800_000_000.0
"""2027-01-15, 08:00 UTC."""


def seconds(count: float) -> bytes:
    """A loud left channel and a silent right one."""
    return array.array("h", [8000, 0] * int(count * RATE_HZ)).tobytes()


def make(folder: Path, kind: FileFormat = "ogg") -> RecordingFile:
    return open_file(folder, "call", STARTED_AT, kind)


def lasts_s(path: Path) -> float:
    with av.open(str(path)) as container:
        frames = [frame for frame in container.decode(audio=0) if isinstance(frame, av.AudioFrame)]
        return sum(frame.samples for frame in frames) / frames[0].sample_rate


@pytest.mark.parametrize("kind", ["ogg", "wav"])
def test_a_file_has_the_day_and_the_call_in_its_name_and_is_for_its_owner_alone(
    tmp_path: Path, kind: FileFormat
) -> None:
    file = make(tmp_path / "new", kind)
    file.write(seconds(1))
    assert not file.path.exists()
    file.finish()
    assert file.path == tmp_path / "new" / "2027-01-15" / f"20270115T080000Z-call.{kind}"
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert [each.name for each in file.path.parent.iterdir()] == [file.path.name]
    assert lasts_s(file.path) == pytest.approx(1, abs=0.02)


def test_recordings_of_one_second_get_different_names(tmp_path: Path) -> None:
    files = [make(tmp_path) for _ in range(3)]
    files[0].finish()
    assert len({file.path for file in [*files, make(tmp_path)]}) == 4


@pytest.mark.parametrize("kind", ["ogg", "wav"])
def test_what_was_written_can_be_heard_before_the_file_is_finished(tmp_path: Path, kind: FileFormat) -> None:
    file = make(tmp_path, kind)
    for _ in range(20):
        file.write(seconds(0.1))
    assert lasts_s(file.unfinished_path) > 1.7


@pytest.mark.parametrize("kind", ["ogg", "wav"])
def test_what_a_full_disk_took_can_be_heard(tmp_path: Path, kind: FileFormat, monkeypatch: pytest.MonkeyPatch) -> None:
    file = make(tmp_path, kind)
    file.write(seconds(2))
    full = os.open("/dev/full", os.O_RDWR)
    os.dup2(full, file._raw.fileno())  # type: ignore[attr-defined]
    os.close(full)
    with pytest.raises(OSError) as failure:
        for _ in range(10):
            file.write(seconds(1))
    assert failure.value.errno == errno.ENOSPC
    file.abandon()
    assert not file.unfinished_path.exists()
    assert lasts_s(file.path) > 1.7


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """As on a disk with so much room, the last write is cut short and the next one fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("kind", ["ogg", "wav"])
def test_a_file_that_was_removed_is_missed_and_not_named_afterwards(tmp_path: Path, kind: FileFormat) -> None:
    file = make(tmp_path, kind)
    file.write(seconds(1))
    assert file.is_there
    file.unfinished_path.unlink()
    assert not file.is_there
    assert not file.abandon()


def test_an_ogg_file_without_room_for_its_first_page_is_not_left_behind(tmp_path: Path) -> None:
    file = make(tmp_path)
    with files_end_at(0), pytest.raises(OSError, match="File too large"):
        file.write(seconds(0.5))
    assert not file.abandon()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_wav_file_without_room_for_its_header_is_not_left_behind(tmp_path: Path) -> None:
    with files_end_at(10), pytest.raises(OSError, match="File too large"):
        make(tmp_path, "wav")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(("kind", "size"), [("ogg", 10_000), ("wav", 150_000)])
def test_a_write_that_is_cut_short_costs_only_what_it_held(tmp_path: Path, kind: FileFormat, size: int) -> None:
    file = make(tmp_path, kind)
    with files_end_at(size), pytest.raises(OSError, match="File too large"):
        for _ in range(100):
            file.write(seconds(0.5))
    assert file.abandon()
    assert [path.name for path in file.path.parent.iterdir()] == [file.path.name]
    assert lasts_s(file.path) > 0.9


def test_a_wav_file_ends_before_its_sizes_do(tmp_path: Path) -> None:
    file = make(tmp_path, "wav")
    file._size = 2**32 - 100  # type: ignore[attr-defined]
    with pytest.raises(OSError, match="4 GiB"):
        file.write(seconds(0.1))
