"""Reads sound files: whatever PyAV decodes becomes samples for the media core. Blocking; call it from a thread."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from call.errors import PeerError

NARROW_HZ: Final = 8000
WIDE_HZ: Final = 16_000
MAX_BYTES: Final = 200_000_000
MAX_S: Final = 600.0
"""The media core takes no more."""
MAX_DECODING_S: Final = 60.0
SAMPLE_BYTES: Final = 2
_RAW: Final = {".ul": "mulaw", ".ulaw": "mulaw", ".al": "alaw", ".alaw": "alaw"}
"""G.711 at 8 kHz without a header, as telephone systems keep it."""
_CLOSED: Final = {"protocol_whitelist": "none"}
"""A playlist must not make us open what it names."""
_SHORTER: Final = "Cut it, or save it as Opus, MP3 or FLAC."
_FORMATS: Final = "WAV, MP3, Ogg, FLAC, M4A and whatever else FFmpeg knows can be used."


@dataclass(frozen=True, slots=True)
class Samples:
    """One sound as mono 16-bit samples, native byte order, at both rates of the media core."""

    narrow: bytes
    wide: bytes

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.narrow) / SAMPLE_BYTES / NARROW_HZ


def read(path: Path, clock: Callable[[], float] = time.monotonic) -> Samples:
    """Decode a sound file.

    Raises:
        PeerError: It cannot be used; the sentence says why, the hint what to do.
    """
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            _check_size(path, file)
            return _decode(path, file, clock)
    except OSError as error:
        raise PeerError(f"The sound {path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:  # a NUL in the path
        raise PeerError(f"{str(path)!r} is not the name of a file.") from error


def _open_without_waiting(path: str, flags: int) -> int:
    """A named pipe must not hold us up."""
    return os.open(path, flags | os.O_NONBLOCK)


def _check_size(path: Path, file: IO[bytes]) -> None:
    found = os.fstat(file.fileno())
    if not stat.S_ISREG(found.st_mode):
        raise PeerError(f"The sound {path} is not a file.")
    if found.st_size > MAX_BYTES:
        size = f"{found.st_size / 1e6:.0f} MB"
        raise PeerError(f"The sound {path} has {size}; {MAX_BYTES / 1e6:.0f} MB are the most.", hint=_SHORTER)


def _decode(path: Path, file: IO[bytes], clock: Callable[[], float]) -> Samples:
    try:
        with _open(path, file) as container:
            if not container.streams.audio:
                raise PeerError(f"There is no sound in {path}.", hint=_FORMATS)
            return _resample(path, container.decode(audio=0), clock)
    except av.FFmpegError as error:
        raise PeerError(f"{path} cannot be decoded: {error.strerror}.", hint=_FORMATS) from error


def _open(path: Path, file: IO[bytes]) -> Any:
    if raw := _RAW.get(path.suffix.lower()):
        return av.open(file, format=raw, options=_CLOSED | {"sample_rate": str(NARROW_HZ)})
    return av.open(file, options=_CLOSED)


def _resample(path: Path, frames: Iterator[AudioFrame], clock: Callable[[], float]) -> Samples:
    """Bring all frames to both rates, as long as that stays within bounds."""
    narrow, wide = _Rate(NARROW_HZ), _Rate(WIDE_HZ)
    until = clock() + MAX_DECODING_S
    for frame in frames:
        narrow.take(frame)
        wide.take(frame)
        if len(narrow.samples) > MAX_S * NARROW_HZ * SAMPLE_BYTES:
            raise PeerError(f"The sound {path} is longer than {MAX_S / 60:.0f} minutes.", hint=_SHORTER)
        if clock() >= until:
            raise PeerError(f"The sound {path} takes more than {MAX_DECODING_S:.0f} s to decode.", hint=_SHORTER)
    if not narrow.samples:
        raise PeerError(f"There is no sound in {path}: it is empty.")
    narrow.take(None)
    wide.take(None)
    length = len(narrow.samples) * (WIDE_HZ // NARROW_HZ)
    return Samples(bytes(narrow.samples), bytes(wide.samples[:length]).ljust(length, b"\0"))


class _Rate:
    """Collects a sound at one rate."""

    def __init__(self, rate_hz: int) -> None:
        self._resampler = AudioResampler("s16", "mono", rate_hz)
        self.samples = bytearray()

    def take(self, frame: AudioFrame | None) -> None:
        """Add a frame; None: what the resampler still holds."""
        for piece in self._resampler.resample(frame):
            self.samples += bytes(piece.planes[0])[: piece.samples * SAMPLE_BYTES]
