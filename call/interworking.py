"""SIP SDP ⇄ WebRTC SDP: what each leg speaks, and why. Functions of values only.

The two legs never see each other's SDP (design D5): each has an offer and an answer of its own, and what joins
them is only the choice of codecs (`call.codec_policy`). The shapes of the two kinds of SDP are in `call.browser_sdp`
and `call.trunk_sdp`; this module is the door to all of them.
"""

from __future__ import annotations

from call.browser_sdp import BrowserAnswer, BrowserOffer, LocalTransport, Setup, browser_answer, read_browser_offer
from call.codec_policy import (
    Choice,
    Preference,
    better_browser_codec,
    can_be_joined,
    change_sentence,
    choose_browser_codec,
    choose_trunk_codec,
    codec_sentence,
    default_codecs,
    offer_to_trunk,
)
from call.codecs import CodecName, Format, TelephoneEvent
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
    "better_browser_codec",
    "browser_answer",
    "can_be_joined",
    "change_sentence",
    "choose_browser_codec",
    "choose_trunk_codec",
    "codec_sentence",
    "default_codecs",
    "offer_to_trunk",
    "read_browser_offer",
    "read_trunk_answer",
    "read_trunk_offer",
    "trunk_answer",
    "trunk_offer",
]
