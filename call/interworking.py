"""SIP SDP ⇄ WebRTC SDP: what each leg speaks, and why. Functions of values only.

The two legs never see each other's SDP (design D5): each has an offer and an answer of its own, and what joins
them is only the choice of codecs, made here. The shapes of the two kinds of SDP are in `call.browser_sdp` and
`call.trunk_sdp`; this module is the door to all three.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from call.browser_sdp import BrowserAnswer, BrowserOffer, LocalTransport, Setup, browser_answer, read_browser_offer
from call.codecs import CODECS, CodecName, Format, TelephoneEvent
from call.errors import UnacceptableOffer
from call.sdp_attributes import Direction
from call.trunk_sdp import TrunkMedia, read_trunk_answer, read_trunk_offer, trunk_answer, trunk_offer

__all__ = [
    "BrowserAnswer",
    "BrowserOffer",
    "Choice",
    "CodecName",
    "Direction",
    "Format",
    "LocalTransport",
    "Preference",
    "Setup",
    "TelephoneEvent",
    "TrunkMedia",
    "browser_answer",
    "choose_browser_codec",
    "codec_sentence",
    "read_browser_offer",
    "read_trunk_answer",
    "read_trunk_offer",
    "trunk_answer",
    "trunk_offer",
]

Preference = Literal["quality", "cpu"] | Sequence[CodecName]
"""A route's wish: the best sound, the least work, or these codecs in this order."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A codec for the browser leg, and why that one."""

    codec: CodecName
    reason: str
    """A clause for `codec_sentence`, such as "the route prefers quality"."""


def choose_browser_codec(offer: BrowserOffer, trunk_codecs: Sequence[CodecName], prefer: Preference) -> Choice:
    """Choose the one codec of our first answer, before the trunk has said anything (design D7).

    Raises:
        UnacceptableOffer: The route lists codecs and the browser offers none of them.
    """
    offered = [one.codec for one in offer.codecs]
    match prefer:
        case "quality":
            return _for_quality(offered, trunk_codecs)
        case "cpu":
            return _for_cpu(offered, trunk_codecs)
        case _:
            return _from_list(offered, prefer)


def _for_quality(offered: Sequence[CodecName], trunk_codecs: Sequence[CodecName]) -> Choice:
    if "opus" in offered:
        return Choice("opus", "the route prefers quality")
    shared = _first_of(trunk_codecs, offered)
    if shared:
        return Choice(shared, "the browser offers no Opus, and the trunk may speak the same")
    return Choice(offered[0], "the browser offers no Opus")


def _for_cpu(offered: Sequence[CodecName], trunk_codecs: Sequence[CodecName]) -> Choice:
    narrow = [codec for codec in trunk_codecs if codec != "opus"]
    shared = _first_of(narrow or trunk_codecs, offered)
    if shared:
        return Choice(shared, "the route prefers the trunk's own codec, to save transcoding")
    return Choice(offered[0], "the browser offers no codec of the trunk")


def _from_list(offered: Sequence[CodecName], wanted: Sequence[CodecName]) -> Choice:
    chosen = _first_of(wanted, offered)
    if chosen is None:
        raise UnacceptableOffer(
            f"The browser offers none of the codecs that the route allows ({_spoken(wanted)}); "
            f"it offered {_spoken(offered)}.",
            hint="Allow one of those on the route.",
        )
    return Choice(chosen, "the route lists it")


def codec_sentence(browser_codec: CodecName, trunk_codec: CodecName, reason: str = "") -> str:
    """One sentence for the call's record: who speaks what, and whether that costs transcoding."""
    because = f" ({reason})" if reason else ""
    browser, trunk = CODECS[browser_codec].spoken, CODECS[trunk_codec].spoken
    if browser_codec == trunk_codec:
        return f"Both speak {browser}: relayed without transcoding{because}."
    return f"Browser speaks {browser} and trunk speaks {trunk}, so webtrunk transcodes{because}."


def _first_of(wanted: Sequence[CodecName], offered: Sequence[CodecName]) -> CodecName | None:
    return next((codec for codec in wanted if codec in offered), None)


def _spoken(names: Sequence[CodecName]) -> str:
    return ", ".join(CODECS[name].spoken for name in names)
