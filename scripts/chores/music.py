"""Music for the demo phone: sixteen seconds that loop without a seam, made here so that nobody else owns them.

Four chords, one bar each, twice: a bass note, a broken chord of plucked tones and a slow melody. Tones that ring on
past the end are mixed into the beginning, which is what makes the loop seamless.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

RATE_HZ: Final = 8000
BAR_S: Final = 2.0
PEAK: Final = 14_000
"""Of 32767: as loud as the spoken prompts sound."""

CHORDS: Final = ((60, 64, 67, 71), (57, 60, 64, 67), (53, 57, 60, 64), (55, 59, 62, 65))
"""C, A minor, F, G with their sevenths, as MIDI note numbers."""
FIGURE: Final = (0, 1, 2, 3, 2, 1, 2, 3)
"""Which tone of the chord sounds on each quaver."""
MELODY: Final = (
    (76, 79, 76), (72, 76, 72), (69, 72, 76), (74, 71, 67),
    (79, 76, 83), (81, 76, 72), (77, 76, 69), (71, 74, 79),
)  # fmt: skip
MELODY_BEATS_S: Final = (0.0, 1.0, 1.5)


def compose() -> list[int]:
    """The whole loop as 16-bit samples."""
    length = int(len(MELODY) * BAR_S * RATE_HZ)
    mix = [0.0] * length
    for start_s, note, loudness, ring_s in _score():
        first = int(start_s * RATE_HZ)
        for offset, sample in enumerate(_pluck(note, ring_s)):
            mix[(first + offset) % length] += loudness * sample
    loudest = max(map(abs, mix))
    return [round(PEAK * sample / loudest) for sample in mix]


def _score() -> Iterator[tuple[float, int, float, float]]:
    """Each tone: when it starts, its note, how loud it is, how long it rings."""
    for bar, melody in enumerate(MELODY):
        chord = CHORDS[bar % len(CHORDS)]
        start_s = bar * BAR_S
        yield start_s, chord[0] - 12, 0.9, 2.2
        for quaver, tone in enumerate(FIGURE):
            yield start_s + quaver * BAR_S / len(FIGURE), chord[tone], 0.42, 1.4
        for beat_s, note in zip(MELODY_BEATS_S, melody, strict=True):
            yield start_s + beat_s, note, 0.6, 1.8


def _pluck(note: int, ring_s: float) -> Iterator[float]:
    """A soft string: a few harmonics, the higher ones dying sooner, a short attack against clicks."""
    frequency_hz = 440.0 * 2 ** ((note - 69) / 12)
    for index in range(int(ring_s * RATE_HZ)):
        at_s = index / RATE_HZ
        attack = min(at_s / 0.008, 1.0)
        release = min((ring_s - at_s) / 0.1, 1.0)
        yield (
            attack
            * release
            * sum(
                math.exp(-at_s * (1.6 + 1.4 * harmonic))
                * math.sin(math.tau * frequency_hz * harmonic * at_s)
                / harmonic**1.6
                for harmonic in range(1, 5)
            )
        )
