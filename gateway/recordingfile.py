"""The file of a recording: a channel per leg, Ogg Opus or WAV, readable up to the last second even after a crash."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import time
from pathlib import Path
from typing import Final, Literal, Protocol

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

FileFormat = Literal["ogg", "wav"]

RATE_HZ: Final = 16_000
"""What the legs are heard at: wideband voice has no more."""
CHANNELS: Final = 2
FRAME_BYTES: Final = 2 * CHANNELS
"""One 16-bit sample of each channel."""
OPUS_BITRATE: Final = 64_000
"""For both channels, as a target that dense speech exceeds by half."""
OPUS_OPTIONS: Final = {"application": "audio", "compression_level": "10"}
"""Measured (ADR 0017): two people who talk at once are no stereo scene, and Opus's voice mode spoils them."""
PAGE_US: Final = "200000"
"""Ogg pages of 0.2 s: what a killed gateway may lose of the end."""
UNFINISHED: Final = ".part"

_MAX_WAV_DATA: Final = 2**32 - 1 - 36
_WAV_HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")


class RecordingFile(Protocol):
    """A file that grows by interleaved 16-bit samples."""

    path: Path
    """Its name once it is finished."""
    unfinished_path: Path
    """Its name until then."""

    @property
    def is_there(self) -> bool:
        """Whether others find the file, until it is finished.

        Raises:
            OSError: The disk does not say.
        """

    def write(self, samples: bytes) -> None:
        """Append; the bytes have left the process when it returns.

        Raises:
            OSError: The disk took it not.
        """

    def finish(self) -> None:
        """Complete the file, sync it to the disk, and give it its name.

        Raises:
            OSError: The disk took it not.
        """

    def abandon(self) -> bool:
        """Write nothing more, after an error: what is in the file can be heard, and it gets its name if it may.

        False: there is nothing in it, and no file is left.
        """


def open_file(folder: Path, call_id: str, started_at: float, kind: FileFormat) -> RecordingFile:
    """A new file, in a folder for its day (UTC).

    Raises:
        OSError: It cannot be made.
    """
    day = time.strftime("%Y-%m-%d", time.gmtime(started_at))
    name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(started_at))
    (folder / day).mkdir(parents=True, exist_ok=True, mode=0o700)
    path = _free_name(folder / day, f"{name}-{call_id}", kind)
    return OggFile(path) if kind == "ogg" else WavFile(path)


def _free_name(folder: Path, stem: str, kind: FileFormat) -> Path:
    """A call may be recorded several times within a second."""
    path, number = folder / f"{stem}.{kind}", 1
    while path.exists() or _unfinished(path).exists():
        number += 1
        path = folder / f"{stem}-{number}.{kind}"
    return path


def _unfinished(path: Path) -> Path:
    return path.with_name(path.name + UNFINISHED)


class _Growing:
    """A file that is written under another name than it will have. Nobody else may read it: it holds talk."""

    def __init__(self, path: Path) -> None:
        self.path, self.unfinished_path = path, _unfinished(path)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._raw = io.FileIO(os.open(self.unfinished_path, flags, 0o600), "r+")

    @property
    def is_there(self) -> bool:
        """By its name: its descriptor goes on working after it was removed."""
        return self.unfinished_path.exists()

    def abandon(self) -> bool:
        """Close and rename, which needs no room, or remove what is empty."""
        with contextlib.suppress(OSError):
            self._raw.close()
        with contextlib.suppress(OSError):
            if not self.is_there:
                return False
            if not self.unfinished_path.stat().st_size:
                self.unfinished_path.unlink()
                return False
            self.unfinished_path.rename(self.path)
        return True

    def _complete(self) -> None:
        try:
            os.fsync(self._raw.fileno())
        finally:
            self._raw.close()
        self.unfinished_path.rename(self.path)


class OggFile(_Growing):
    """Ogg Opus (RFC 7845)."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        options = {"page_duration": PAGE_US, "flush_packets": "1"}
        self._sink = _Appending(self._raw)
        self._container = av.open(self._sink, "w", format="ogg", options=options)
        self._stream: AudioStream = self._container.add_stream("libopus", rate=RATE_HZ)
        self._stream.layout = "stereo"
        self._stream.bit_rate = OPUS_BITRATE
        self._stream.options = dict(OPUS_OPTIONS)
        self._pts = 0

    def write(self, samples: bytes) -> None:
        """Encode; libopus may keep the last 20 ms back."""
        frame = AudioFrame(format="s16", layout="stereo", samples=len(samples) // FRAME_BYTES)
        frame.planes[0].update(samples)
        frame.sample_rate = RATE_HZ
        frame.pts = self._pts
        self._pts += frame.samples
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Write what libopus kept and the last page, then sync and rename."""
        try:
            self._container.mux(self._stream.encode(None))
            self._container.close()
        except av.FFmpegError as error:  # of the end libavformat says only that it could not be written
            raise OSError("the end of the file could not be written") from error
        self._complete()

    def abandon(self) -> bool:
        """Close without what libavformat would still write."""
        self._sink.is_open = False
        with contextlib.suppress(OSError, av.FFmpegError):
            self._container.close()
        return super().abandon()


class _Appending:
    """What libavformat writes to: every byte or an error, never fewer bytes."""

    def __init__(self, raw: io.FileIO) -> None:
        self._raw = raw
        self.is_open = True

    def write(self, data: bytes) -> int:
        """All of it."""
        return _write_all(self._raw, data) if self.is_open else len(data)


class WavFile(_Growing):
    """RIFF WAVE whose header is right after every write, since nobody may come back to put it right."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._size = 0
        try:
            _write_all(self._raw, self._header())
        except OSError:
            self._raw.close()
            self.unfinished_path.unlink()  # there is nothing in it that anybody could play
            raise

    def write(self, samples: bytes) -> None:
        """Append the samples, then say so in the header.

        Raises:
            OSError: The disk took it not, or the format can hold no more (18 hours).
        """
        if self._size + len(samples) > _MAX_WAV_DATA:
            raise OSError("a WAV file can hold no more than 4 GiB")
        self._raw.seek(0, os.SEEK_END)
        _write_all(self._raw, samples)
        self._size += len(samples)
        self._raw.seek(0)
        _write_all(self._raw, self._header())

    def finish(self) -> None:
        """Sync and rename: the header is right already."""
        self._complete()

    def _header(self) -> bytes:
        rate = RATE_HZ * FRAME_BYTES
        form = (b"fmt ", 16, 1, CHANNELS, RATE_HZ, rate, FRAME_BYTES, 16)
        return _WAV_HEADER.pack(b"RIFF", 36 + self._size, b"WAVE", *form, b"data", self._size)


def _write_all(raw: io.FileIO, data: bytes) -> int:
    rest = memoryview(data)
    while rest:
        rest = rest[raw.write(rest) or 0 :]
    return len(data)
