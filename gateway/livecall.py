"""One live call: an actor with a queue, two legs, a journal, and the record it leaves."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Literal, Protocol

from call import causes, interworking
from call.causes import Ending
from call.coupling import Accept, Call, Command, Progress, Release, Side, step
from call.errors import PeerError
from call.journal import Journal
from call.leg import DialogState, Ended, LegEvent
from gateway.browserleg import BrowserLeg
from gateway.callrecord import LIVE, CallRecord
from gateway.callrecording import CallRecording
from gateway.calltee import CallTee
from gateway.relays import Sound
from gateway.speaker import Speaker
from gateway.surroundings import Report
from gateway.trunkleg import TrunkLeg
from webrtc.mailbox import Mailbox

log = logging.getLogger(__name__)

Direction = Literal["outgoing", "incoming"]
Target = Literal["trunk", "browser", "both"]


class CallLeg(Protocol):
    """A leg as its call sees it. After `Release` it reports `Ended`, sooner or later."""

    def post(self, command: Command) -> None:
        """Carry out a command."""


class LiveCall:
    """Runs one call: events in order from one queue, commands to the legs, a record at the end."""

    def __init__(
        self, call_id: str, direction: Direction, *, user: str, remote: str, trunk: str, max_s: float | None = None
    ) -> None:
        """`max_s` is how long the caller's login lets it talk."""
        self.id, self.direction = call_id, direction
        self.user, self.remote, self.trunk_name = user, remote, trunk
        self.browser: BrowserLeg | None = None
        self.trunk: TrunkLeg | None = None
        self.on_answer: Callable[[], None] = lambda: None
        self.on_page_left: Callable[[], None] = lambda: None
        """Called when the call is over for the page, though perhaps not yet for the trunk."""
        self.save: Callable[[CallRecord], None] = lambda _: None
        """Stores what is known of the call while it goes on."""
        self.recording: CallRecording | None = None
        self.tee: CallTee | None = None
        self._call = Call()
        self._events: Mailbox[tuple[Side, LegEvent]] = Mailbox()
        self._started_at, self._answered_at, self._ended_at = time.time(), 0.0, 0.0
        self._clock = asyncio.get_running_loop().time
        self._journal = Journal(self._clock())
        self._ending: Ending | None = None
        self._is_complete = False
        self._max_s = max_s
        self._limit: asyncio.TimerHandle | None = None
        self._couple: Callable[[], None] = lambda: None

    # -- wiring ---------------------------------------------------------------------------------------

    @property
    def browser_side(self) -> Side:
        """Which side the browser is."""
        return Side.CALLER if self.direction == "outgoing" else Side.CALLEE

    def report_of(self, side: Side) -> Report:
        """Where the leg of `side` reports to."""
        return Report(
            emit=lambda event: self._events.put_nowait((side, event)),
            note=lambda what, why: self._journal.note(self._clock(), side.value, what, why),
        )

    def note(self, what: str, why: str = "") -> None:
        """Write into the journal."""
        self._journal.note(self._clock(), "call", what, why)

    def couple_media(self, couple: Callable[[], None]) -> None:
        """How to let the legs hear each other, once both have media."""
        self._couple = couple

    def tell_recording(self, on: bool) -> None:
        """Let the page know whether it is being recorded."""
        if self.browser is not None:
            self.browser.tell_recording(on)

    @property
    def _listeners(self) -> list[CallRecording | CallTee]:
        """Who listens in."""
        return [listener for listener in (self.recording, self.tee) if listener is not None]

    def describe_codecs(self) -> str:
        """One sentence: which codecs, and why."""
        browser, trunk = self.browser, self.trunk
        if browser is None or trunk is None or browser.choice is None or trunk.codec is None:
            return ""
        choice = browser.choice
        spares_silence = trunk.takes_noise and (browser.takes_noise or choice.codec != trunk.codec)
        return interworking.codec_sentence(choice.codec, trunk.codec, choice.reason, spares_silence=spares_silence)

    def _leg(self, side: Side) -> CallLeg | None:
        return self.browser if side is self.browser_side else self.trunk

    # -- life -----------------------------------------------------------------------------------------

    async def run(self) -> CallRecord:
        """Handle events until both legs have ended; return the record."""
        while not self._call.is_over:
            side, event = await self._events.get()
            try:
                self._step(side, event)
            except Exception:
                log.exception("call %s: %r of %s failed; journal: %s", self.id, event, side, self._journal.entries)
                self.note("gateway error", f"{type(event).__name__} of {side.value}")
                self.end(causes.gateway_error())
                if isinstance(event, Ended):
                    self._call = self._call.after(side, event)
        if self._limit is not None:
            self._limit.cancel()
        self._ended_at = time.time()
        await asyncio.gather(*(listener.end() for listener in self._listeners))
        self._is_complete = True
        return self.record()

    def _step(self, side: Side, event: LegEvent) -> None:
        if isinstance(event, Ended) and self._ending is None:
            self._ending = event.ending
            self.note("ends", event.ending.sentence)
        if isinstance(event, Ended) and side is self.browser_side:
            self.on_page_left()
        self._call, commands = step(self._call, side, event)
        for target, command in commands:
            if isinstance(command, Progress | Accept):
                self._couple()
            if isinstance(command, Accept):
                self._on_answer()
            if (leg := self._leg(target)) is not None:
                leg.post(command)

    def _on_answer(self) -> None:
        self._answered_at = time.time()
        self.note("answered", self.describe_codecs())
        self.on_answer()
        if self._max_s is not None:
            ending = causes.login_limit(self._max_s)
            self._limit = asyncio.get_running_loop().call_later(self._max_s, self.end, ending)
        for listener in self._listeners:
            listener.on_answer()
        self.keep()

    def end(self, ending: Ending) -> None:
        """End both legs from our side."""
        for side in Side:
            leg = self._leg(side)
            if leg is not None and self._call.of(side) is not DialogState.TERMINATED:
                self._ending = self._ending or ending
                self._release(side, leg, ending)

    def _release(self, side: Side, leg: CallLeg, ending: Ending) -> None:
        try:
            leg.post(Release(ending))
        except Exception:
            log.exception("call %s: the leg of %s cannot be released", self.id, side)
            self._events.put_nowait((side, Ended(ending)))  # it will not say so itself

    @property
    def is_answered(self) -> bool:
        """Both legs are confirmed."""
        return self._call.is_answered

    # -- what an operator plays -----------------------------------------------------------------------

    def play(self, sound: Sound, name: str, to: Target, *, repeats: bool = False) -> None:
        """Let one side or both hear a sound in the place of the other.

        Raises:
            PeerError: The call is not up.
        """
        for speaker in self._speakers(to):
            speaker.play(sound, name, repeats=repeats)

    def announce(self, sound: Sound, name: str) -> None:
        """Let both sides hear a notice, whatever else is played.

        Raises:
            PeerError: The call is not up.
        """
        for speaker in self._speakers("both"):
            speaker.announce(sound, name)

    def withdraw_notice(self) -> None:
        """Let nobody hear a notice that still waits for the end of a prompt.

        Raises:
            PeerError: The call is not up.
        """
        for speaker in self._speakers("both"):
            speaker.withdraw()

    def stop_playing(self, to: Target) -> bool:
        """End what `play` began; false if nothing was playing.

        Raises:
            PeerError: The call is not up.
        """
        stopped = [speaker.stop() for speaker in self._speakers(to)]
        return any(stopped)

    def _speakers(self, to: Target) -> list[Speaker]:
        legs = {"browser": self.browser, "trunk": self.trunk}
        chosen = [leg for name, leg in legs.items() if leg is not None and to in (name, "both")]
        speakers = [leg.speaker for leg in chosen if leg.speaker is not None]
        if not self.is_answered or not speakers:
            raise PeerError("The call is not answered, or has just ended.", hint="`webtrunk calls` shows its state.")
        return speakers

    # -- what is kept ---------------------------------------------------------------------------------

    def keep(self) -> None:
        """Save what is known so far: all that is left of the call if the gateway is killed."""
        if not self._ended_at:  # else the whole record is about to be saved, or was
            self.save(self.record(with_media=False))

    def record(self, *, with_media: bool = True) -> CallRecord:
        """The record as of now; without what the legs and the tee count it asks no other thread."""
        ending = self._ending if self._is_complete else None
        return CallRecord(
            id=self.id,
            direction=self.direction,
            user=self.user,
            remote=self.remote,
            trunk=self.trunk_name,
            started_at=self._started_at,
            answered_at=self._answered_at or None,
            ended_at=(self._ended_at or time.time()) if ending else None,
            cause=ending.cause.value if ending else LIVE,
            sip_status=ending.sip_status if ending else None,
            sentence=ending.sentence if ending else self._state_sentence(),
            hint=ending.hint if ending else "",
            codecs=self.describe_codecs(),
            media=(self._counted() if with_media else {}) | _known(recordings=self.recording),
            journal=tuple(asdict(entry) for entry in self._journal.entries),
        )

    def _counted(self) -> dict[str, dict[str, Any]]:
        return {"browser": _stats(self.browser), "trunk": _stats(self.trunk)} | _known(tee=self.tee)

    def _state_sentence(self) -> str:
        return "The call is up." if self.is_answered else "The call is being set up."


def _stats(leg: BrowserLeg | TrunkLeg | None) -> dict[str, Any]:
    if leg is None or leg.media is None:
        return {}
    return leg.final_stats or dict(leg.media.stats())


def _known(**listeners: CallRecording | CallTee | None) -> dict[str, dict[str, Any]]:
    """What those who listen in tell, each by its name; nothing of those who have nothing to tell."""
    described = {name: listener.describe() for name, listener in listeners.items() if listener is not None}
    return {name: words for name, words in described.items() if words}
