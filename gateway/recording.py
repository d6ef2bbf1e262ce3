"""One recording: two legs' sound, side by side, into a file. It runs on the recorder's thread and knows no call."""

from __future__ import annotations

import array
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from gateway.callrecord import OVER
from gateway.recordingfile import FRAME_BYTES, RATE_HZ, RecordingFile

State = Literal["starting", "recording", "paused", "finished", "failed"]

SAMPLE_BYTES: Final = 2
MAX_GAPS: Final = 100
"""As many are remembered; a disk that is too slow may make one every time it is written to."""
LEAST_LOSS_MS: Final = 1.0


class Source(Protocol):
    """What one leg says: `mediacore.Tap`."""

    def read(self, until_ms: int) -> bytes:
        """16-bit samples up to `until_ms`, at most a minute."""

    @property
    def dropped_ms(self) -> float:
        """Sound lost because it was read too slowly."""

    def close(self) -> None:
        """Listen no more."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of the file in which there is silence though there may have been talk. Seconds of the file."""

    from_s: float
    to_s: float
    why: str


@dataclass(frozen=True, slots=True)
class Status:
    """What the call's record and its people may know."""

    state: State
    file: str = ""
    started_at: float = 0.0
    seconds: float = 0.0
    gaps: tuple[Gap, ...] = ()
    why: str = ""
    """Why it ended."""


@dataclass(slots=True)
class Sources:
    """The channels of a recording: left the browser, right the trunk."""

    left: Source
    right: Source
    start_ms: int
    """Where both begin, on the media core's clock."""

    def read(self, until_ms: int) -> bytes:
        """Interleaved samples up to `until_ms`."""
        left, right = self.left.read(until_ms), self.right.read(until_ms)
        both = array.array("h", bytes(len(left) * 2))
        both[0::2], both[1::2] = array.array("h", left), array.array("h", right)
        return both.tobytes()

    @property
    def dropped_ms(self) -> float:
        """The worse of the two."""
        return max(self.left.dropped_ms, self.right.dropped_ms)

    def close(self) -> None:
        """Listen no more."""
        self.left.close()
        self.right.close()


@dataclass(slots=True)
class Recording:
    """A recording under way. Times are of the media core's clock, in ms."""

    sources: Sources
    make_file: Callable[[], RecordingFile]
    started_at: float
    """Seconds since the epoch."""
    on_change: Callable[[Status], None]
    _file: RecordingFile | None = None
    _state: State = "starting"
    _samples: int = 0
    _gaps: list[Gap] = field(default_factory=list)
    _quiet_since: int | None = None
    _dropped_ms: float = 0.0
    _why: str = ""

    @property
    def is_over(self) -> bool:
        """Nothing more will be written."""
        return self._state in OVER

    @property
    def status(self) -> Status:
        """As of now; any thread may ask."""
        return Status(self._state, self._path, self.started_at, self._seconds, tuple(self._gaps), self._why)

    def begin(self) -> None:
        """Make the file.

        Raises:
            OSError: It cannot be made.
        """
        self._file = self.make_file()
        self._change("recording")

    def write_until(self, until_ms: int) -> None:
        """Write what was said up to `until_ms`.

        Raises:
            OSError: The disk took it not.
        """
        if self._file is None or self.is_over:
            return
        if samples := self.sources.read(until_ms):
            self._file.write(bytes(len(samples)) if self._state == "paused" else samples)
            self._samples += len(samples) // FRAME_BYTES
        self._note_loss()

    def pause(self, at_ms: int) -> None:
        """Silence from here on: the file keeps the call's time."""
        if self._state == "recording":
            self.write_until(at_ms)
            self._quiet_since = self._samples
            self._change("paused")

    def resume(self, at_ms: int) -> None:
        """Sound again."""
        if self._state == "paused":
            self.write_until(at_ms)
            self._end_pause()
            self._change("recording")

    def look_for_file(self) -> None:
        """Give up if somebody took the file away: all that is written into it would be lost.

        Raises:
            OSError: The disk does not say.
        """
        if self._file is not None and not self._file.is_there:
            self.fail("its file was removed")

    def finish(self, at_ms: int, why: str) -> None:
        """Write the rest and complete the file.

        Raises:
            OSError: The disk took it not.
        """
        if self.is_over:
            return
        self.write_until(at_ms)
        if self._file is not None:
            self._file.finish()
        self._end("finished", why)

    def fail(self, why: str) -> None:
        """Give up; what was written stays."""
        if self.is_over:
            return
        if self._file is not None and not self._file.abandon():
            self._file = None
        self._end("failed", why)

    def _end(self, state: State, why: str) -> None:
        self._end_pause()
        self.sources.close()
        self._why = why
        self._change(state)

    def _end_pause(self) -> None:
        if self._quiet_since is not None:
            self._add_gap(self._quiet_since / RATE_HZ, "paused")
            self._quiet_since = None

    def _note_loss(self) -> None:
        """Sound that came while the tap was full fell out of what has just been written."""
        lost_ms = self.sources.dropped_ms - self._dropped_ms
        if lost_ms >= LEAST_LOSS_MS:
            self._dropped_ms += lost_ms
            self._add_gap(self._seconds - lost_ms / 1000, "the disk was too slow")

    def _add_gap(self, from_s: float, why: str) -> None:
        if len(self._gaps) < MAX_GAPS:
            self._gaps.append(Gap(from_s, self._seconds, why))

    @property
    def _seconds(self) -> float:
        return self._samples / RATE_HZ

    @property
    def _path(self) -> str:
        """Where the file is, with the name that it has; "": there is none."""
        if (file := self._file) is None:
            return ""
        return str(file.path if self.is_over else file.unfinished_path)

    def _change(self, state: State) -> None:
        self._state = state
        self.on_change(self.status)


def as_dict(status: Status) -> dict[str, Any]:
    """For a record or an answer in JSON."""
    gaps = [{"from_s": round(gap.from_s, 3), "to_s": round(gap.to_s, 3), "why": gap.why} for gap in status.gaps]
    return {
        "state": status.state,
        "file": status.file,
        "started_at": status.started_at,
        "seconds": round(status.seconds, 3),
        "gaps": gaps,
        "why": status.why,
    }
