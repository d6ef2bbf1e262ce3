"""How well speech came out of a call: PESQ (ITU-T P.862, P.862.2) and STOI against what was said."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bench.listener import Heard, Kept, listen, read_kept
from bench.speech import FRAMES_PER_S, NARROW_HZ, PESQ_WIDE_HZ, Samples, Speech, resample

LEAST_PESQ: Final = 3.0
"""Lossless speech through one transcoding has 3.8 and over; the wrong audio has 1.1."""
_WINDOW_S: Final = 3.0
"""STOI wants both to be aligned; as long as this, the listener's delay hardly changes."""
_MOST_EARLY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one ear heard the speech; means over repetitions of the speech."""

    pesq_nb: float
    stoi: float
    seconds: float
    pesq_wb: float | None = None
    """Against speech of the same bandwidth."""
    delay_ms: float = 0.0
    """From mouth to ear, the codecs' look-ahead included, without the listener's own `BUFFER_S`."""
    concealed_s: float = 0.0
    """What the listener had to make up."""


def judge(path: Path, codec: str, speech: Speech, *, wide: bool = False, is_wideband: bool = False) -> Verdict:
    """Compare what one endpoint heard with the endless repetition of the speech.

    `wide` asks for PESQ-WB too; `is_wideband` says that the call was to carry 7 kHz.
    """
    kept = read_kept(path.read_bytes())
    heard = listen(kept, codec, NARROW_HZ)
    verdict = _judge_narrow(heard, kept, speech.narrow)
    if wide and heard.samples.size:
        reference = speech.wide if is_wideband else resample(speech.narrow, NARROW_HZ, PESQ_WIDE_HZ)
        score = _mean([_pesq(piece, "wb") for piece in _pieces(listen(kept, codec, PESQ_WIDE_HZ).samples, reference)])
        return Verdict(**{**_fields(verdict), "pesq_wb": score})
    return verdict


def _fields(verdict: Verdict) -> dict[str, float]:
    return {name: getattr(verdict, name) for name in Verdict.__dataclass_fields__}


def _judge_narrow(heard: Heard, kept: Kept, reference: Samples) -> Verdict:
    seconds = round(len(heard.samples) / NARROW_HZ, 2)
    if seconds < 1:
        return Verdict(0.0, 0.0, seconds)
    windows = _windows(heard.samples, reference)
    return Verdict(
        pesq_nb=_mean([_pesq(piece, "nb") for piece in _pieces(heard.samples, reference)]),
        stoi=_mean([_stoi(window) for window in windows]),
        seconds=seconds,
        delay_ms=round(statistics.median(_delay_ms(heard, kept, window) for window in windows), 1),
        concealed_s=heard.concealed_s,
    )


@dataclass(frozen=True, slots=True)
class _Window:
    """A short part of what was heard: delays may change from one to the next."""

    heard: Samples
    said: Samples
    heard_at: int
    """Samples since the listener began."""
    said_at: int
    """Where in the speech it begins."""
    period: int


def _windows(heard: Samples, reference: Samples) -> list[_Window]:
    length = min(int(_WINDOW_S * NARROW_HZ), len(heard))
    found = []
    for start in range(0, len(heard) - length + 1, length):
        part = heard[start : start + length]
        said, position = align(reference, part)
        found.append(_Window(part, said, start, position, len(reference)))
    return found


def _stoi(window: _Window) -> float:
    # Here, because it brings all of scipy, which takes seconds and which the rest of this module does not need.
    from pystoi import stoi

    return float(stoi(window.said, window.heard, NARROW_HZ))


def _delay_ms(heard: Heard, kept: Kept, window: _Window) -> float:
    heard_s = heard.starts_s + window.heard_at / NARROW_HZ
    said_s = kept.begun_s + window.said_at / NARROW_HZ - kept.offset / FRAMES_PER_S
    # The speech repeats, so only the remainder is known; a frame left out may make it slightly negative.
    return 1000 * ((heard_s - said_s + _MOST_EARLY_S) % (window.period / NARROW_HZ) - _MOST_EARLY_S)


Piece = tuple[Samples, Samples]
"""What was said, and what was heard of it."""


def _pieces(heard: Samples, reference: Samples) -> list[Piece]:
    """One for each whole repetition of the speech that was heard: PESQ is made for some 10 s at a time.

    Cut anywhere else, the same call is judged differently by 0.1, depending on when the recording began.
    """
    period = len(reference)
    begin = -align(reference, heard)[1] % period
    whole = [heard[start : start + period] for start in range(begin, len(heard) - period + 1, period)]
    return [(align(reference, part)[0], part) for part in whole or [heard[:period]]]


def _pesq(piece: Piece, mode: str) -> float:
    from pesq import NoUtterancesError, pesq

    try:
        return float(pesq(NARROW_HZ if mode == "nb" else PESQ_WIDE_HZ, *piece, mode))
    except NoUtterancesError:
        return 0.0


def _mean(values: list[float]) -> float:
    return round(sum(values) / len(values), 3) if values else 0.0


def align(reference: Samples, heard: Samples) -> tuple[Samples, int]:
    """The part of the endless repetition of `reference` that fits `heard` best, as long as `heard`; where it begins."""
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
    return fitted, offset
