"""Whether a call is heard in one direction only, and the likely cause, from what a leg counted since the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

Party = Literal["trunk", "browser"]
Words = tuple[str, str]
"""A sentence for people, and what to do."""

PATIENCE_S: Final = 5.0
STOPPED_S: Final[dict[Party, float]] = {"trunk": 2.0, "browser": 6.0}
"""After the media core's 3 s without a packet. A browser that shows no life at all is lost after 8 s: another fault."""

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


def stopped(party: Party, before: Mapping[str, Any], after: Mapping[str, Any]) -> Words | None:
    """The same in the midst of a call, counted from when packets stayed away."""
    return _judge(_STOPPED[party], before, after)


def _judge(words: Words, before: Mapping[str, Any], after: Mapping[str, Any]) -> Words | None:
    earlier, later = counted(before), counted(after)
    grown = {key: later[key] - earlier[key] for key in _COUNTED}
    useless = grown["dropped_unknown_payload"]
    if grown["rx_packets"] > useless or grown["dropped_srtp_auth"]:
        return None  # what cannot be decrypted is told by itself
    sentence, hint = words
    return sentence, next((cause for key, cause in _DROPPED.items() if grown[key]), hint)
