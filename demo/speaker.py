"""What a call sends next, a frame of 20 ms at a time."""

from __future__ import annotations

from collections import deque
from typing import Final

from demo.g711 import ULAW_SILENCE
from demo.rtp import SAMPLES_PER_FRAME

SILENCE: Final = bytes([ULAW_SILENCE]) * SAMPLES_PER_FRAME


class Speaker:
    """A queue of recordings in µ-law, after which comes a loop, or silence."""

    def __init__(self) -> None:
        """Silent."""
        self._queue: deque[bytes] = deque()
        self._loop = b""
        self._position = 0

    @property
    def is_idle(self) -> bool:
        """Nothing is waiting to be said; a loop may be running."""
        return not self._queue

    def play(self, recording: bytes) -> None:
        """Say this after what is already waiting."""
        self._queue.append(recording)

    def loop(self, recording: bytes) -> None:
        """Play this over and over whenever nothing is waiting; empty: silence."""
        self._loop = recording
        if self.is_idle:
            self._position = 0

    def stop(self) -> None:
        """Fall silent at once."""
        self._queue.clear()
        self._loop = b""
        self._position = 0

    def next_frame(self) -> bytes:
        """The next 160 octets."""
        if self._queue:
            return self._from_queue()
        if self._loop:
            return self._from_loop()
        return SILENCE

    def _from_queue(self) -> bytes:
        recording = self._queue[0]
        frame = recording[self._position : self._position + SAMPLES_PER_FRAME]
        self._position += SAMPLES_PER_FRAME
        if self._position >= len(recording):
            self._queue.popleft()
            self._position = 0
        return frame.ljust(SAMPLES_PER_FRAME, SILENCE[:1])

    def _from_loop(self) -> bytes:
        start = self._position
        self._position = (start + SAMPLES_PER_FRAME) % len(self._loop)
        doubled = self._loop[start : start + SAMPLES_PER_FRAME]
        while len(doubled) < SAMPLES_PER_FRAME:
            doubled += self._loop[: SAMPLES_PER_FRAME - len(doubled)]
        return doubled
