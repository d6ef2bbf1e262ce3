"""Real speech, made with espeak-ng once and encoded once: what every browser and phone of the bench says."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext

Samples = np.ndarray[Any, np.dtype[np.int16]]

WIDE_HZ: Final = 48_000
PESQ_WIDE_HZ: Final = 16_000
"""The rate that PESQ-WB wants (ITU-T P.862.2), and G.722 has."""
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
# As it encodes when it is told of losses: with redundancy in the band (RFC 6716 §2.1.7).
_OPUS_FEC: Final = {"fec": "1", "packet_loss": "10"}


@dataclass(frozen=True, slots=True)
class Voice:
    """One encoding of the speech."""

    payload_type: int
    clock_hz: int
    """Of RTP (RFC 3551; 8000 for G.722, whatever it samples at)."""
    encoder: str
    """FFmpeg's; "": it has none, the load generator has."""
    rate_hz: int


VOICES: Final[Mapping[str, Voice]] = {
    "opus": Voice(111, 48_000, "libopus", WIDE_HZ),
    "opus-fec": Voice(111, 48_000, "libopus", WIDE_HZ),
    "PCMU": Voice(0, 8000, "pcm_mulaw", NARROW_HZ),
    "PCMA": Voice(8, 8000, "pcm_alaw", NARROW_HZ),
    "G722": Voice(9, 8000, "g722", PESQ_WIDE_HZ),
    "G729": Voice(18, 8000, "", NARROW_HZ),
}


@dataclass(frozen=True, slots=True)
class Speech:
    """Where the speech is, in the forms that are needed."""

    files: Mapping[str, Path]
    """Encoded frames of each voice."""
    narrow: Samples
    """At 8 kHz: the reference for what is heard."""
    wide: Samples
    """At 16 kHz."""

    def words(self) -> list[str]:
        """The voices as the load generator wants them."""
        known = ((name, VOICES[name], file) for name, file in self.files.items())
        return [f"{name}:{voice.payload_type}:{voice.clock_hz}:{file}" for name, voice, file in known]


Encode = Callable[[str, Path, Path], object]
"""Codec, file of samples at 8 kHz, file of frames to be made."""


def prepare(directory: Path, encode: Encode | None) -> Speech:
    """Make the speech in `directory`, or take what an earlier run made there.

    `encode` is for codecs that FFmpeg does not encode; None: their voices are left out.

    Raises:
        FileNotFoundError: espeak-ng is not installed.
    """
    directory.mkdir(parents=True, exist_ok=True)
    voices = {name: voice for name, voice in VOICES.items() if voice.encoder or encode}
    files = {name: directory / f"speech.{name}-frames" for name in voices}
    samples = {rate_hz: directory / f"speech-{rate_hz}.npy" for rate_hz in (NARROW_HZ, PESQ_WIDE_HZ, WIDE_HZ)}
    if not all(path.exists() for path in (*files.values(), *samples.values())):
        lines = zip(_VOICES, _SENTENCES, strict=True)
        wide = _whole_frames(np.concatenate([_speak(directory, *line) for line in lines]))
        for rate_hz, path in samples.items():
            np.save(path, wide if rate_hz == WIDE_HZ else resample(wide, WIDE_HZ, rate_hz))
        for name, path in files.items():
            spoken = np.load(samples[VOICES[name].rate_hz])
            if VOICES[name].encoder:
                path.write_bytes(pack(encode_frames(name, spoken)))
            elif encode:
                raw = directory / "speech.raw"
                raw.write_bytes(spoken.tobytes())
                encode(name, raw, path)
    return Speech(files, np.load(samples[NARROW_HZ]), np.load(samples[PESQ_WIDE_HZ]))


def pack(frames: Iterable[bytes]) -> bytes:
    """Frames as the load generator reads them: each after its length in two bytes."""
    return b"".join(struct.pack("!H", len(frame)) + frame for frame in frames)


def resample(samples: Samples, source_hz: int, target_hz: int) -> Samples:
    """The same sound at another rate."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=target_hz)
    frames = [*resampler.resample(_frame(samples, source_hz)), *resampler.resample(None)]
    parts = np.concatenate([mono(frame) for frame in frames])
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
    spoken = np.concatenate([mono(frame) for frame in frames])
    wav.unlink()
    return resample(spoken, frames[0].sample_rate, WIDE_HZ)


def _whole_frames(samples: Samples) -> Samples:
    per_frame = WIDE_HZ // FRAMES_PER_S
    return samples[: len(samples) // per_frame * per_frame]


def open_codec(name: str, mode: Any, rate_hz: int, **options: str) -> AudioCodecContext:
    """One of FFmpeg's codecs, mono; mode "r" decodes, "w" encodes."""
    context: Any = av.CodecContext.create(name, mode)
    context.sample_rate, context.layout, context.format = rate_hz, "mono", "s16"
    context.options = options
    return context  # type: ignore[no-any-return]


def _open_encoder(name: str) -> AudioCodecContext:
    voice = VOICES[name]
    if voice.encoder != "libopus":
        return open_codec(voice.encoder, "w", voice.rate_hz)
    context = open_codec(voice.encoder, "w", voice.rate_hz, **_OPUS_OPTIONS, **(_OPUS_FEC if "fec" in name else {}))
    context.bit_rate = _OPUS_BIT_RATE
    return context


def encode_frames(name: str, samples: Samples) -> Iterator[bytes]:
    """Frames of a voice of `VOICES`, at its rate."""
    context, rate_hz = _open_encoder(name), VOICES[name].rate_hz
    per_frame = rate_hz // FRAMES_PER_S
    for start in range(0, len(samples), per_frame):
        frame = _frame(samples[start : start + per_frame], rate_hz)
        frame.pts, frame.time_base = start, Fraction(1, rate_hz)
        yield from (bytes(packet) for packet in context.encode(frame))


def _frame(samples: Samples, rate_hz: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = rate_hz
    return frame


def mono(frame: av.AudioFrame) -> Samples:
    """Its samples."""
    samples: Samples = frame.to_ndarray().reshape(-1).astype(np.int16)
    return samples
