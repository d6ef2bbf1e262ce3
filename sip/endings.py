"""Why a leg ended, as far as the worker can tell: from pjsip's last words to `Ended`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sip.messages import Ended, Fault
from sip.siptext import SipText

AUTH_STATUSES: Final = frozenset({401, 407})


@dataclass(frozen=True, slots=True)
class LastWords:
    """What pjsip knows when a call is disconnected."""

    status: int
    reason: str
    message: SipText | None
    """The BYE, CANCEL or final response that ended it; None: nobody sent one."""
    has_credentials: bool = False


def ended(leg: str, words: LastWords) -> Ended:
    """The end of a leg that we did not release."""
    if words.message is None:
        return by_fault(leg, words)
    status = words.message.status
    if status == 0:
        status = 200 if words.message.start_line.startswith("BYE ") else 487
    return Ended(
        leg=leg,
        by="peer",
        status=status,
        phrase=words.message.phrase,
        fault="auth" if status in AUTH_STATUSES else "",
        detail=auth_detail(words) if status in AUTH_STATUSES else "",
        q850=words.message.q850,
        headers=words.message.end_to_end,
    )


def auth_detail(words: LastWords) -> str:
    """Why a challenge was the end of it."""
    if words.has_credentials:
        return "The user name and password were refused."
    return "The trunk asks for a user name and password, and none is configured."


def by_fault(leg: str, words: LastWords) -> Ended:
    """The end of a leg that nobody announced."""
    fault: Fault = "timeout" if words.status in (0, 408) else "transport"
    status = 408 if fault == "timeout" else 503
    return Ended(leg=leg, by="fault", status=status, fault=fault, detail=words.reason)


def by_us(leg: str, status: int) -> Ended:
    """`Release` did it."""
    return Ended(leg=leg, by="us", status=status)
