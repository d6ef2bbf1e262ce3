"""Which section of a trunk's SDP carries the call, plain or with SDES-SRTP, and our keys in what we say (RFC 4568)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from call import sdes, sdp
from call.errors import UnacceptableOffer
from call.sdes import Crypto, Policy
from call.sdp import MSection, SessionDescription
from call.sdp_attributes import Attribute

_PLAIN_PROTOCOLS: Final = ("RTP/AVP", "RTP/AVPF")
_SECURE_PROTOCOLS: Final = ("RTP/SAVP", "RTP/SAVPF")


def encrypt_offer(text: str, lines: Sequence[Crypto], srtp: Policy) -> str:
    """Our offer with these keys.

    Optional SRTP is RTP/AVP with keys, which a trunk that knows nothing of SRTP answers as if they were not there
    (ADR 0011).
    """
    description = sdp.parse(text)
    protocol = "RTP/SAVP" if srtp == "required" else "RTP/AVP"
    return str(replace(description, media=tuple(_with_keys(one, lines, protocol) for one in description.media)))


def encrypt_answer(text: str, index: int, line: Crypto) -> str:
    """Our answer with the key for the section that was taken."""
    description = sdp.parse(text)
    media = list(description.media)
    media[index] = _with_keys(media[index], [line], media[index].protocol)
    return str(replace(description, media=tuple(media)))


def offered_keys(offer_text: str) -> tuple[Crypto, ...]:
    """The lines in an offer of ours."""
    return tuple(line for section in sdp.parse(offer_text).media for line in sdes.read(section.crypto))


def _with_keys(section: MSection, lines: Sequence[Crypto], protocol: str) -> MSection:
    keys = (Attribute("crypto", str(line)) for line in lines)
    return replace(section, protocol=protocol, attributes=(*section.attributes, *keys))


def choose_section(
    description: SessionDescription, verb: str, srtp: Policy, ours: Sequence[Crypto] | None = None
) -> tuple[int, Crypto | None]:
    """The audio section to use, with the trunk's key if it is to be encrypted.

    Phones with optional SRTP offer audio twice, RTP and SAVP in either order, or once as RTP with keys: encrypted is
    better where it is allowed. `ours` are the lines that an answer must fit (RFC 4568 §5.1.3).
    """
    audio = [(index, section) for index, section in enumerate(description.media) if section.kind == "audio"]
    live = [(index, section) for index, section in audio if section.port]
    if not live:
        what = "with its audio switched off (port 0)" if audio else "without an audio section"
        raise UnacceptableOffer(
            f"The trunk {verb} {what}.", hint="Look at the trunk's codec list: that is what it means most often."
        )
    if srtp != "off":
        for index, section in live:
            if _uses(section, *_SECURE_PROTOCOLS, *_PLAIN_PROTOCOLS) and (key := _usable_key(section, ours)):
                return index, key
    plain = next((index for index, section in live if _uses(section, *_PLAIN_PROTOCOLS)), None)
    if plain is None or srtp == "required" or _insists_on_another_key(description.media[plain], srtp, ours):
        raise _unusable_encryption(verb, [section for _, section in live], srtp)
    return plain, None


def _uses(section: MSection, *protocols: str) -> bool:
    return section.protocol.upper() in protocols


def _usable_key(section: MSection, ours: Sequence[Crypto] | None) -> Crypto | None:
    """The first that we can serve: the lines stand in the order of preference (RFC 4568 §5.1.2)."""
    theirs = sdes.read(section.crypto)
    if ours is None:
        return next(iter(theirs), None)
    keys = sdes.agree(ours, theirs)
    return keys.receive if keys else None


def _insists_on_another_key(section: MSection, srtp: Policy, ours: Sequence[Crypto] | None) -> bool:
    """An answer with a key means encryption; an offer of plain RTP with one that we do not understand, a choice."""
    return srtp != "off" and ours is not None and bool(section.crypto)


def _unusable_encryption(verb: str, live: Sequence[MSection], srtp: Policy) -> UnacceptableOffer:
    secure = next((one for one in live if one.crypto or not _uses(one, *_PLAIN_PROTOCOLS)), None)
    if srtp == "off" and secure:
        return UnacceptableOffer(
            f"The trunk {verb} only encrypted audio ({secure.protocol[:20]}), and this leg speaks plain RTP.",
            hint='Set srtp = "optional" for this trunk here, or make SRTP optional there.',
        )
    if secure is None:
        return UnacceptableOffer(
            f"The trunk {verb} audio without encryption, and for this trunk it is required.",
            hint='Switch SRTP with SDES keys on at the trunk, or set srtp = "optional" for it here.',
        )
    return UnacceptableOffer(
        f"The trunk {verb} encrypted audio ({secure.protocol[:20]}) without a key that can be used here.",
        hint=f"Let the trunk use SDES keys, one in each a=crypto line, and one of {', '.join(sdes.SUITES)}.",
    )
