"""Writes all recordings, on one thread of its own: a disk that is slow or full costs recordings, never calls."""

from __future__ import annotations

import asyncio
import logging
import queue
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from call.errors import TransportError
from gateway.callrecord import OVER
from gateway.recording import Recording, Sources, Status
from gateway.recordingfile import FileFormat, open_file

log = logging.getLogger(__name__)

TICK_S: Final = 0.2
"""How often what was said is written."""
HOLD_BACK_MS: Final = 1000
"""How far behind the present: packets that come late, or are waited for, still find their place."""
LOOK_S: Final = 1.0
"""How often the disk is looked at: the free space, and whether the files are still there."""
CLOSE_S: Final = 10.0
"""How long a stopping gateway waits for its recordings."""

Task = Callable[[], None]


@dataclass(slots=True)
class Handle:
    """One recording, as its call holds it. `status` is the latest that the recorder's thread told."""

    post: Callable[[Callable[[int], None]], None]
    recording: Recording
    on_change: Callable[[Status], None]
    status: Status = field(default_factory=lambda: Status("starting"))
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def pause(self) -> None:
        """Silence from now on."""
        self.post(self.recording.pause)

    def resume(self) -> None:
        """Sound again."""
        self.post(self.recording.resume)

    def stop(self, why: str) -> None:
        """Complete the file; `over` is set when that is done, or has failed."""
        self.post(lambda now_ms: self.recording.finish(now_ms, why))

    def take(self, status: Status) -> None:
        """News from the recorder's thread."""
        self.status = status
        if status.state in OVER:
            self.over.set()
        self.on_change(status)


class Recorder:
    """All recordings of a gateway. Its methods never block; the thread begins with the first recording."""

    def __init__(self, folder: Path, kind: FileFormat, min_free_bytes: int, clock_ms: Callable[[], int]) -> None:
        self._folder, self._kind, self._min_free_bytes, self._clock_ms = folder, kind, min_free_bytes, clock_ms
        self._active: list[Recording] = []
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self, call_id: str, sources: Sources, on_change: Callable[[Status], None]) -> Handle:
        """Begin a recording; `on_change` is called on this event loop with every change of its state."""
        loop, started_at = asyncio.get_running_loop(), time.time()

        def tell(status: Status) -> None:
            loop.call_soon_threadsafe(handle.take, status)

        recording = Recording(
            sources, lambda: open_file(self._folder, call_id, started_at, self._kind), started_at, tell
        )
        handle = Handle(lambda step: self._post(recording, step), recording, on_change)
        self._tasks.put(lambda: self._begin(recording))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
            self._thread.start()
        return handle

    def close(self) -> None:
        """Complete what is still being recorded and end the thread; waits for it, but not for ever."""
        if self._thread is None:
            return
        self._tasks.put(None)
        self._thread.join(timeout=CLOSE_S)
        if self._thread.is_alive():
            log.error("the disk of the recordings does not answer: they end with .part")

    # -- on the recorder's thread ---------------------------------------------------------------------

    def _run(self) -> None:
        wake_at, look_at = time.monotonic(), 0.0
        while self._obey(wake_at):
            now = time.monotonic()
            if now >= look_at:
                self._look_at_disk()
                look_at = now + LOOK_S
            until_ms = max(0, self._clock_ms() - HOLD_BACK_MS)
            for recording in list(self._active):
                self._try(recording, partial(recording.write_until, until_ms))
            wake_at = now + TICK_S
        for recording in list(self._active):
            self._try(recording, partial(self._end, recording, "the gateway was stopped"))

    def _obey(self, wake_at: float) -> bool:
        """Carry out what was asked until the time comes; False at the end of all."""
        while True:
            try:
                task = self._tasks.get(timeout=max(0.0, wake_at - time.monotonic()))
            except queue.Empty:
                return True
            if task is None:
                return False
            task()

    def _post(self, recording: Recording, step: Callable[[int], None]) -> None:
        self._tasks.put(lambda: self._try(recording, lambda: step(self._clock_ms())))

    def _begin(self, recording: Recording) -> None:
        self._active.append(recording)
        self._try(recording, partial(self._open, recording))

    def _open(self, recording: Recording) -> None:
        if self._is_full:
            recording.fail(self._no_room)
        else:
            recording.begin()

    def _end(self, recording: Recording, why: str) -> None:
        recording.finish(self._clock_ms(), why)

    def _try(self, recording: Recording, work: Callable[[], None]) -> None:
        """A recording that fails ends, and nothing else does."""
        try:
            work()
        except OSError as error:
            recording.fail(f"the disk refused it: {error.strerror or error}")
        except Exception:
            log.exception("a recording failed")
            recording.fail("the gateway has a fault; its log says more")
        if recording.is_over and recording in self._active:
            self._active.remove(recording)

    def _look_at_disk(self) -> None:
        for recording in list(self._active):
            self._try(recording, recording.look_for_file)
        if self._active and self._is_full:
            for recording in list(self._active):
                self._try(recording, partial(self._end, recording, self._no_room))

    @property
    def _is_full(self) -> bool:
        try:
            return shutil.disk_usage(self._folder).free < self._min_free_bytes
        except OSError:
            return False  # to make or write a file will say more

    @property
    def _no_room(self) -> str:
        return f"less than {self._min_free_bytes // 2**20} MB are free on its disk (`recording.min_free_mb`)"


def check_folder(folder: str) -> None:
    """Make the folder of the recordings and try to write into it.

    Raises:
        TransportError: It cannot be used.
    """
    probe = Path(folder) / ".webtrunk-writes-here"
    try:
        Path(folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        probe.touch()
        probe.unlink(missing_ok=True)  # another gateway, or a check, may look at the same moment
    except OSError as error:
        sentence = f"The folder {folder} cannot be written: {error.strerror}."
        raise TransportError(sentence, hint="Name a folder that the gateway may write into.") from error
    except ValueError as error:  # a NUL in the path
        raise TransportError(f"{folder!r} is not the name of a folder.") from error
