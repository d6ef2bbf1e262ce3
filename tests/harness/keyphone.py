"""The RTP end of a phone that presses keys as tones, and tells the keys in what it hears by its own arithmetic."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections import deque
from typing import Final

import numpy as np

from demo.g711 import ulaw_decode, ulaw_encode
from demo.rtp import SAMPLES_PER_FRAME, RtpPacket
from tests.harness.patience import PATIENCE_S
from tests.harness.tonephone import ULAW_HZ, TonePhone

ROWS_HZ: Final = (697, 770, 852, 941)
COLUMNS_HZ: Final = (1209, 1336, 1477, 1633)
KEYPAD: Final = ("123A", "456B", "789C", "*0#D")
SILENCE: Final = b"\xff" * SAMPLES_PER_FRAME
EVENT: Final = 101
"""Payload type of telephone-event in `sip_peer.sdp`."""

_DECODED: Final = np.array([ulaw_decode(code) for code in range(256)])
_WINDOW: Final = 200
"""25 ms: neighbouring frequencies fall apart."""


def _tone(key: str, seconds: float) -> bytes:
    """A key as ITU-T Q.23 has it, in µ-law."""
    row = next(number for number, keys in enumerate(KEYPAD) if key in keys)
    pair = (ROWS_HZ[row], COLUMNS_HZ[KEYPAD[row].index(key)])
    times = np.arange(round(seconds * ULAW_HZ)) / ULAW_HZ
    samples = sum(6000 * np.sin(math.tau * hertz * times) for hertz in pair)
    return bytes(ulaw_encode(round(float(sample))) for sample in np.asarray(samples))


class KeyPhone(TonePhone):
    """Silent but for its keys."""

    def __init__(self) -> None:
        super().__init__(0)
        self._waiting: deque[bytes] = deque()

    def press(self, keys: str) -> None:
        """Press keys, 100 ms each, 100 ms apart."""
        for key in keys:
            codes = _tone(key, 0.1)
            self._waiting += [codes[at : at + SAMPLES_PER_FRAME] for at in range(0, len(codes), SAMPLES_PER_FRAME)]
            self._waiting += [SILENCE] * 5

    def keys(self) -> str:
        """The keys heard so far as tones."""
        payload = b"".join(heard.packet.payload for heard in self.heard if heard.packet.payload_type == 0)
        samples = _DECODED[np.frombuffer(payload, np.uint8)]
        found = [_key(samples[at : at + _WINDOW]) for at in range(0, len(samples) - _WINDOW, _WINDOW // 2)]
        return "".join(key for key, _ in itertools.groupby(found))

    async def hears_keys(self, keys: str, timeout_s: float = PATIENCE_S) -> None:
        """Wait until these keys, and no others, have been heard."""
        async with asyncio.timeout(timeout_s):
            while len(self.keys()) < len(keys):
                self._news.clear()
                await self._news.wait()
        assert self.keys() == keys

    async def _talk(self, to: tuple[str, int]) -> None:
        async for n in self._frames_in_time():
            payload = self._waiting.popleft() if self._waiting else SILENCE
            self._socket.sendto(bytes(RtpPacket(0, n % 65536, n * SAMPLES_PER_FRAME, 7, payload)), to)


def _key(samples: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> str:
    """The key in a stretch of sound, or ""."""
    energy = float(np.dot(samples, samples)) * len(samples) / 2
    if energy < 1e9:
        return ""
    turns = np.arange(len(samples)) * (-1j * math.tau / ULAW_HZ)
    shares = [float(abs(np.dot(samples, np.exp(turns * hertz))) ** 2) / energy for hertz in (*ROWS_HZ, *COLUMNS_HZ)]
    row, column = int(np.argmax(shares[:4])), int(np.argmax(shares[4:]))
    return KEYPAD[row][column] if shares[row] > 0.2 and shares[4 + column] > 0.2 else ""
