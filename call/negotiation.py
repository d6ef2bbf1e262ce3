"""Offer/answer on one leg, orthogonal to its dialog (RFC 3264, RFC 6337 §2.2).

Theory of operation: at most one offer is outstanding, ours or the peer's. Its answer or its refusal brings the
leg back to STABLE; a refusal leaves the session as it was before the offer (RFC 3261 §14.1). An offer that meets
another is glare. SDP in an unreliable 18x is only a preview of the answer in 200 (RFC 6337 §3.1.1), so it changes
nothing here, though media may flow by it.

On a browser leg the browser alone offers (design §4), so only the REMOTE_OFFER half of the table is used there.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from call.errors import GlareError, ImpossibleTransition, PeerError


class NegotiationState(Enum):
    """Whose offer is outstanding; names from RFC 9429 §3.2."""

    STABLE = "stable"
    """No offer is outstanding."""
    HAVE_LOCAL_OFFER = "have-local-offer"
    """We have offered and wait for the answer."""
    HAVE_REMOTE_OFFER = "have-remote-offer"
    """The peer has offered and waits for ours."""


class NegotiationEvent(Enum):
    """What can happen to an offer."""

    LOCAL_OFFER = "local offer"
    """We send one: in an INVITE, a re-INVITE, or the 200 to an INVITE without SDP."""
    REMOTE_OFFER = "remote offer"
    """The peer sends one: in an INVITE, a re-INVITE, an UPDATE, or a page's message."""
    LOCAL_ANSWER = "local answer"
    """We accept the peer's offer."""
    REMOTE_PREVIEW = "remote preview"
    """SDP in an unreliable 18x; after the answer of a reliable one it is a repetition."""
    REMOTE_ANSWER = "remote answer"
    """The peer accepts our offer: in 200, a reliable 18x, or ACK."""
    LOCAL_REFUSAL = "local refusal"
    """We refuse the peer's offer, for instance with 488."""
    REMOTE_REFUSAL = "remote refusal"
    """The peer refuses ours, for instance with 488 or 491."""


_S = NegotiationState
_E = NegotiationEvent
TRANSITIONS: Final[Mapping[NegotiationState, Mapping[NegotiationEvent, NegotiationState]]] = MappingProxyType(
    {
        _S.STABLE: {
            _E.LOCAL_OFFER: _S.HAVE_LOCAL_OFFER,
            _E.REMOTE_OFFER: _S.HAVE_REMOTE_OFFER,
            _E.REMOTE_PREVIEW: _S.STABLE,
        },
        _S.HAVE_LOCAL_OFFER: {
            _E.REMOTE_PREVIEW: _S.HAVE_LOCAL_OFFER,
            _E.REMOTE_ANSWER: _S.STABLE,
            _E.REMOTE_REFUSAL: _S.STABLE,
        },
        _S.HAVE_REMOTE_OFFER: {
            _E.LOCAL_ANSWER: _S.STABLE,
            _E.LOCAL_REFUSAL: _S.STABLE,
        },
    }
)

_REMOTE: Final = (_E.REMOTE_PREVIEW, _E.REMOTE_ANSWER, _E.REMOTE_REFUSAL)


def next_state(state: NegotiationState, event: NegotiationEvent) -> NegotiationState:
    """Return the state after `event`.

    Raises:
        GlareError: The peer offers while an offer is outstanding; answer 491 (RFC 3261 §14.2, RFC 3311 §5.2).
        PeerError: The peer answers or refuses what we did not offer.
        ImpossibleTransition: We did something that has no edge: our bug. Look at `may_offer` before offering.
    """
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise _fault(state, event) from None


def may_offer(state: NegotiationState) -> bool:
    """Whether we may send an offer now (RFC 3261 §14.1)."""
    return _E.LOCAL_OFFER in TRANSITIONS[state]


def _fault(state: NegotiationState, event: NegotiationEvent) -> Exception:
    """The error that says whose fault a missing edge is."""
    words = f"{event.value} while {state.value}"
    if event is _E.REMOTE_OFFER:
        return GlareError(f"Two offers crossed ({words}).", hint="The peer may offer again after a moment.")
    if event in _REMOTE:
        return PeerError(f"The peer answered what was not offered ({words}).")
    return ImpossibleTransition(words)
