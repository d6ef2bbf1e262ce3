"""Speech to send and how much of it arrived: PESQ (ITU-T P.862) and STOI, loosely, at telephone bandwidth."""

from __future__ import annotations

import math
import subprocess
import warnings
import wave
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import signal

with warnings.catch_warnings():  # both packages mention deprecated things while they are imported
    warnings.simplefilter("ignore")
    from pesq import pesq
    from pystoi import stoi

Samples = NDArray[np.float64]

RATE_HZ: Final = 48_000
NARROW_HZ: Final = 8_000
WIDE_HZ: Final = 16_000
LEAD_S: Final = 1.0
"""Silence before the words, so that the beginning of a call costs none of them."""
MIN_PESQ: Final = 2.8
MIN_STOI: Final = 0.8
"""Wrong audio scores about 1.06 and 0.28; G.711 after Opus about 3.5 and 0.95."""
ROUNDS: Final = 4
PHONE_SAYS_S: Final = 60.0
"""So long, at least, a phone of the tests has something to say."""

WORDS: Final = "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background."
OTHER_WORDS: Final = "It is easy to tell the depth of a well. Four hours of steady work faced us."


@dataclass(frozen=True, slots=True)
class Speech:
    """A piece of speech that is said over and over."""

    path: Path
    samples: Samples
    """At `RATE_HZ`, -1 to 1, from the leading silence to the end of the words."""

    @property
    def lasts_s(self) -> float:
        return len(self.samples) / RATE_HZ

    def repeated(self, seconds: float) -> Samples:
        """As often as it takes to last so long."""
        return np.tile(self.samples, math.ceil(seconds / self.lasts_s))

    @property
    def pcm(self) -> bytes:
        """The samples as signed 16-bit words."""
        return (self.samples * 32767).astype("<i2").tobytes()


@dataclass(frozen=True, slots=True)
class Quality:
    """How much of the speech arrived."""

    pesq: float
    stoi: float

    @property
    def is_good(self) -> bool:
        return self.reaches(MIN_PESQ)

    def reaches(self, min_pesq: float) -> bool:
        return self.pesq >= min_pesq and self.stoi >= MIN_STOI


def speak(words: str, path: Path, voice: str = "en") -> Speech:
    """Let espeak-ng say the words into a WAV file: 48 kHz, mono, 16 bit, with leading silence."""
    raw = path.with_suffix(".raw.wav")
    subprocess.run(["espeak-ng", "-v", voice, "-s", "170", "-w", raw, words], check=True)
    said = resample(*read_wav(raw), RATE_HZ)
    silence = np.zeros(int(LEAD_S * RATE_HZ))
    samples = np.concatenate([silence, said / np.abs(said).max() * 0.5, silence[: RATE_HZ // 4]])
    write_wav(path, samples, RATE_HZ)
    return Speech(path, samples)


def read_wav(path: Path) -> tuple[Samples, int]:
    """First channel of a 16-bit WAV file, -1 to 1, and its rate."""
    with wave.open(str(path)) as file:
        assert file.getsampwidth() == 2
        words = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
        return words[:, 0] / 32768, file.getframerate()


def write_wav(path: Path, samples: Samples, rate_hz: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def resample(samples: Samples, rate_hz: int, to_hz: int) -> Samples:
    divisor = np.gcd(rate_hz, to_hz)
    return np.asarray(signal.resample_poly(samples, to_hz // divisor, rate_hz // divisor), dtype=np.float64)


def loudness(samples: Samples) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(samples**2))) if len(samples) else 0.0


def measure(speech: Speech, heard: Samples, rate_hz: int) -> Quality:
    """Compare what was heard, at least one round of the speech, with the speech said over and over."""
    degraded = resample(heard, rate_hz, NARROW_HZ)
    if loudness(degraded) < 1e-4:
        return Quality(1.0, 0.0)
    reference = _aligned(resample(speech.samples, RATE_HZ, NARROW_HZ), degraded)
    return Quality(_pesq(reference, degraded), float(stoi(reference, degraded, NARROW_HZ)))


def measure_best(speech: Speech, heard: Samples, rate_hz: int) -> Quality:
    """Of the rounds in a recording, at least one, the one that arrived best: in its first a jitter buffer settles."""
    period = int(speech.lasts_s * rate_hz)
    ends = range(len(heard), period - 1, -period)
    assert ends, f"{len(heard) / rate_hz:.1f} s were recorded, the speech takes {speech.lasts_s:.1f} s"
    return max((measure(speech, heard[end - period : end], rate_hz) for end in ends), key=lambda quality: quality.pesq)


def measure_wide(speech: Speech, heard: Samples, rate_hz: int) -> float:
    """PESQ-WB (ITU-T P.862.2) of what was heard, up to 7 kHz."""
    degraded = resample(heard, rate_hz, WIDE_HZ)
    reference = _aligned(resample(speech.samples, RATE_HZ, WIDE_HZ), degraded)
    score: Any = pesq(WIDE_HZ, reference, degraded, "wb")
    return float(score)


def lost_treble_db(speech: Speech, heard: Samples, rate_hz: int) -> float:
    """By how much what is above 4.2 kHz is weaker, beside the rest, than it was spoken; a telephone loses 20."""
    return _treble_db(speech.samples, RATE_HZ) - _treble_db(heard, rate_hz)


def _treble_db(samples: Samples, rate_hz: int) -> float:
    frequencies, power = signal.welch(samples, rate_hz, nperseg=1024)
    treble = power[(frequencies > 4200) & (frequencies < 7000)].sum()
    return float(10 * np.log10((treble + 1e-12) / (power[(frequencies > 300) & (frequencies < 3400)].sum() + 1e-12)))


async def hears(
    speech: Speech, listen: Callable[[float], Awaitable[tuple[Samples, int]]], min_pesq: float = MIN_PESQ
) -> None:
    """Somebody must hear the speech well; `listen` brings the next so many seconds, and their rate.

    A browser's jitter buffer settles in the first round, and a busy machine may spoil another, so there are some.

    Raises:
        AssertionError: No round was good.
    """
    qualities = []
    for _ in range(ROUNDS):
        qualities.append(measure(speech, *await listen(speech.lasts_s)))
        if qualities[-1].reaches(min_pesq):
            return
    raise AssertionError(f"the speech did not arrive well: {qualities}")


def _aligned(period: Samples, heard: Samples) -> Samples:
    """The part of the endless repetition of `period` that fits `heard` best."""
    rounds = -(-len(heard) // len(period)) + 1
    endless = np.tile(period, rounds)
    likeness = signal.correlate(endless, heard, mode="valid", method="fft")
    begin = int(np.argmax(likeness))
    return endless[begin : begin + len(heard)]


def _pesq(reference: Samples, degraded: Samples) -> float:
    score: Any = pesq(NARROW_HZ, reference, degraded, "nb")
    return float(score)
