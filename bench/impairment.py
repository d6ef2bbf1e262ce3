"""What a network does to one stream: losses, jitter and reordering in fixed patterns, the same for every subject.

The load generator applies them where it sends (`loadgen/src/impairment.rs`), so that no kernel needs sch_netem, every
subject meets the very same packets missing and late, and ICE and DTLS stay out of it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from bench.speech import FRAMES_PER_S

_PATTERN_S: Final = 60
LOST: Final = -1


@dataclass(frozen=True, slots=True)
class Impairment:
    """One kind of bad network."""

    name: str
    loss: float = 0.0
    """Share of packets that never arrive: exactly so many."""
    burst: int = 1
    """Packets lost together."""
    jitter_ms: int = 0
    """Every packet is late by anything from 0 to this, so it may overtake others."""
    reordered: float = 0.0
    """Share of packets that arrive `REORDER_MS` late."""

    def pattern(self, seed: int) -> list[int]:
        """Delay of each packet in µs, or `LOST`; over and over again."""
        rng = random.Random(f"{self.name} {seed}")
        count = _PATTERN_S * FRAMES_PER_S
        delays = [rng.randrange(1000 * self.jitter_ms) if self.jitter_ms else 0 for _ in range(count)]
        for at in rng.sample(range(count), round(self.reordered * count)):
            delays[at] += 1000 * REORDER_MS
        bursts = rng.sample(range(0, count - self.burst, self.burst + 1), round(self.loss * count / self.burst))
        for at in bursts:
            delays[at : at + self.burst] = [LOST] * self.burst
        return delays


REORDER_MS: Final = 30

IMPAIRMENTS: Final = (
    Impairment("none"),
    *(Impairment(f"loss {percent} %", loss=percent / 100) for percent in (1, 3, 5, 10)),
    Impairment("bursts 5 %", loss=0.05, burst=3),
    *(Impairment(f"jitter {ms} ms", jitter_ms=ms) for ms in (20, 40, 80)),
    Impairment("reorder 5 %", reordered=0.05),
)


def words(pattern: list[int]) -> str:
    """A pattern as the load generator reads it."""
    return " ".join("x" if delay == LOST else str(delay) for delay in pattern) + "\n"
