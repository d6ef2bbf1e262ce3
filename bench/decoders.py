"""What the bench's listeners decode with: libopus by itself, other codecs through PyAV with a simple concealment."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
from typing import Any, Final, Protocol

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext

from bench.speech import Samples, mono, open_codec, resample

_MAX_FRAME_S: Final = 0.12
_OPUS_STEP_S: Final = 0.02
_FFMPEG: Final = {
    "PCMU": ("pcm_mulaw", 8000, 1),
    "PCMA": ("pcm_alaw", 8000, 1),
    "G722": ("g722", 16_000, 1),
    "G729": ("g729", 8000, 10),
}
"""FFmpeg's name of the codec, its rate in Hz, bytes that it decodes at a time (1: any)."""
# Concealment of G.711 and G.722: the last pitch period again and again, quieter until it is silent.
_PITCH_S: Final = (0.0025, 0.015)
_COMPARED_S: Final = 0.02
_STEADY_S: Final = 0.01
_SILENT_AFTER_S: Final = 0.06


class Decoder(Protocol):
    """Decodes one stream, packet by packet."""

    def decode(self, payload: bytes) -> Samples:
        """The sound of one packet; nothing when it is broken."""

    def conceal(self, count: int) -> Samples:
        """So many samples for packets that are missing."""

    def recover(self, following: bytes, count: int) -> Samples:
        """So many samples for the packet before this one, from the copy in it; concealed where it carries none."""


def decoder(codec: str, rate_hz: int) -> Decoder:
    """A decoder that gives this rate."""
    return _Opus(rate_hz) if codec == "opus" else _Repeating(codec, rate_hz)


@functools.cache
def _libopus() -> Any:
    name = ctypes.util.find_library("opus")
    if name is None:
        raise FileNotFoundError("libopus is not installed: apt-get install libopus0")
    library: Any = ctypes.CDLL(name)
    library.opus_decoder_create.restype = ctypes.c_void_p
    library.opus_decoder_destroy.argtypes = (ctypes.c_void_p,)
    pcm = ctypes.POINTER(ctypes.c_int16)
    integer = ctypes.c_int
    library.opus_decode.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int32, pcm, integer, integer)
    return library


class _Opus:
    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        error = ctypes.c_int()
        self._state = _libopus().opus_decoder_create(rate_hz, 1, ctypes.byref(error))
        if error.value:
            raise ValueError(f"libopus refuses {rate_hz} Hz: error {error.value}")

    def __del__(self) -> None:
        _libopus().opus_decoder_destroy(self._state)

    def decode(self, payload: bytes) -> Samples:
        return self._run(payload, int(_MAX_FRAME_S * self._rate_hz))

    def conceal(self, count: int) -> Samples:
        step = int(_OPUS_STEP_S * self._rate_hz)
        # libopus conceals whole multiples of 2.5 ms.
        parts = [self._run(None, step) for _ in range(-(-count // step))]
        return np.concatenate(parts)[:count]

    def recover(self, following: bytes, count: int) -> Samples:
        return self._run(following, count, from_copy=True)

    def _run(self, payload: bytes | None, room: int, *, from_copy: bool = False) -> Samples:
        pcm = (ctypes.c_int16 * room)()
        count = _libopus().opus_decode(self._state, payload, len(payload or b""), pcm, room, from_copy)
        return np.frombuffer(bytearray(pcm), np.int16)[: max(count, 0)]


class _Repeating:
    def __init__(self, codec: str, rate_hz: int) -> None:
        name, native_hz, self._unit = _FFMPEG[codec]
        self._context: AudioCodecContext = open_codec(name, "r", native_hz)
        self._native_hz, self._rate_hz = native_hz, rate_hz
        self._past: Samples = np.zeros(int(0.05 * native_hz), np.int16)
        self._concealed = 0

    def decode(self, payload: bytes) -> Samples:
        # Less than a frame of G.729 is a description of silence (annex B), which FFmpeg does not read.
        units = range(0, len(payload) - len(payload) % self._unit, self._unit)
        packets = [av.Packet(payload[at : at + self._unit]) for at in units] if self._unit > 1 else [av.Packet(payload)]
        parts = [mono(frame) for packet in packets for frame in self._context.decode(packet)]
        samples = np.concatenate(parts) if parts else np.zeros(0, np.int16)
        self._past = np.concatenate([self._past, samples])[-len(self._past) :]
        self._concealed = 0
        return self._at_rate(samples)

    def conceal(self, count: int) -> Samples:
        wanted = count * self._native_hz // self._rate_hz
        period = self._past[-self._pitch() :]
        repeated = np.tile(period, -(-wanted // len(period)) + 1)[self._concealed % len(period) :][:wanted]
        ages = (self._concealed + np.arange(wanted)) / self._native_hz
        gains = np.clip((_SILENT_AFTER_S - ages) / (_SILENT_AFTER_S - _STEADY_S), 0.0, 1.0)
        self._concealed += wanted
        return self._at_rate((repeated * gains).astype(np.int16))[:count]

    def recover(self, following: bytes, count: int) -> Samples:
        return self.conceal(count)

    def _pitch(self) -> int:
        """The distance, in samples, at which the past is most like itself."""
        past, compared = self._past.astype(float), int(_COMPARED_S * self._native_hz)
        recent = past[-compared:]
        lags = range(int(_PITCH_S[0] * self._native_hz), int(_PITCH_S[1] * self._native_hz))

        def likeness(lag: int) -> float:
            earlier = past[-compared - lag : -lag]
            return float(recent @ earlier) / (float(np.linalg.norm(earlier)) + 1.0)

        return max(lags, key=likeness)

    def _at_rate(self, samples: Samples) -> Samples:
        return samples if self._native_hz == self._rate_hz else resample(samples, self._native_hz, self._rate_hz)
