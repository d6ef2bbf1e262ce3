"""Whether a call is heard in one direction only, and the likely cause, from what a leg counted since the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

Party = Literal["trunk", "browser"]
Words = tuple[str, str]
"""A sentence for people, and what to do."""

PATIENCE_S: Final = 5.0
STALLED_S: Final = 3.0
"""How long there was no packet when the media core tells of it."""
STOPPED_S: Final = 5.0
"""Without a packet until that is judged."""
QUIET_S: Final = 30.0
"""A trunk that sends RTCP may be quiet for so long; the media core waits as long with digital silence (level.rs)."""
_LIFE_S: Final = 0.2
"""Checks and RTCP that came so long after the last packet outlived it: no packet of audio is as long."""
_RTCP_S: Final = 8.0
"""Longest pause between reports: 1.5 times the usual 5 s, and what networks add (RFC 3550 §6.2, §6.3.1)."""

_SILENT: Final[dict[Party, Words]] = {
    "trunk": (
        "The far end sends only silence.",
        "Packets arrive from the trunk, but all are silence: the far end is muted, or not connected to it.",
    ),
    "browser": (
        "Your microphone sends only silence.",
        "Packets arrive from the browser, but all are silence: is the microphone muted, or another one chosen?",
    ),
}
_NOTHING: Final[dict[Party, Words]] = {
    "trunk": (
        "Nothing is heard from the far end.",
        "No packets from the trunk since the answer: check NAT, firewall (media.rtp_ports) and network.advertise.",
    ),
    "browser": (
        "Nothing is heard from your microphone.",
        "No packets from the browser since the answer: check its microphone permission and the firewall (UDP).",
    ),
}
_STOPPED: Final[dict[Party, Words]] = {
    "trunk": (
        "The far end is no longer heard.",
        "No more packets from the trunk, and it is not on hold: it lost its network, or sends nothing in pauses.",
    ),
    "browser": (
        "Your microphone is no longer heard.",
        "No more audio from the browser, though it is still connected: was its microphone unplugged or taken away?",
    ),
}
_HUSHED: Final[Words] = (
    "The far end has been silent for a while.",
    "It is still connected, but sends no sound, not even noise: it is muted, or keeps you waiting without music.",
)
_DROPPED: Final[dict[str, str]] = {
    "dropped_unknown_source": "Packets come from another address than the SDP says, and are not believed: check NAT.",
    "dropped_unknown_payload": "Packets come in a codec that was not agreed: compare the codecs here and there.",
}


_COUNTED: Final = ("rx_packets", "dropped_srtp_auth", *_DROPPED)


def counted(stats: Mapping[str, Any]) -> dict[str, int]:
    """The few of a leg's figures that are compared: all of them are ten times as much to keep."""
    return {key: stats.get(key) or 0 for key in _COUNTED}


def silence(party: Party) -> Words:
    """All that comes from there is silence."""
    return _SILENT[party]


def nothing_heard(party: Party, before: Mapping[str, Any], after: Mapping[str, Any]) -> Words | None:
    """What to say when nothing usable came between the two counts; None if something did, or another word was said."""
    return _judge(_NOTHING[party], before, after)


def hushed() -> Words:
    """The trunk was heard, but sends no sound any more."""
    return _HUSHED


def is_undecided(party: Party, figures: Mapping[str, Any], seconds: float) -> bool:
    """Whether a leg without a packet for some seconds may yet turn out to be no fault, or another one."""
    if party == "browser":
        # One that shows no life may have lost its network: after 8 s it is told that the browser is gone.
        return _life_s(figures) < _LIFE_S
    # A trunk with silence suppression sends nothing while its side listens, apart from RTCP.
    return _lives_on(figures, seconds) and seconds < QUIET_S


def stopped(party: Party, before: Mapping[str, Any], after: Mapping[str, Any], seconds: float) -> Words | None:
    """What to say of packets that stay away in the midst of a call, for some seconds and between the two counts."""
    is_quiet = party == "trunk" and _lives_on(after, seconds)
    return _judge(_HUSHED if is_quiet else _STOPPED[party], before, after)


def _lives_on(figures: Mapping[str, Any], seconds: float) -> bool:
    return _life_s(figures) >= max(_LIFE_S, seconds - _RTCP_S)


def _life_s(figures: Mapping[str, Any]) -> float:
    """For how long there were signs of life after the last packet."""
    return float(figures.get("rx_life_ms") or 0) / 1000


def _judge(words: Words, before: Mapping[str, Any], after: Mapping[str, Any]) -> Words | None:
    earlier, later = counted(before), counted(after)
    grown = {key: later[key] - earlier[key] for key in _COUNTED}
    useless = grown["dropped_unknown_payload"]
    if grown["rx_packets"] > useless or grown["dropped_srtp_auth"]:
        return None  # what cannot be decrypted is told by itself
    sentence, hint = words
    return sentence, next((cause for key, cause in _DROPPED.items() if grown[key]), hint)
