"""Stand-ins for taps and files: sound without calls and disks."""

from __future__ import annotations

import array
from pathlib import Path


class Voice:
    """A tap at 16 kHz whose every sample is the same."""

    def __init__(self, sample: int = 1) -> None:
        self.sample, self.at_ms = sample, 0
        self.dropped_ms = 0.0
        self.is_closed = False

    def read(self, until_ms: int) -> bytes:
        count = max(0, until_ms - self.at_ms) * 16
        self.at_ms = max(self.at_ms, until_ms)
        return array.array("h", [self.sample] * count).tobytes()

    def close(self) -> None:
        self.is_closed = True


class FileRecorder:
    """A file in memory; with an error it takes nothing."""

    def __init__(self, error: Exception | None = None) -> None:
        self.path, self.unfinished_path = Path("/done"), Path("/growing")
        self.samples = b""
        self.is_finished = self.is_abandoned = False
        self.is_there = True
        self._error = error

    def write(self, samples: bytes) -> None:
        if self._error is not None:
            raise self._error
        self.samples += samples

    def finish(self) -> None:
        self.is_finished = True

    def abandon(self) -> bool:
        self.is_abandoned = True
        return bool(self.samples)
