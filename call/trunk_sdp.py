"""Offers and answers on a trunk leg: RTP with SIP peers, plain or with SDES-SRTP (RFC 3264, RFC 3551, RFC 4568).

What a trunk said becomes a `TrunkMedia`, which holds all that the media core must know. Hold has three forms:
sendonly, inactive, and the c=0.0.0.0 of RFC 2543, which old phones still send (RFC 3264 §8.4).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from call import sdes, sdp, trunk_srtp
from call.codec_policy import Preference, choose_trunk_codec
from call.codecs import (
    COMFORT_NOISE,
    FIRST_DYNAMIC,
    MOST_TELEPHONE_EVENTS,
    CodecName,
    Format,
    TelephoneEvent,
    comfort_noise_beside,
    fitting_first,
    format_attributes,
    formats,
    our_events,
    our_formats,
    packet_length_ms,
    spoken,
    spoken_names,
    telephone_events,
)
from call.errors import PeerError, UnacceptableOffer
from call.sdes import Crypto, Policy
from call.sdp import Connection, MSection, Origin, SessionDescription
from call.sdp_attributes import STATIC_RTPMAPS, Attribute, Direction, every

Address = tuple[str, int]
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_VOIP_METRICS: Final = Attribute("rtcp-xr", "voip-metrics")
_EVENT_CODES: Final = "0-16"
_PTIME_MS: Final = 20


@dataclass(frozen=True, slots=True)
class TrunkMedia:
    """What one offer or answer of a trunk settles."""

    index: int
    """Which m= section of the trunk's SDP carries the call."""
    codec: CodecName
    payload_type: int
    telephone_events: tuple[TelephoneEvent, ...]
    """Those that digits may come under, the first for ours; (): the trunk takes no DTMF in RTP."""
    ptime_ms: int
    rtp: Address | None
    """Where the trunk wants RTP; None: nowhere, it holds the call in the old style (c=0.0.0.0)."""
    rtcp: Address | None
    rtcp_mux: bool
    direction: Direction
    """As the trunk said it: `direction.receives` means that it wants our audio."""
    voip_metrics: bool = False
    """The trunk wants the VoIP metrics of RTCP XR (RFC 3611 §5.1)."""
    crypto: Crypto | None = None
    """The key of the trunk's packets; None: plain RTP."""
    fmtp: str = ""
    """The trunk's parameters of a codec that is only passed on."""
    comfort_noise: int | None = None
    """The payload type of comfort noise, if both sides take it (RFC 3389)."""
    offered_as: int | None = None
    """The payload type that we offered the codec by, where the trunk answered with another: it may send either."""

    @property
    def hold(self) -> bool:
        """The trunk wants no audio from us (RFC 3264 §8.4)."""
        return not self.direction.receives


def trunk_offer(
    *,
    address: str,
    rtp_port: int,
    rtcp_port: int,
    codecs: Sequence[CodecName],
    session_id: int,
    version: int,
    direction: Direction = Direction.SENDRECV,
    fmtps: Mapping[CodecName, str] = MappingProxyType({}),
) -> str:
    """Offer one section with these codecs, the preferred one first; `trunk_srtp.encrypt_offer` adds keys.

    `fmtps` are the browser's parameters of codecs that are only passed on.
    """
    chosen, events = our_formats(codecs, fmtps), our_events(codecs)
    attributes = [_VOIP_METRICS, Attribute("ptime", str(_PTIME_MS)), Attribute(direction.value)]
    section = _audio("RTP/AVP", (rtp_port, rtcp_port), chosen, events, attributes)
    return _print(address, session_id, version, (section,))


def read_trunk_answer(offer_text: str, answer_text: str, srtp: Policy = "off") -> TrunkMedia:
    """Take what a trunk's answer to our offer settles, from 18x, 200 or ACK.

    Raises:
        PeerError: It is no SDP.
        UnacceptableOffer: It refuses audio, or takes what we did not offer.
    """
    offer = sdp.parse(offer_text)
    answer = _parse(answer_text, "answer")
    offered = next(section for section in offer.media if section.kind == "audio" and section.port)
    index, crypto = trunk_srtp.choose_section(answer, "answered", srtp, sdes.read(offered.crypto))
    section = answer.media[index]
    allowed = {one.codec for one in formats(offered)}
    chosen = next((one for one in formats(section) if one.codec in allowed), None)
    if chosen is None:
        names = spoken_names(section)
        raise UnacceptableOffer(
            f"The trunk answered with a codec that was not offered ({names}).",
            hint="Compare the codecs of the trunk with those of its entry in the configuration.",
        )
    if chosen.payload_type < FIRST_DYNAMIC and STATIC_RTPMAPS.get(chosen.payload_type) != chosen.rtpmap:
        # The SIP stack would give the call up, and blame the way to the trunk.
        raise UnacceptableOffer(
            f"The trunk answered with {spoken([chosen.codec])} under payload type {chosen.payload_type}, "
            "which is not free for it.",
            hint=f"Let the trunk use the number of the offer, or one of {FIRST_DYNAMIC} to 127 (RFC 3551 §6).",
        )
    media = _media(answer, index, chosen, mux=offered.rtcp_mux and section.rtcp_mux)
    media = _under_our_numbers(media, offered, taken=section.payload_types)
    ours = offer.direction_of(offered)
    was_offered = comfort_noise_beside(chosen.codec, offered) is not None
    noise = comfort_noise_beside(chosen.codec, section) if was_offered else None
    return replace(media, direction=media.direction.limited_to(ours.mirrored), crypto=crypto, comfort_noise=noise)


def read_trunk_offer(
    text: str, our_codecs: Sequence[CodecName], srtp: Policy = "off", prefer: Preference = ()
) -> TrunkMedia:
    """Take what a trunk's offer asks for: an INVITE, a re-INVITE or an UPDATE.

    Among `our_codecs` the wish of the route decides, and then the trunk's order.

    Raises:
        PeerError: It is no SDP.
        UnacceptableOffer: There is no audio in it as `srtp` wants it, or no codec of ours.
    """
    offer = _parse(text, "offer")
    index, crypto = trunk_srtp.choose_section(offer, "offered", srtp)
    section = offer.media[index]
    offered = formats(section)
    name = choose_trunk_codec([one.codec for one in offered], our_codecs, prefer)
    chosen = next((one for one in offered if one.codec == name), None)
    if chosen is None:
        raise UnacceptableOffer(
            f"The trunk offered no codec that is allowed here (it offered {spoken_names(section)}).",
            hint=f"Let the trunk offer one of: {spoken(name for name in our_codecs if name != COMFORT_NOISE)}.",
        )
    noise = comfort_noise_beside(chosen.codec, section) if COMFORT_NOISE in our_codecs else None
    return replace(_media(offer, index, chosen, mux=section.rtcp_mux), crypto=crypto, comfort_noise=noise)


def check_reachable(media: TrunkMedia, our_address: str) -> None:
    """Check that RTP from our address can be sent to the trunk's.

    Raises:
        UnacceptableOffer: One is IPv4 and the other IPv6.
    """
    if media.rtp is None:
        return
    theirs, ours = (ipaddress.ip_address(address).version for address in (media.rtp[0], our_address))
    if theirs != ours:
        raise UnacceptableOffer(
            f"The trunk wants audio at the IPv{theirs} address {media.rtp[0]}, but audio of trunks is IPv{ours} here.",
            hint=f"Let the trunk use IPv{ours}, or put a `[[network]]` with IPv{theirs} first.",
        )


def trunk_answer(
    offer_text: str,
    media: TrunkMedia,
    *,
    address: str,
    rtp_port: int,
    rtcp_port: int,
    session_id: int,
    version: int,
    direction: Direction = Direction.SENDRECV,
) -> str:
    """Answer a trunk's offer with what `read_trunk_offer` took; every other section is rejected.

    `direction` is what we would like, and is cut to what the offer allows (RFC 3264 §6.1);
    `trunk_srtp.encrypt_answer` adds our key.
    """
    offer = sdp.parse(offer_text)
    chosen = [Format(media.codec, media.payload_type, media.fmtp)]
    chosen += [Format(COMFORT_NOISE, media.comfort_noise)] if media.comfort_noise is not None else []
    agreed = direction.limited_to(media.direction.mirrored)
    metrics = [_VOIP_METRICS] if media.voip_metrics else []
    attributes = [*metrics, Attribute("ptime", str(media.ptime_ms)), Attribute(agreed.value)]
    ports = (rtp_port, rtp_port if media.rtcp_mux else rtcp_port)
    audio = _audio(offer.media[media.index].protocol, ports, chosen, media.telephone_events[:1], attributes)
    sections = (audio if index == media.index else _rejected(one) for index, one in enumerate(offer.media))
    return _print(address, session_id, version, tuple(sections))


def _parse(text: str, what: str) -> SessionDescription:
    try:
        return sdp.parse(text)
    except PeerError as error:
        raise PeerError(f"The trunk's {what} cannot be read. {error}") from error


def _media(description: SessionDescription, index: int, chosen: Format, *, mux: bool) -> TrunkMedia:
    section = description.media[index]
    rtp = _rtp_address(description, section)
    direction = description.direction_of(section)
    return TrunkMedia(
        index=index,
        codec=chosen.codec,
        payload_type=chosen.payload_type,
        fmtp=chosen.fmtp,
        telephone_events=fitting_first(chosen.codec, telephone_events(section)),
        ptime_ms=packet_length_ms(chosen.codec, section),
        rtp=rtp,
        rtcp=_rtcp_address(section, rtp, mux=mux),
        rtcp_mux=mux,
        direction=direction if rtp else direction.limited_to(Direction.SENDONLY),
        voip_metrics=_wants_voip_metrics(description, section),
    )


def _under_our_numbers(media: TrunkMedia, offered: MSection, taken: Sequence[int]) -> TrunkMedia:
    """Hear what was answered under the payload types of our offer, too, unless the answer gave them another meaning.

    An answer should keep the numbers (RFC 3264 §6.1); of peers that do not, some send by ours and some by theirs.
    """
    free = [one for one in formats(offered) if one.payload_type not in taken]
    settled = media.telephone_events
    ours = (one for one in telephone_events(offered) if settled and one.payload_type not in taken)
    return replace(
        media,
        offered_as=next((one.payload_type for one in free if one.codec == media.codec), None),
        telephone_events=(*settled, *ours)[:MOST_TELEPHONE_EVENTS],
    )


def _wants_voip_metrics(description: SessionDescription, section: MSection) -> bool:
    """RFC 3611 §5.1: a list of what the other side understands, of the section or else of the session."""
    lists = every(section.attributes, _VOIP_METRICS.name) or every(description.attributes, _VOIP_METRICS.name)
    return any(_VOIP_METRICS.value in words.split() for words in lists)


def _rtp_address(description: SessionDescription, section: MSection) -> Address | None:
    connection = description.connection_of(section)
    if connection is None:
        raise PeerError("The trunk's SDP has no c= line, so there is no address for audio.")
    ip = _ip(connection.address)
    if ip is None:
        flaw = "which belongs to many hosts" if _literal(connection.address) else "which is no IP address"
        raise UnacceptableOffer(
            f"The trunk's SDP gives {_shown(connection.address)} as its address for audio, {flaw}.",
            hint="Let the trunk write the IP address of one host into its c= line.",
        )
    return None if ip.is_unspecified else (str(ip), section.port)


def _rtcp_address(section: MSection, rtp: Address | None, *, mux: bool) -> Address | None:
    """RFC 3605: a=rtcp, else the port above RTP's; with mux the RTP port (RFC 5761).

    An a=rtcp of another family than RTP's is passed over: both leave from the same address of ours.
    """
    if rtp is None:
        return None
    if mux:
        return rtp
    if section.rtcp:
        ip, family = _ip(section.rtcp.address or rtp[0]), ipaddress.ip_address(rtp[0]).version
        if ip is None or ip.version == family:
            return (str(ip) if ip and not ip.is_unspecified else rtp[0], section.rtcp.port)
    return (rtp[0], rtp[1] + 1) if rtp[1] < 65_535 else None


def _ip(text: str) -> IPAddress | None:
    """The address of one host, or the unspecified one; None for whatever else, groups and broadcast among it."""
    ip = _literal(text)
    return None if ip is None or ip.is_multicast or str(ip) == "255.255.255.255" else ip


def _literal(text: str) -> IPAddress | None:
    """An IP address; None for names, and for zones, which mean nothing elsewhere (RFC 4007 §11)."""
    try:
        return None if "%" in text else ipaddress.ip_address(text)
    except ValueError:
        return None


def _shown(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text[:60])


def _audio(
    protocol: str,
    ports: tuple[int, int],
    chosen: Sequence[Format],
    events: Sequence[TelephoneEvent],
    attributes: Sequence[Attribute],
) -> MSection:
    """Our section; `ports` are those of RTP and RTCP, the same when they share one."""
    rtp_port, rtcp_port = ports
    transport = [Attribute("rtcp-mux")] if rtcp_port == rtp_port else []
    if rtcp_port not in (rtp_port, rtp_port + 1):
        transport = [Attribute("rtcp", str(rtcp_port))]
    return MSection(
        kind="audio",
        port=rtp_port,
        protocol=protocol,
        formats=(*(str(one.payload_type) for one in chosen), *(str(event.payload_type) for event in events)),
        attributes=(*format_attributes(chosen, events, _EVENT_CODES), *attributes, *transport),
    )


def _rejected(section: MSection) -> MSection:
    """The refusal of a section: port 0 and the rest as it was (RFC 3264 §6)."""
    return MSection(kind=section.kind, port=0, protocol=section.protocol, formats=section.formats or ("0",))


def _print(address: str, session_id: int, version: int, media: tuple[MSection, ...]) -> str:
    home = Connection.of(address)
    origin = Origin("-", str(session_id), str(version), home.address_type, home.address)
    return str(SessionDescription(origin=origin, connection=home, media=media))
