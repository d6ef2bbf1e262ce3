"""Call-progress tones by country (ITU-T E.180 and its Supplement 2), as tables and as samples."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

ToneName = Literal["dial", "ringback", "busy", "congestion"]

PACKET_MS: Final = 120
"""The least common multiple of all packet lengths: a loop of whole packets has no seam."""
_CONTINUOUS_MS: Final = 3000
"""Whole waves of every frequency in whole Hz, and whole packets."""
_LEVEL: Final = 7200.0
"""-10 dBm0 (E.180 §2): 13 dB below the loudest sine."""
_RAMP_MS: Final = 5
"""Without it a tone would begin and end with a click."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """A piece of a tone: its frequencies in Hz, none for a pause, and how long it lasts."""

    hertz: tuple[int, ...]
    ms: int


Tone = tuple[Pulse, ...]
"""Pulses that follow each other over and over; a single one is a continuous tone."""


def _tone(text: str) -> Tone:
    """Read "400+450/400 0/200": frequencies, a stroke, milliseconds; without the latter it is continuous."""
    return tuple(_pulse(*piece.split("/")) for piece in text.split())


def _pulse(hertz: str, ms: str = str(_CONTINUOUS_MS)) -> Pulse:
    return Pulse(tuple(int(each) for each in hertz.split("+") if each != "0"), int(ms))


_BRITISH: Final = "400+450/400 0/200 400+450/400 0/2000"
_SLOW: Final = "425/1000 0/4000"
_HALF_SECOND: Final = "425/500 0/500"
_FAST: Final = "425/200 0/200"
_QUARTER_SECOND: Final = "425/250 0/250"
_AMERICAN: Final = ("350+440", "440+480/2000 0/4000", "480+620/500 0/500", "480+620/250 0/250")

# Dial, ringback, busy, congestion. Modulated tones (India, Japan) stand here as carrier and side bands.
_TABLE: Final[Mapping[str, tuple[str, str, str, str]]] = {
    "AT": ("420", "420/1000 0/5000", "420/400 0/400", "420/200 0/200"),
    "AU": ("413+438", "413+438/400 0/200 413+438/400 0/2000", "425/375 0/375", "425/375 0/375"),
    "BE": ("425", "425/1000 0/3000", _HALF_SECOND, "425/167 0/167"),
    "BR": ("425", _SLOW, _QUARTER_SECOND, "425/250 0/250 425/750 0/250"),
    "CA": _AMERICAN,
    "CH": ("425", _SLOW, _HALF_SECOND, _FAST),
    "CN": ("450", "450/1000 0/4000", "450/350 0/350", "450/700 0/700"),
    "CZ": ("425/330 0/330 425/660 0/660", _SLOW, "425/330 0/330", "425/165 0/165"),
    "DE": ("425", _SLOW, "425/480 0/480", "425/240 0/240"),
    "DK": ("425", _SLOW, _HALF_SECOND, "425/450 0/450"),
    "ES": ("425", "425/1500 0/3000", _FAST, "425/200 0/200 425/200 0/200 425/200 0/600"),
    "FI": ("425", _SLOW, "425/300 0/300", _FAST),
    "FR": ("440", "440/1500 0/3500", "440/500 0/500", "440/250 0/250"),
    "GB": ("350+440", _BRITISH, "400/375 0/375", "400/400 0/350 400/225 0/525"),
    "IE": ("425", _BRITISH, _HALF_SECOND, _HALF_SECOND),
    "IN": ("375+400+425", "375+400+425/400 0/200 375+400+425/400 0/2000", "400/750 0/750", "400/250 0/250"),
    "IT": ("425/200 0/200 425/600 0/1000", _SLOW, _HALF_SECOND, _FAST),
    "JP": ("400", "384+400+416/1000 0/2000", "400/500 0/500", "400/500 0/500"),
    "NL": ("425", _SLOW, _HALF_SECOND, _QUARTER_SECOND),
    "NO": ("425", _SLOW, _HALF_SECOND, _FAST),
    "NZ": ("400", _BRITISH, "400/500 0/500", "400/250 0/250"),
    "PL": ("425", _SLOW, _HALF_SECOND, _HALF_SECOND),
    "PT": ("425", "425/1000 0/5000", _HALF_SECOND, _FAST),
    "SE": ("425", "425/1000 0/5000", _QUARTER_SECOND, "425/250 0/750"),
    "US": _AMERICAN,
}

COUNTRIES: Final = frozenset(_TABLE)
"""Countries (ISO 3166) whose tones are known."""

_NAMES: Final[tuple[ToneName, ...]] = ("dial", "ringback", "busy", "congestion")
TONES: Final[Mapping[str, Mapping[ToneName, Tone]]] = MappingProxyType(
    {
        country: MappingProxyType({name: _tone(text) for name, text in zip(_NAMES, texts, strict=True)})
        for country, texts in _TABLE.items()
    }
)


def loop_ms(tone: Tone) -> int:
    """How long a loop of whole cycles and whole packets is."""
    return math.lcm(sum(pulse.ms for pulse in tone), PACKET_MS)


def once(tone: Tone, rate_hz: int) -> array[int]:
    """One cycle of a tone, as 16-bit samples."""
    cycle = array("h")
    for pulse in tone:
        cycle.extend(_wave(pulse, rate_hz, is_steady=len(tone) == 1))
    return cycle


def samples(tone: Tone, rate_hz: int) -> array[int]:
    """One loop of a tone: as many cycles as make whole packets."""
    cycle = once(tone, rate_hz)
    return cycle * (loop_ms(tone) * rate_hz // 1000 // len(cycle))


def _wave(pulse: Pulse, rate_hz: int, *, is_steady: bool) -> Iterator[int]:
    count, ramp = pulse.ms * rate_hz // 1000, _RAMP_MS * rate_hz // 1000
    if not pulse.hertz:
        yield from [0] * count
        return
    level = _LEVEL / math.sqrt(len(pulse.hertz))
    steps = [math.tau * each / rate_hz for each in pulse.hertz]
    for n in range(count):
        gain = 1.0 if is_steady else min(1.0, n / ramp, (count - n) / ramp)
        yield round(gain * level * sum(math.sin(step * n) for step in steps))
