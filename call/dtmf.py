"""In which form a trunk gets digits: telephone-events (RFC 4733), SIP INFO (RFC 6086), or tones (ITU-T Q.23).

Why so: ADR 0016.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from call.codecs import CodecName, codec_of, is_foreign

DtmfForm = Literal["rfc4733", "info", "inband"]
DtmfPolicy = Literal["auto", "rfc4733", "info", "inband"]
"""auto: what the trunk's SDP allows; else that form and no other."""

KEEPS_TONES: Final = frozenset(("PCMU", "PCMA", "G722"))
"""Codecs of the waveform, which DTMF passes unharmed. Speech coders (G.729, Opus at low rates) may bend it."""


@dataclass(frozen=True, slots=True)
class DtmfChoice:
    """A form, and a clause that says why for the call's journal."""

    form: DtmfForm
    reason: str
    is_possible: bool = True
    """False: the configuration asks for what cannot be done on this call."""


def choose_form(policy: DtmfPolicy, codec: CodecName, *, has_event: bool) -> DtmfChoice:
    """Choose once the trunk's SDP is known; `has_event`: it negotiated telephone-event."""
    if policy == "auto":
        return _by_sdp(codec, has_event=has_event)
    if policy == "rfc4733" and not has_event:
        words = "it did not negotiate telephone-event, and the configuration wants no other form"
        return DtmfChoice(policy, words, False)
    if policy == "inband" and is_foreign(codec):
        words = f"{codec_of(codec).spoken} is only passed on, so that no tones can be put into it"
        return DtmfChoice(policy, words, False)
    return DtmfChoice(policy, "the configuration wants it")


def _by_sdp(codec: CodecName, *, has_event: bool) -> DtmfChoice:
    spoken = codec_of(codec).spoken
    if has_event:
        return DtmfChoice("rfc4733", "the trunk negotiated telephone-event")
    if codec in KEEPS_TONES:
        return DtmfChoice("inband", f"the trunk did not negotiate telephone-event, and {spoken} keeps tones unharmed")
    return DtmfChoice("info", f"the trunk did not negotiate telephone-event, and {spoken} may bend tones")
