"""In which form a trunk gets digits: telephone-events (RFC 4733) or SIP INFO (RFC 6086)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DtmfForm = Literal["rfc4733", "info"]
DtmfPolicy = Literal["auto", "rfc4733", "info"]
"""auto: what the trunk's SDP allows; else that form and no other."""


@dataclass(frozen=True, slots=True)
class DtmfChoice:
    """A form, and a clause that says why for the call's journal."""

    form: DtmfForm
    reason: str
    is_possible: bool = True
    """False: the configuration asks for what the trunk did not negotiate."""


def choose_form(policy: DtmfPolicy, *, has_event: bool) -> DtmfChoice:
    """Choose once the trunk's SDP is known; `has_event`: it negotiated telephone-event."""
    if policy == "rfc4733" and not has_event:
        return DtmfChoice(
            "rfc4733", "it did not negotiate telephone-event, and the configuration wants no other", False
        )
    if policy != "auto":
        return DtmfChoice(policy, "the configuration wants it")
    if has_event:
        return DtmfChoice("rfc4733", "the trunk negotiated telephone-event")
    return DtmfChoice("info", "the trunk did not negotiate telephone-event")
