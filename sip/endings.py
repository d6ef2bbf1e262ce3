"""Why a leg ended, as far as the worker can tell: from pjsip's last words to `Ended`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from sip.messages import Ended, Fault
from sip.siptext import SipText, printable

EXPIRED: Final = "No session refresh received."
"""pjsip's reason when the session timer ends a call (RFC 4028 §10)."""
AUTH_STATUSES: Final = frozenset({401, 407})
_PLAIN: Final = {
    "End of file": "It closed the connection without an answer.",
    "Connection refused": "Nothing listens there (connection refused).",
    "Connection reset by peer": "It broke the connection.",
    "Invalid argument": "SIP is bound to a loopback address, which leads to no other machine.",
}
"""What the words of pjsip and of the system mean for a trunk; EINVAL is Linux' answer to a packet from
loopback to elsewhere."""


@dataclass(frozen=True, slots=True)
class LastWords:
    """What pjsip knows when a call is disconnected."""

    status: int
    reason: str
    message: SipText | None
    """The BYE, CANCEL or final response that ended it; None: nobody sent one."""
    has_credentials: bool = False
    was_accepted: bool = False
    """The peer's 2xx was there already."""


def ended(leg: str, words: LastWords) -> Ended:
    """The end of a leg that we did not release."""
    if words.message is None:
        return _by_fault(leg, words)
    status = words.message.status
    if status == 0:
        status = 200 if words.message.start_line.startswith("BYE ") else 487
    is_auth = status in AUTH_STATUSES
    return Ended(
        leg=leg,
        by="peer",
        status=status,
        phrase=words.message.phrase,
        fault="auth" if is_auth else "",
        detail=_auth_detail(words.has_credentials) if is_auth else "",
        q850=words.message.q850,
        headers=words.message.end_to_end,
    )


def _auth_detail(has_credentials: bool) -> str:
    if has_credentials:
        return "The trunk refused the configured user name and password."
    return "The trunk asks for a user name and password, and none is configured."


def _by_fault(leg: str, words: LastWords) -> Ended:
    if words.was_accepted:
        detail = "It answered without SDP, or with SDP that does not fit our offer."
        return Ended(leg=leg, by="fault", status=488, fault="media", detail=detail)
    if words.reason == EXPIRED:
        detail = "It let the session expire: no refresh came in time."
        return Ended(leg=leg, by="fault", status=408, fault="transport", detail=detail)
    fault: Fault = "timeout" if words.status in (0, 408) else "transport"
    status = 408 if fault == "timeout" else 503
    return Ended(leg=leg, by="fault", status=status, fault=fault, detail=plain(words.reason))


def plain(reason: str) -> str:
    """pjsip's words for people: without its names of errors."""
    words = re.sub(r"\s*\(PJ\w*\)", "", reason).strip().rstrip(".")
    return _PLAIN.get(words, f"{words}." if words else "")


def by_us(leg: str, status: int) -> Ended:
    """`Release` did it."""
    return Ended(leg=leg, by="us", status=status)


def by_stop(leg: str, status: int) -> Ended:
    """The worker stops, and takes the leg with it: the far end has hung up nothing."""
    return Ended(leg=leg, by="fault", status=status, fault="worker", detail="The SIP worker is being stopped.")


def by_bug(leg: str, detail: str, status: int = 500) -> Ended:
    """The worker could not do what was asked."""
    return Ended(leg=leg, by="fault", status=status, fault="worker", detail=detail)


def malformed(leg: str, flaw: str) -> Ended:
    """The trunk answered, and nobody could read it."""
    is_status = "status code" in flaw
    detail = "with a status code that SIP does not have (it has 100 to 699)" if is_status else f"not in SIP: {flaw}"
    return Ended(leg=leg, by="fault", status=502, fault="malformed", detail=detail)


def why_refused(status: int, message: SipText) -> tuple[str, Fault]:
    """Why an INVITE got this status before there was a leg of it, as the second half of a sentence; and its fault."""
    match status:
        case 400 if message.is_cut_off:
            return "its body is shorter than its Content-Length says", ""
        case 400 if not message.contact:
            return "it has no Contact", ""
        case 400 if message.sdp is not None:
            return "its SDP cannot be read", "media"
        case 415:
            return "its body is no SDP", "media"
        case 420:
            return f"it demands an extension that we do not have ({printable(message.first('require'))})", ""
        case 480 if message.start_line.lower().startswith("invite sips:"):
            return "it asks for TLS all the way (sips:), and came without", ""
        case 500 if message.cseq[1] != "INVITE":
            return "its CSeq names another method", ""
        case _:
            return "the SIP stack cannot take it", ""


def with_detail(event: Ended, detail: str) -> Ended:
    """The same end, with better words."""
    return replace(event, detail=detail)
