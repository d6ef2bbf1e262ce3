"""How good a call sounds: the E-model of ITU-T G.107, from what the media core counts.

`rating` is the whole narrowband model (G.107 06/2015) for the default values of a digital connection; what we measure
goes in as delay, codec impairment (G.113 Appendix I), loss and its burstiness. Nothing on this scale is better than
G.711 without loss, so wideband codecs count as transparent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Final

# Default values of G.107 table 3, by their symbols.
_SLR, _RLR, _STMR, _DS, _DR = 8.0, 2.0, 15.0, 3.0, 3.0
_TELR, _WEPL, _NC, _NFOR, _PS, _PR = 65.0, 110.0, -70.0, -64.0, 35.0, 35.0
_OLR: Final = _SLR + _RLR

LEAST_PACKETS: Final = 50
"""A second of audio: before that, a rate of loss says nothing."""

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
"""The counters of a leg that is not there."""


@dataclass(frozen=True, slots=True)
class Codec:
    """What a codec does to speech (G.113 Appendix I)."""

    impairment: float
    """Ie: without loss."""
    robustness: float
    """Bpl: the greater, the less loss is heard."""
    delay_ms: float
    """One packet of 20 ms and the look-ahead."""


CODECS: Final = MappingProxyType(
    {
        # G.711 with the concealment of its Appendix I.
        "PCMU": Codec(0, 25.1, 20),
        "PCMA": Codec(0, 25.1, 20),
        # G.113 has no narrowband values for these two: without loss at least G.711's, and concealment at least as good.
        "G722": Codec(0, 25.1, 21.5),
        "opus": Codec(0, 25.1, 26.5),
        # G.729 Annex A with silence suppression.
        "G729": Codec(11, 19.0, 25),
    }
)


@dataclass(frozen=True, slots=True)
class Quality:
    """One direction of one leg."""

    rating: float
    """R, 0 to 93.2 (G.107)."""
    mos: float
    """MOS-CQE, 1 to 4.5 (G.107 Annex B)."""


def rating(delay_ms: float = 0.0, codec: Codec = CODECS["PCMU"], loss: float = 0.0, burst: float = 1.0) -> float:
    """R for a one-way delay, a codec, a share of lost packets (0 to 1) and BurstR (1: loss at random)."""
    effective = codec.impairment
    if loss > 0:
        percent = min(loss, 1.0) * 100
        effective += (95 - codec.impairment) * percent / (percent / max(burst, 1.0) + codec.robustness)
    return max(0.0, _noise_and_loudness() - _delay(delay_ms) - effective)


def mos_of(rating: float) -> float:
    """MOS that people are expected to give (G.107 Annex B)."""
    r = min(max(rating, 0.0), 100.0)
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)


def burst_ratio(lost: int, runs: int, loss: float) -> float:
    """Length of the runs in which packets are lost, over the length that chance would give (G.107 §3.5)."""
    if lost <= 0 or runs <= 0:
        return 1.0
    return max(1.0, lost / runs * (1 - loss))


def received(stats: Mapping[str, Any], onward: Mapping[str, Any] = NOTHING) -> Quality | None:
    """How the leg's peer sounds to us; None until a second of it was heard.

    `onward` are the counters of the leg that passes it on. Where that one transcodes, packets that came too late for it
    are as good as lost, each by itself, and its jitter buffer is the one that counts.
    """
    packets, lost = stats.get("rx_packets") or 0, stats.get("rx_lost") or 0
    if packets < LEAST_PACKETS:
        return None
    late = onward.get("tx_too_late") or 0
    loss = min((lost + late) / (packets + lost), 1.0)
    burst = burst_ratio(lost + late, (stats.get("rx_loss_bursts") or 0) + late, loss)
    buffer_ms = onward.get("tx_buffer_ms")
    return _quality(stats, _buffer_ms(stats.get("rx_jitter_ms")) if buffer_ms is None else buffer_ms, loss, burst)


def sent(stats: Mapping[str, Any]) -> Quality | None:
    """How we sound to the leg's peer, by its own reports (RFC 3550 §6.4.1); None until there is one."""
    packets, lost = stats.get("tx_packets") or 0, stats.get("remote_lost")
    if packets < LEAST_PACKETS or lost is None:
        return None
    return _quality(stats, _buffer_ms(stats.get("remote_jitter_ms")), min(max(lost, 0) / packets, 1.0), 1.0)


def with_quality(stats: Mapping[str, Any], onward: Mapping[str, Any] = NOTHING) -> dict[str, Any]:
    """The counters of a leg with R and MOS of both directions; `onward` are those of the leg that it is heard on."""
    figures: dict[str, Any] = dict(stats)
    for direction, quality in (("rx", received(stats, onward)), ("tx", sent(stats))):
        figures[f"{direction}_r"] = round(quality.rating, 1) if quality else None
        figures[f"{direction}_mos"] = round(quality.mos, 2) if quality else None
    return figures


def _buffer_ms(jitter_ms: float | None) -> float:
    """What a jitter buffer that we cannot see holds: about twice the mean deviation."""
    return 2 * (jitter_ms or 0.0)


def _quality(stats: Mapping[str, Any], buffer_ms: float, loss: float, burst: float) -> Quality | None:
    codec = CODECS.get(str(stats.get("codec")))
    if codec is None:
        return None
    # Without a round trip the network counts as near.
    delay_ms = (stats.get("rtt_ms") or 0.0) / 2 + buffer_ms + codec.delay_ms
    value = rating(delay_ms, codec, loss, burst)
    return Quality(value, mos_of(value))


@cache
def _noise() -> float:
    """No: all noises, at the 0 dBr point, in dBm0p (G.107 §3.1)."""
    sender = _PS - _SLR - _DS - 100 + 0.004 * (_PS - _OLR - _DS - 14) ** 2
    side_tone = _PR + 10 * math.log10(1 + 10 ** ((10 - (_STMR + _DR)) / 10))
    receiver = _RLR - 121 + side_tone + 0.008 * (side_tone - 35) ** 2
    return 10 * math.log10(sum(10 ** (noise / 10) for noise in (_NC, sender, receiver, _NFOR + _RLR)))


@cache
def _signal() -> float:
    """Ro: signal to noise (G.107 §3.1)."""
    return 15 - 1.5 * (_SLR + _noise())


@cache
def _noise_and_loudness() -> float:
    """Ro less Is, what impairs the voice at the same time as it (G.107 §3.2); one quantisation."""
    ratio = (_OLR + 0.2 * (64 + _noise() - _RLR)) / 8
    loudness = 20 * (math.pow(1 + ratio**8, 1 / 8) - ratio)
    echo = -10 * math.log10(math.pow(10, -_STMR / 10) + math.pow(10, -_TELR / 10))
    side_tone = (
        12 * math.pow(1 + ((echo - 13) / 6) ** 8, 1 / 8)
        - 28 * math.pow(1 + ((echo + 1) / 19.4) ** 35, 1 / 35)
        - 13 * math.pow(1 + ((echo - 3) / 33) ** 13, 1 / 13)
        + 29
    )
    quantising = 37.0
    grade = 1.07 + 0.258 * quantising + 0.0602 * quantising**2
    y = (_signal() - 100) / 15 + 46 / 8.4 - grade / 9
    return _signal() - loudness - side_tone - 15 * math.log10(1 + math.pow(10, y) + math.pow(10, 46 / 30 - grade / 40))


def _delay(one_way_ms: float) -> float:
    """Id: echo to the talker and the listener, and delay by itself (G.107 §3.3)."""
    t = max(one_way_ms, 0.0)
    terv = _TELR - 40 * math.log10((1 + t / 10) / (1 + t / 150)) + 6 * math.exp(-0.3 * t * t)
    roe, re = -1.5 * (_noise() - _RLR), 80 + 2.5 * (terv - 14)
    talker = ((roe - re) / 2 + math.sqrt((roe - re) ** 2 / 4 + 100) - 1) * (1 - math.exp(-t))
    rle = 10.5 * (_WEPL + 7) * math.pow(2 * t + 1, -0.25)
    listener = (_signal() - rle) / 2 + math.sqrt((_signal() - rle) ** 2 / 4 + 169)
    return talker + listener + _pure_delay(t)


def _pure_delay(t: float) -> float:
    if t <= 100:
        return 0.0
    x = math.log2(t / 100)
    return 25 * (math.pow(1 + x**6, 1 / 6) - 3 * math.pow(1 + (x / 3) ** 6, 1 / 6) + 2)
