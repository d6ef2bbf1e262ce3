"""The recordings of one call: whether and when it is recorded, who is told, and what its record says of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, assert_never, get_args

from call.errors import PolicyError, TransportError
from gateway.configlistening import RecordingMode
from gateway.recorder import Handle, Recorder
from gateway.recording import Sources, State, Status, as_dict

log = logging.getLogger(__name__)

Wish = Literal["start", "pause", "resume", "stop"]
WISHES: Final[tuple[Wish, ...]] = get_args(Wish)

ANSWER_S: Final = 3.0
"""How long somebody who asks waits for the recorder's thread."""
END_S: Final = 5.0
"""How long the end of a call waits for the file; the disk may be slow."""


@dataclass(frozen=True, slots=True)
class Ways:
    """What a call lends to its recording."""

    tap: Callable[[], Sources | None]
    """Listen to both legs; None while the call has not both. PolicyError: nothing would be heard."""
    tell: Callable[[bool], None]
    """Let the page know whether it is being recorded."""
    beep: Callable[[], None]
    """Let both sides hear the consent tone."""
    hush: Callable[[], None]
    """Withdraw a consent tone that still waits for the end of a prompt."""
    note: Callable[[str, str], None]
    """Write into the journal: what, why."""
    keep: Callable[[], None]
    """Save how the recordings stand: a gateway that is killed leaves files that nobody knows of otherwise."""


class CallRecording:
    """One call's recordings, one after the other. All of it happens on the event loop."""

    def __init__(
        self, call_id: str, mode: RecordingMode, recorder: Recorder | None, ways: Ways, *, beep_every_s: float = 0.0
    ) -> None:
        """`recorder`: None if no folder is configured."""
        self._call_id, self._mode, self._recorder, self._ways = call_id, mode, recorder, ways
        self._beep_every_s = beep_every_s
        self._handles: list[Handle] = []
        self._news: asyncio.Event | None = None
        """For those who have asked: set with the next answer of the recorder."""
        self._beeping: asyncio.TimerHandle | None = None
        self._is_answered = False
        self._state: State = "starting"

    # -- what the call says ---------------------------------------------------------------------------

    def on_answer(self) -> None:
        """Both sides can talk from now on."""
        self._is_answered = True
        if self._mode == "all":
            try:
                self._start()
            except PolicyError as error:
                self._ways.note("not recorded", f"{error} {error.hint}")

    async def end(self) -> None:
        """The call is over: complete the file, but do not wait for a dead disk for ever."""
        self._is_answered = False
        self._stop_beeping()
        if (handle := self._current) is None:
            return
        handle.stop("the call ended")
        try:
            async with asyncio.timeout(END_S):
                await handle.over.wait()
        except TimeoutError:
            log.error("call %s: the disk of its recording does not answer", self._call_id)

    @property
    def is_on(self) -> bool:
        """Whether what is said now is recorded."""
        return self._state == "recording"

    def describe(self) -> dict[str, Any]:
        """For the call's record: each recording by its number, as of now."""
        return {str(number): as_dict(handle.recording.status) for number, handle in enumerate(self._handles, 1)}

    # -- what people ask ------------------------------------------------------------------------------

    async def obey(self, wish: Wish) -> dict[str, Any]:
        """Do what was asked; how the recording stands then.

        Raises:
            PolicyError: This call is not to be recorded, or the wish makes no sense now.
            TransportError: The recording failed.
        """
        self._check()
        news = self._news = self._news or asyncio.Event()  # of whoever else waits, too
        match wish:
            case "start":
                self._start()
            case "pause":
                self._require("recording", "pause").pause()
            case "resume":
                self._require("paused", "resume").resume()
            case "stop":
                self._require("recording", "stop", "paused").stop("somebody asked for it")
            case _:
                assert_never(wish)
        handle = self._handles[-1]
        try:
            async with asyncio.timeout(ANSWER_S):
                await news.wait()
        except TimeoutError:
            log.error("call %s: the recorder is %.0f s late", self._call_id, ANSWER_S)
        return self._outcome(handle)

    def _outcome(self, handle: Handle) -> dict[str, Any]:
        """How a recording stands; of one that never got anywhere the journal alone tells."""
        status = handle.status
        if status.state != "failed":
            return as_dict(status)
        if not (status.file or status.seconds):
            self._handles = [each for each in self._handles if each is not handle]
        hint = f"What was recorded is in {status.file}." if status.file else ""
        raise TransportError(f"The recording failed: {status.why}.", hint=hint)

    def _check(self) -> None:
        if self._mode == "off" or self._recorder is None:
            hint = 'Set `recording.mode`, or `recording` of the user or trunk, to "on-demand" or "all".'
            raise PolicyError("Calls of this user and trunk are not to be recorded.", hint=hint)
        if not self._is_answered:
            raise PolicyError("Only a call that is up can be recorded.", hint="Ask again once it is answered.")

    def _require(self, state: State, what: str, other: State | None = None) -> Handle:
        handle = self._current
        if handle is None or handle.status.state not in (state, other):
            stands = "the call is not being recorded" if handle is None else _STANDS[handle.status.state]
            raise PolicyError(f"There is nothing to {what}: {stands}.")
        return handle

    # -- recording ------------------------------------------------------------------------------------

    @property
    def _current(self) -> Handle | None:
        return self._handles[-1] if self._handles and not self._handles[-1].over.is_set() else None

    def _start(self) -> None:
        if self._current is not None:
            raise PolicyError("The call is being recorded already.")
        if self._recorder is None or (sources := self._ways.tap()) is None:
            raise PolicyError("The call has no media yet.", hint="Ask again in a moment.")
        self._handles.append(self._recorder.start(self._call_id, sources, self._on_change))

    def _on_change(self, status: Status) -> None:
        if self._news is not None:
            self._news.set()
            self._news = None
        before, self._state = self._state, status.state
        words = "goes on" if before == "paused" and self.is_on else _WORDS[status.state]
        self._ways.note(f"recording {words}", status.why or status.file)
        if self.is_on != (before == "recording"):
            self._ways.tell(self.is_on)
        self._stop_beeping()
        if self.is_on and self._is_answered:
            self._beep()
        elif not self.is_on:
            self._ways.hush()
        self._ways.keep()

    def _beep(self) -> None:
        self._ways.beep()
        if self._beep_every_s:
            self._beeping = asyncio.get_running_loop().call_later(self._beep_every_s, self._beep)

    def _stop_beeping(self) -> None:
        if self._beeping is not None:
            self._beeping.cancel()
            self._beeping = None


_WORDS: Final[dict[State, str]] = {
    "starting": "is being started",
    "recording": "began",
    "paused": "paused",
    "finished": "finished",
    "failed": "failed",
}
_STANDS: Final[dict[State, str]] = {
    "starting": "the recording is only being started",
    "recording": "the call is being recorded",
    "paused": "the recording is paused already",
}
"""How a recording stands that is not over."""
