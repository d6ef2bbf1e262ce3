"""Reads sound files: whatever PyAV decodes becomes samples for the media core. Blocking; call it from a thread."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
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
MIN_S, MAX_S = 0.001, 600.0
"""The media core takes no less and no more."""
MAX_DECODING_S: Final = 60.0
SAMPLE_BYTES: Final = 2
_RAW: Final = {".ul": "mulaw", ".ulaw": "mulaw", ".al": "alaw", ".alaw": "alaw"}
"""G.711 at 8 kHz without a header, as telephone systems keep it."""
_UNNAMED_MONO: Final = "1 channels"
"""What FFmpeg calls one channel of which nobody said where it is."""
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
    with _file_at(path) as file:
        _check_size(path, file)
        return _decode(path, file, clock)


def _file_at(path: Path) -> IO[bytes]:
    try:
        return open(path, "rb", opener=_open_without_waiting)
    except OSError as error:
        raise _unreadable(path, error) from error
    except ValueError as error:  # a NUL in the path
        raise PeerError(f"{str(path)!r} is not the name of a file.") from error


def _unreadable(path: Path, error: OSError) -> PeerError:
    return PeerError(f"The sound {path} cannot be read: {error.strerror or error}.")


def _open_without_waiting(path: str, flags: int) -> int:
    """A named pipe must not hold us up."""
    return os.open(path, flags | os.O_NONBLOCK)


def _check_size(path: Path, file: IO[bytes]) -> None:
    found = os.fstat(file.fileno())
    if not stat.S_ISREG(found.st_mode):
        raise PeerError(f"The sound {path} is not a file.")
    if not found.st_size:
        raise _empty(path)
    if found.st_size > MAX_BYTES:
        size = f"{found.st_size / 1e6:.0f} MB"
        raise PeerError(f"The sound {path} has {size}; {MAX_BYTES / 1e6:.0f} MB are the most.", hint=_SHORTER)


def _decode(path: Path, file: IO[bytes], clock: Callable[[], float]) -> Samples:
    try:
        with _open(path, file) as container:
            if not container.streams.audio:
                raise PeerError(f"There is no sound in {path}.", hint=_FORMATS)
            return _resample(path, _decoded(container), clock)
    except av.FFmpegError as error:
        raise PeerError(f"{path} cannot be decoded: {error.strerror}.", hint=_FORMATS) from error
    except OSError as error:  # the disk's
        raise _unreadable(path, error) from error


def _empty(path: Path) -> PeerError:
    return PeerError(f"There is no sound in {path}: it is empty.")


def _open(path: Path, file: IO[bytes]) -> Any:
    if raw := _RAW.get(path.suffix.lower()):
        return av.open(file, format=raw, options=_CLOSED | {"sample_rate": str(NARROW_HZ)})
    return av.open(file, options=_CLOSED)


def _decoded(container: Any) -> Iterator[Sequence[AudioFrame]]:
    """The frames of each packet; a damaged packet has none, and what is around it is heard.

    Raises:
        av.FFmpegError: Not one packet can be decoded.
    """
    packets, is_heard, damage = container.demux(audio=0), False, None
    while True:
        try:
            frames = next(packets).decode()
        except StopIteration:
            break
        except av.InvalidDataError as error:
            frames, damage = [], error
        is_heard = is_heard or bool(frames)
        yield frames
    if damage is not None and not is_heard:
        raise damage


def _resample(path: Path, packets: Iterator[Sequence[AudioFrame]], clock: Callable[[], float]) -> Samples:
    """Bring all frames to both rates, as long as that stays within bounds."""
    narrow, wide = _Rate(NARROW_HZ), _Rate(WIDE_HZ)
    until = clock() + MAX_DECODING_S
    for frames in packets:
        for frame in map(_with_named_layout, frames):
            narrow.take(frame)
            wide.take(frame)
        _check_not_longer(path, narrow.samples)
        if clock() >= until:
            raise PeerError(f"The sound {path} takes more than {MAX_DECODING_S:.0f} s to decode.", hint=_SHORTER)
    narrow.flush()
    wide.flush()
    if not narrow.samples:
        raise _empty(path)
    if len(narrow.samples) < MIN_S * NARROW_HZ * SAMPLE_BYTES:
        raise PeerError(f"The sound {path} is shorter than a millisecond.")
    _check_not_longer(path, narrow.samples)
    length = len(narrow.samples) * (WIDE_HZ // NARROW_HZ)
    return Samples(bytes(narrow.samples), bytes(wide.samples[:length]).ljust(length, b"\0"))


def _check_not_longer(path: Path, narrow: bytearray) -> None:
    if len(narrow) > MAX_S * NARROW_HZ * SAMPLE_BYTES:
        raise PeerError(f"The sound {path} is longer than {MAX_S / 60:.0f} minutes.", hint=_SHORTER)


def _with_named_layout(frame: AudioFrame) -> AudioFrame:
    """WAV does not name the layout of its one channel, and a resampler that only gives it the name spoils the frame."""
    if frame.layout.name != _UNNAMED_MONO:
        return frame
    named = AudioFrame(frame.format, "mono", frame.samples)
    named.planes[0].update(bytes(frame.planes[0])[: named.planes[0].buffer_size])
    named.sample_rate, named.time_base, named.pts = frame.sample_rate, frame.time_base, frame.pts
    return named


class _Rate:
    """Collects a sound at one rate, whatever it changes to on its way."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._resampler: AudioResampler | None = None
        self._taken: tuple[str, str, int] | None = None
        """What the resampler is for: format, layout, rate."""
        self.samples = bytearray()

    def take(self, frame: AudioFrame) -> None:
        """Add a frame."""
        taken = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler is None or taken != self._taken:
            self.flush()
            self._resampler, self._taken = AudioResampler("s16", "mono", self._rate_hz), taken
        self._add(self._resampler.resample(frame))

    def flush(self) -> None:
        """Add what the resampler still holds."""
        if self._resampler is not None:
            self._add(self._resampler.resample(None))

    def _add(self, pieces: Sequence[AudioFrame]) -> None:
        for piece in pieces:
            self.samples += bytes(piece.planes[0])[: piece.samples * SAMPLE_BYTES]
