"""A receiver: plays the packets that an endpoint kept, in real time and placed by their RTP timestamps (RFC 3550 §5.1).

It does what a phone or browser does. A packet is played when its time has come; a hole in the timestamps is filled
from the copy in the next packet (Opus) or concealed; when nothing has come in time, the sound is stretched and all that
follows comes later; when for long more has waited than is needed, a frame is left out. So a gateway whose clock is
wrong or whose packets come in heaps is heard to be so.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np

from bench.decoders import Decoder, decoder
from bench.speech import FRAMES_PER_S, VOICES, Samples

BUFFER_S: Final = 0.06
"""How long the first packet waits; what the buffer shrinks back to."""
_STEP_S: Final = 1 / FRAMES_PER_S
_LONGEST_HOLE_S: Final = 1.0
"""A larger leap of the timestamps is a new beginning."""
_CALM_STEPS: Final = 100
_BEGINNING: Final = struct.Struct("!QQ")
_HEAD: Final = struct.Struct("!IQH")


@dataclass(frozen=True, slots=True)
class Packet:
    """One that came."""

    timestamp: int
    at_s: float
    payload: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """A file of the load generator: what one endpoint heard."""

    offset: int
    """The frame of the speech that the speaker began with."""
    begun_s: float
    packets: list[Packet]


def read_kept(data: bytes) -> Kept:
    """Read such a file."""
    offset, begun_ns = _BEGINNING.unpack_from(data)
    packets, at = [], _BEGINNING.size
    while at < len(data):
        timestamp, at_ns, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        packets.append(Packet(timestamp, at_ns / 1e9, data[at : at + length]))
        at += length
    return Kept(offset, begun_ns / 1e9, packets)


@dataclass(frozen=True, slots=True)
class Heard:
    """What the listener hears."""

    samples: Samples
    rate_hz: int
    starts_s: float
    """When the first packet came: it is played `BUFFER_S` later."""
    concealed_s: float
    """For holes, whether or not a copy filled them, and because nothing was there in time."""


def listen(kept: Kept, codec: str, rate_hz: int) -> Heard:
    """Play all packets."""
    if not kept.packets:
        return Heard(np.zeros(0, np.int16), rate_hz, 0.0, 0.0)
    receiver = _Receiver(decoder(codec, rate_hz), VOICES[codec].clock_hz, rate_hz)
    samples = receiver.play(_unwrap(kept.packets))
    return Heard(samples, rate_hz, kept.packets[0].at_s, round(receiver.concealed_s, 3))


def _unwrap(packets: list[Packet]) -> list[Packet]:
    """With timestamps extended over their wraps."""
    extended: list[Packet] = []
    for packet in packets:
        last = extended[-1].timestamp if extended else packet.timestamp
        step = (packet.timestamp - last + (1 << 31)) % (1 << 32) - (1 << 31)
        extended.append(Packet(last + step, packet.at_s, packet.payload))
    return extended


class _Receiver:
    def __init__(self, decode: Decoder, clock_hz: int, rate_hz: int) -> None:
        self._decoder, self._clock_hz, self._rate_hz = decode, clock_hz, rate_hz
        self._waiting: dict[int, bytes] = {}
        self._expected = 0
        self._levels: deque[int] = deque(maxlen=_CALM_STEPS)
        self.concealed_s = 0.0

    def play(self, packets: list[Packet]) -> Samples:
        """All packets, in the order in which they came."""
        coming = deque(packets)
        self._expected, now_s = packets[0].timestamp, packets[0].at_s + BUFFER_S
        parts: list[Samples] = []
        while coming or self._waiting:
            while coming and coming[0].at_s <= now_s:
                self._take(coming.popleft())
            parts.append(self._step())
            now_s += len(parts[-1]) / self._rate_hz
        return np.concatenate(parts)

    def _take(self, packet: Packet) -> None:
        leap = packet.timestamp - self._expected
        if abs(leap) > _LONGEST_HOLE_S * self._clock_hz:
            self._waiting.clear()
            self._expected = packet.timestamp
        if packet.timestamp >= self._expected:
            self._waiting[packet.timestamp] = packet.payload

    def _step(self) -> Samples:
        self._shrink()
        if self._expected in self._waiting:
            samples = self._decoder.decode(self._waiting.pop(self._expected))
            self._advance(len(samples))
            return samples if samples.size else self._conceal(_STEP_S)
        if not self._waiting:
            return self._conceal(_STEP_S)
        following = min(self._waiting)
        hole_s = (following - self._expected) / self._clock_hz
        if hole_s <= _STEP_S:
            samples = self._decoder.recover(self._waiting[following], round(hole_s * self._rate_hz))
            self.concealed_s += hole_s
        else:
            samples = self._conceal(_STEP_S)
        self._advance(len(samples))
        return samples

    def _advance(self, samples: int) -> None:
        self._expected += samples * self._clock_hz // self._rate_hz

    def _conceal(self, seconds: float) -> Samples:
        self.concealed_s += seconds
        return self._decoder.conceal(round(seconds * self._rate_hz))

    def _shrink(self) -> None:
        """Leave a frame out when for long more have waited than the buffer is for."""
        self._levels.append(len(self._waiting))
        if len(self._levels) == _CALM_STEPS and min(self._levels) > BUFFER_S / _STEP_S:
            self._levels.clear()
            if payload := self._waiting.pop(self._expected, None):
                self._advance(len(self._decoder.decode(payload)))
