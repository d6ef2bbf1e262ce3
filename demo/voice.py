"""What the demo phone says and plays: µ-law at 8 kHz, made by `make prompts`."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Final

from demo.g711 import ULAW_SILENCE, ulaw_encode
from demo.rtp import RATE_HZ

_FOLDER: Final = Path(__file__).parent / "prompts"
_NAMES_OF_KEYS: Final = {"*": "star", "#": "hash"}


@cache
def prompt(name: str) -> bytes:
    """A prompt by name: `hello`, `music`, …"""
    return (_FOLDER / f"{name}.ul").read_bytes()


def key(digit: str) -> bytes:
    """How a key of the keypad is called."""
    return prompt(_NAMES_OF_KEYS.get(digit, digit.lower()))


@cache
def ringback() -> bytes:
    """One period of the European ringing tone: 425 Hz, 1 s on, 4 s off (ETSI ES 201 970)."""
    tone = (1500 * math.sin(math.tau * 425 * sample / RATE_HZ) for sample in range(RATE_HZ))
    return bytes(ulaw_encode(round(sample)) for sample in tone) + bytes([ULAW_SILENCE]) * (4 * RATE_HZ)
