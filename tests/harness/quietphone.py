"""The RTP end of a phone that tells of its silences instead of sending them, and keeps what it is told (RFC 3389)."""

from __future__ import annotations

import asyncio
import itertools
from typing import Final

import numpy as np

from demo.rtp import SAMPLES_PER_FRAME, RtpPacket
from tests.harness.patience import PATIENCE_S
from tests.harness.speech import Samples
from tests.harness.tonephone import DECODED, Heard, TonePhone

COMFORT_NOISE: Final = 13
LEVEL: Final = 30
"""Of the silences that it tells of, in -dBov: loud, so that it is heard well."""
TALK, REST = 50, 350
"""Packets of 20 ms: how long it says its tone, and how long it rests."""


class QuietPhone(TonePhone):
    """Speaks PCMU and comfort noise: a second of a tone, one packet about the silence, and then nothing for 7 s."""

    @property
    def noise(self) -> list[Heard]:
        """What it was told of the silences of the other side."""
        return [heard for heard in self.heard if heard.packet.payload_type == COMFORT_NOISE]

    async def hears_noise(self, times: int, timeout_s: float = PATIENCE_S) -> None:
        """Wait until so many packets of comfort noise came."""
        async with asyncio.timeout(timeout_s):
            while len(self.noise) < times:
                self._news.clear()
                await self._news.wait()

    async def listens(self, seconds: float) -> None:
        """Wait until packets have come for so long, by their timestamps."""
        async with asyncio.timeout(seconds + PATIENCE_S):
            while not self.heard or _ticks(self.heard[0], self.heard[-1]) < seconds * 8000:
                self._news.clear()
                await self._news.wait()

    def sound(self) -> Samples:
        """All that came, each packet at its time, silences as nothing."""
        line = np.zeros(_ticks(self.heard[0], self.heard[-1]) + SAMPLES_PER_FRAME)
        for heard in self.heard:
            if heard.packet.payload_type == 0:
                at = _ticks(self.heard[0], heard)
                line[at : at + SAMPLES_PER_FRAME] = DECODED[np.frombuffer(heard.packet.payload, np.uint8)]
        return line

    def assert_talk_is_marked(self) -> None:
        """The first packet of talk after a silence or a gap has the marker, and no other one (RFC 3551 §4.1)."""
        for before, after in itertools.pairwise(self.heard):
            follows = before.packet.payload_type == 0 and _ticks(before, after) == SAMPLES_PER_FRAME
            assert after.packet.marker == (after.packet.payload_type == 0 and not follows), (before, after)

    async def _talk(self, to: tuple[str, int]) -> None:
        numbers = itertools.count()
        async for n in self._frames_in_time():
            place = n % (TALK + REST)
            if place <= TALK:
                payload = self._frames[n % len(self._frames)] if place < TALK else bytes([LEVEL])
                kind = 0 if place < TALK else COMFORT_NOISE
                packet = RtpPacket(kind, next(numbers) % 65536, n * SAMPLES_PER_FRAME, 7, payload, place == 0)
                self._socket.sendto(bytes(packet), to)


def _ticks(first: Heard, then: Heard) -> int:
    return (then.packet.timestamp - first.packet.timestamp) % 2**32
