"""Real speech, made with espeak-ng once and encoded once: what every browser and phone of the bench says."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext

Samples = np.ndarray[Any, np.dtype[np.int16]]

WIDE_HZ: Final = 48_000
NARROW_HZ: Final = 8000
FRAMES_PER_S: Final = 50
_VOICES: Final = (("en-us", 150), ("en-gb", 165))
_SENTENCES: Final = (
    "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background. "
    "It is easy to tell the depth of a well.",
    "These days a chicken leg is a rare dish. Rice is often served in round bowls. "
    "The juice of lemons makes fine punch.",
)
# As Chromium encodes a microphone: 20 ms, mono voice at about 32 kbit/s.
_OPUS_OPTIONS: Final = {"application": "voip", "frame_duration": "20", "compression_level": "10", "vbr": "on"}
_OPUS_BIT_RATE: Final = 32_000


@dataclass(frozen=True, slots=True)
class Speech:
    """Where the speech is, in the forms that are needed."""

    opus: Path
    pcmu: Path
    narrow: Samples
    """At 8 kHz: the reference for what is heard."""


def prepare(directory: Path) -> Speech:
    """Make the speech in `directory`, or take what an earlier run made there.

    Raises:
        FileNotFoundError: espeak-ng is not installed.
    """
    directory.mkdir(parents=True, exist_ok=True)
    opus, pcmu, narrow = directory / "speech.opus-frames", directory / "speech.pcmu-frames", directory / "speech.npy"
    if not (opus.exists() and pcmu.exists() and narrow.exists()):
        wide = _whole_frames(
            np.concatenate([_speak(directory, *line) for line in zip(_VOICES, _SENTENCES, strict=True)])
        )
        opus.write_bytes(pack(_encode(_codec("libopus", "w", WIDE_HZ), wide, WIDE_HZ)))
        small = resample(wide, WIDE_HZ, NARROW_HZ)
        pcmu.write_bytes(pack(_encode(_codec("pcm_mulaw", "w", NARROW_HZ), small, NARROW_HZ)))
        np.save(narrow, small)
    return Speech(opus, pcmu, np.load(narrow))


def pack(frames: Iterable[bytes]) -> bytes:
    """Frames as the load generator reads them: each after its length in two bytes."""
    return b"".join(struct.pack("!H", len(frame)) + frame for frame in frames)


def decode(codec: str, payloads: Iterable[bytes]) -> Samples:
    """What a listener hears, at 8 kHz."""
    name, rate = ("libopus", WIDE_HZ) if codec == "opus" else ("pcm_mulaw", NARROW_HZ)
    context = _codec(name, "r", rate)
    parts = [_mono(frame) for payload in payloads for frame in context.decode(av.Packet(payload))]
    heard = np.concatenate(parts) if parts else np.zeros(0, np.int16)
    return heard if rate == NARROW_HZ else resample(heard, rate, NARROW_HZ)


def resample(samples: Samples, source_hz: int, target_hz: int) -> Samples:
    """The same sound at another rate."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=target_hz)
    frames = [*resampler.resample(_frame(samples, source_hz)), *resampler.resample(None)]
    parts = np.concatenate([_mono(frame) for frame in frames])
    wanted = len(samples) * target_hz // source_hz
    return np.pad(parts, (0, max(0, wanted - len(parts))))[:wanted]


def _speak(directory: Path, voice: tuple[str, int], text: str) -> Samples:
    program = shutil.which("espeak-ng")
    if program is None:
        raise FileNotFoundError("espeak-ng is not installed: apt-get install espeak-ng")
    wav = directory / "voice.wav"
    name, words_per_minute = voice
    subprocess.run([program, "-v", name, "-s", str(words_per_minute), "-w", str(wav), text], check=True)
    with av.open(str(wav)) as container:
        frames = list(container.decode(audio=0))
    spoken = np.concatenate([_mono(frame) for frame in frames])
    wav.unlink()
    return resample(spoken, frames[0].sample_rate, WIDE_HZ)


def _whole_frames(samples: Samples) -> Samples:
    per_frame = WIDE_HZ // FRAMES_PER_S
    return samples[: len(samples) // per_frame * per_frame]


def _codec(name: str, mode: Any, rate_hz: int) -> AudioCodecContext:
    context: Any = av.CodecContext.create(name, mode)
    context.sample_rate, context.layout, context.format = rate_hz, "mono", "s16"
    if name == "libopus" and mode == "w":
        context.bit_rate, context.options = _OPUS_BIT_RATE, _OPUS_OPTIONS
    return context  # type: ignore[no-any-return]


def _encode(context: AudioCodecContext, samples: Samples, rate_hz: int) -> Iterator[bytes]:
    per_frame = rate_hz // FRAMES_PER_S
    for start in range(0, len(samples), per_frame):
        frame = _frame(samples[start : start + per_frame], rate_hz)
        frame.pts, frame.time_base = start, Fraction(1, rate_hz)
        yield from (bytes(packet) for packet in context.encode(frame))


def _frame(samples: Samples, rate_hz: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = rate_hz
    return frame


def _mono(frame: av.AudioFrame) -> Samples:
    samples: Samples = frame.to_ndarray().reshape(-1).astype(np.int16)
    return samples
