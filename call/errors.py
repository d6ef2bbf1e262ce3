"""Every error the gateway can raise, each with the SIP status it becomes."""

from typing import ClassVar


class GatewayError(Exception):
    """Base of all gateway errors."""

    sip_status: ClassVar[int] = 500
    """Final response that tells a SIP peer about this error (RFC 3261 §21)."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        """Keep the sentence for the person and, apart from it, what to do."""
        super().__init__(message)
        self.hint = hint


class PeerError(GatewayError):
    """A peer sent something the standards forbid."""

    sip_status = 400


class GlareError(PeerError):
    """Both sides offered at once (RFC 3261 §14.2)."""

    sip_status = 491


class UnacceptableOffer(PeerError):
    """An SDP offer or answer that we understand but cannot serve (RFC 3261 §21.4.26)."""

    sip_status = 488


class PolicyError(GatewayError):
    """We refuse: not logged in, not allowed, over a limit."""

    sip_status = 403


class LimitReached(PolicyError):
    """A cap on calls or minutes would be broken."""

    sip_status = 503


class UnknownDestination(PolicyError):
    """The dial plan matches nothing."""

    sip_status = 404


class TransportError(GatewayError):
    """The network or a process that we need failed."""

    sip_status = 503


class Overloaded(TransportError):
    """One more call would hurt those that are up (RFC 3261 §21.5.4)."""


class ImpossibleTransition(GatewayError):
    """Our own bug: an event reached a state that cannot receive it."""
