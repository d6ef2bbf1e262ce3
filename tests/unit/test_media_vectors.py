"""The G.722 vectors that the Rust tests compare with are ffmpeg's (through PyAV)."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

VECTORS = Path(__file__).parents[2] / "media" / "src" / "codec" / "g722" / "vectors"


def _signed(value: int) -> int:
    return (value & 0xFFFF ^ 0x8000) - 0x8000


def _sweep() -> "np.ndarray[Any, np.dtype[np.int16]]":
    """The sound of `media/src/codec/g722/tests.rs`."""
    seed, phase, samples = 1, 0, []
    for n in range(8000):
        seed = seed * 1_664_525 + 1_013_904_223 & 0xFFFFFFFF
        phase = phase + 0x0100_0000 + n * 0x3800 & 0xFFFFFFFF
        tone = abs(_signed(phase >> 16)) - 16_384
        gain = 0 if n // 1000 % 3 == 0 else 3
        samples.append(int(tone * gain / 4) + int(_signed(seed >> 16) / 16))
    return np.array(samples, np.int16)


def _codec(mode: Any) -> Any:
    context: Any = av.CodecContext.create("g722", mode)
    context.sample_rate, context.layout, context.format = 16_000, "mono", "s16"
    return context


def test_the_vectors_are_those_of_ffmpeg() -> None:
    encoder, sweep, payloads = _codec("w"), _sweep(), []
    for start in range(0, len(sweep), 320):
        frame = av.AudioFrame.from_ndarray(sweep[start : start + 320].reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 16_000, start, Fraction(1, 16_000)
        payloads += [bytes(packet) for packet in encoder.encode(frame)]
    encoded = b"".join(payloads)
    assert encoded == (VECTORS / "sweep.g722").read_bytes()
    decoded = b"".join(frame.to_ndarray().tobytes() for frame in _codec("r").decode(av.Packet(encoded)))
    assert decoded == (VECTORS / "sweep.s16").read_bytes()
