"""A call: two legs, and the rules that couple them (we are a B2BUA, RFC 7092).

`step` is the whole of it: what one leg did goes in, what to tell which leg comes out. A leg that was
told `Release` still reports its own `Ended`; the call is over when both legs have.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import assert_never

from call.causes import Ending
from call.codecs import Format
from call.errors import ImpossibleTransition
from call.leg import (
    Answered,
    DialogState,
    Ended,
    Failed,
    Headers,
    Held,
    LegEvent,
    Pressed,
    Ringing,
    Settled,
    next_state,
)


class Side(Enum):
    """Which leg, seen from the gateway."""

    CALLER = "caller"
    CALLEE = "callee"

    @property
    def other(self) -> Side:
        """The opposite leg."""
        return Side.CALLEE if self is Side.CALLER else Side.CALLER


@dataclass(frozen=True, slots=True)
class Progress:
    """Tell the caller that the far end rings; `early_media`: its own tone is already on the line."""

    status: int
    early_media: bool
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Accept:
    """Send 2xx."""

    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Press:
    """The other side pressed keys; the fields are those of `Pressed`."""

    digits: str
    duration_ms: int = 0
    in_media: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """The other side holds the call: let this peer hear music meanwhile; or no longer."""

    on: bool


@dataclass(frozen=True, slots=True)
class Suit:
    """The other side speaks this: speak what goes with it."""

    format: Format


@dataclass(frozen=True, slots=True)
class Warn:
    """Tell the person on this leg that something they asked for could not be done."""

    sentence: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """End the leg: CANCEL, BYE or a final response, as its state demands."""

    ending: Ending


Command = Progress | Accept | Press | Hold | Suit | Warn | Release
Addressed = tuple[Side, Command]


@dataclass(frozen=True, slots=True)
class Call:
    """The whole state of one call."""

    caller: DialogState = DialogState.TRYING
    callee: DialogState = DialogState.TRYING

    def of(self, side: Side) -> DialogState:
        """State of one leg."""
        return self.caller if side is Side.CALLER else self.callee

    def after(self, side: Side, event: LegEvent) -> Call:
        """The call once `event` has happened on one leg."""
        state = next_state(self.of(side), event)
        if side is Side.CALLER:
            return replace(self, caller=state)
        return replace(self, callee=state)

    @property
    def is_over(self) -> bool:
        """Both legs have ended."""
        return self.caller is self.callee is DialogState.TERMINATED

    @property
    def is_answered(self) -> bool:
        """Both legs are confirmed."""
        return self.caller is self.callee is DialogState.CONFIRMED


def step(call: Call, side: Side, event: LegEvent) -> tuple[Call, list[Addressed]]:
    """Apply what one side did; return the new call and what to tell whom.

    Raises:
        ImpossibleTransition: An event that this side cannot cause: our own bug.
    """
    if side is Side.CALLER and isinstance(event, Ringing | Answered):
        raise ImpossibleTransition(f"caller sent {type(event).__name__}")
    was = call.of(side)
    call = call.after(side, event)
    other = call.of(side.other)
    match event:
        case _ if was is DialogState.TERMINATED:
            return call, []
        case Ended() if other is DialogState.TERMINATED:
            return call, []  # the BYEs crossed (RFC 5407 §3.2.1), or the leg confirms our Release
        case Ended(ending):
            return call, [(side.other, Release(ending))]
        case Ringing() if other is not DialogState.TERMINATED and was is not DialogState.CONFIRMED:
            call = call.after(Side.CALLER, event)
            return call, [(Side.CALLER, Progress(event.status, event.early_media, event.headers))]
        case Ringing():
            return call, []
        case Answered() if other is DialogState.TERMINATED:
            return call, []  # our CANCEL crossed their 2xx (RFC 5407 §3.1.2): the Release under way sends BYE
        case Answered(headers):
            return call.after(Side.CALLER, event), [(Side.CALLER, Accept(headers))]
        case Pressed(digits, duration_ms, in_media) if other in (DialogState.EARLY, DialogState.CONFIRMED):
            return call, [(side.other, Press(digits, duration_ms, in_media))]
        case Pressed():
            return call, []  # nobody there yet, or no longer
        case Held(on) if call.is_answered:
            return call, [(side.other, Hold(on))]
        case Held():
            return call, []  # only a call that is up can be held
        case Settled(format) if call.is_answered:
            return call, [(side.other, Suit(format))]
        case Settled():
            return call, []  # only the final answer counts: an 18x may have said something else
        case Failed() if other is DialogState.TERMINATED:
            return call, []
        case Failed(sentence, hint):
            return call, [(side.other, Warn(sentence, hint))]
        case _:
            assert_never(event)
