"""One leg's dialog: states, events and the table that joins them.

State names are those of RFC 4235 §3.7.1. Offer/answer is a second, orthogonal machine: see
`call.negotiation`. SDP never crosses from one leg to the other, so no event carries any.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from call.causes import Ending
from call.codecs import Format
from call.errors import ImpossibleTransition

Headers = tuple[tuple[str, str], ...]
"""(name, value) pairs that pass through a call unchanged, in wire order."""


class DialogState(Enum):
    """How far the INVITE of one leg has come."""

    TRYING = "trying"
    """INVITE sent or received, no 18x yet (holds RFC 4235's Proceeding)."""
    EARLY = "early"
    """18x: an early dialog, so early media may flow."""
    CONFIRMED = "confirmed"
    """2xx sent or received."""
    TERMINATED = "terminated"
    """Final failure, BYE or CANCEL: nothing leaves this state."""


@dataclass(frozen=True, slots=True)
class Ringing:
    """18x, or early media has begun."""

    status: int = 180
    early_media: bool = False
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """2xx to the INVITE."""

    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Pressed:
    """The peer pressed keys."""

    digits: str
    duration_ms: int = 0
    """How long each was held; 0: unknown."""
    in_media: bool = False
    """The media core gives them on to the other leg by itself, if that one takes digits in its media."""


@dataclass(frozen=True, slots=True)
class Held:
    """The person on this leg put the call on hold, or takes it off."""

    on: bool


@dataclass(frozen=True, slots=True)
class Settled:
    """The peer of this leg speaks this from now on."""

    format: Format


@dataclass(frozen=True, slots=True)
class Failed:
    """Something that was asked of the leg could not be done; the leg goes on."""

    sentence: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """The leg is gone: BYE, CANCEL, a final response of 300 and over, or a fault."""

    ending: Ending


LegEvent = Ringing | Answered | Pressed | Held | Settled | Failed | Ended

_S = DialogState
TRANSITIONS: Final[Mapping[DialogState, Mapping[type[LegEvent], DialogState]]] = MappingProxyType(
    {
        _S.TRYING: {
            Ringing: _S.EARLY,
            Answered: _S.CONFIRMED,
            Pressed: _S.TRYING,
            Held: _S.TRYING,
            Settled: _S.TRYING,
            Failed: _S.TRYING,
            Ended: _S.TERMINATED,
        },
        _S.EARLY: {
            Ringing: _S.EARLY,
            Answered: _S.CONFIRMED,
            Pressed: _S.EARLY,
            Held: _S.EARLY,
            Settled: _S.EARLY,
            Failed: _S.EARLY,
            Ended: _S.TERMINATED,
        },
        # A second 2xx is a fork that lost the race (RFC 3261 §13.2.2.4): the worker answers it with
        # ACK and BYE, so it never reaches this table. A late 18x was overtaken on UDP: no news.
        _S.CONFIRMED: {
            Ringing: _S.CONFIRMED,
            Pressed: _S.CONFIRMED,
            Held: _S.CONFIRMED,
            Settled: _S.CONFIRMED,
            Failed: _S.CONFIRMED,
            Ended: _S.TERMINATED,
        },
        # Whatever was under way when the leg ended arrives late; absorbing it is not a bug.
        _S.TERMINATED: {
            Ringing: _S.TERMINATED,
            Answered: _S.TERMINATED,
            Pressed: _S.TERMINATED,
            Held: _S.TERMINATED,
            Settled: _S.TERMINATED,
            Failed: _S.TERMINATED,
            Ended: _S.TERMINATED,
        },
    }
)


def next_state(state: DialogState, event: LegEvent) -> DialogState:
    """Return the state after `event`.

    Raises:
        ImpossibleTransition: The table has no such edge.
    """
    try:
        return TRANSITIONS[state][type(event)]
    except KeyError:
        message = f"{type(event).__name__} while {state.value}"
        raise ImpossibleTransition(message) from None
