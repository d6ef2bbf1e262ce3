"""Whether what came out of a call is what went in: PESQ (ITU-T P.862) and STOI against the speech."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bench import speech
from bench.speech import NARROW_HZ, Samples

LEAST_PESQ: Final = 3.0
"""Lossless speech through one transcoding has 3.8 and over; the wrong audio has 1.1."""
_HEAD: Final = struct.Struct("!IH")


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one ear heard the speech."""

    pesq_nb: float
    stoi: float
    seconds: float


def read_kept(data: bytes) -> list[bytes]:
    """The payloads in a file that the load generator kept."""
    payloads, at = [], 0
    while at < len(data):
        _, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        payloads.append(data[at : at + length])
        at += length
    return payloads


def judge(kept: Path, codec: str, reference: Samples) -> Verdict:
    """Compare what one endpoint heard with the endless repetition of the reference."""
    # Here, because they bring all of scipy, which takes seconds and which the rest of this module does not need.
    from pesq import NoUtterancesError, pesq
    from pystoi import stoi

    heard = speech.decode(codec, read_kept(kept.read_bytes()))
    seconds = len(heard) / NARROW_HZ
    if seconds < 1:
        return Verdict(0.0, 0.0, seconds)
    spoken = align(reference, heard)
    try:
        score = float(pesq(NARROW_HZ, spoken, heard, "nb"))
    except NoUtterancesError:
        score = 0.0
    return Verdict(round(score, 2), round(float(stoi(spoken, heard, NARROW_HZ)), 3), round(seconds, 2))


def align(reference: Samples, heard: Samples) -> Samples:
    """The part of the endless repetition of `reference` that fits `heard` best, as long as `heard`."""
    period = len(reference)
    folded = np.zeros(period)
    for start in range(0, len(heard), period):
        part = heard[start : start + period]
        folded[: len(part)] += part
    spectrum = np.conj(np.fft.rfft(folded)) * np.fft.rfft(reference.astype(float))
    offset = int(np.argmax(np.fft.irfft(spectrum, period)))
    turned = np.roll(reference, -offset)
    repeats = -(-len(heard) // period)
    fitted: Samples = np.tile(turned, repeats)[: len(heard)]
    return fitted
