"""The demo phone's side of offer/answer (RFC 3264): G.711 and telephone-event, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from call import sdp
from call.errors import UnacceptableOffer
from call.sdp import Connection, MSection, Origin, SessionDescription
from call.sdp_attributes import Attribute, Direction, RtpMap

PCMU: Final = RtpMap(0, "PCMU", 8000)
PCMA: Final = RtpMap(8, "PCMA", 8000)
EVENTS: Final = RtpMap(101, "telephone-event", 8000)


@dataclass(frozen=True, slots=True)
class LocalMedia:
    """Where this phone wants its media, and how often it has said so."""

    address: str
    port: int
    session_id: int
    version: int = 1


@dataclass(frozen=True, slots=True)
class Agreement:
    """What both sides settled on."""

    address: str
    port: int
    codec: RtpMap
    events: RtpMap | None
    direction: Direction
    """Seen from this phone."""
    section: int
    """Index of the audio m= section."""


def offer(local: LocalMedia) -> str:
    """Our SDP when we are asked to begin."""
    return str(_session(local, (_audio(local, (PCMU, PCMA, EVENTS), Direction.SENDRECV),)))


def agree(remote_sdp: str) -> Agreement:
    """Read the other side's offer or answer.

    Raises:
        PeerError: It is no SDP.
        UnacceptableOffer: It has no audio that we can speak; the message says what is there instead.
    """
    remote = sdp.parse(remote_sdp)
    for index, section in enumerate(remote.media):
        if section.kind == "audio" and section.port and section.protocol.upper() in ("RTP/AVP", "RTP/AVPF"):
            return _agree_on(remote, section, index)
    raise UnacceptableOffer("The SDP has no m=audio section over RTP/AVP; the demo phone speaks nothing else.")


def _agree_on(remote: SessionDescription, section: MSection, index: int) -> Agreement:
    codec = _first(section, "PCMU", "PCMA")
    connection = remote.connection_of(section)
    if codec is None or connection is None:
        offered = ", ".join(str(rtpmap) for rtpmap in section.rtpmaps) or "nothing known"
        raise UnacceptableOffer(f"The demo phone speaks PCMU and PCMA; the other side offers {offered}.")
    direction = remote.direction_of(section).mirrored
    if connection.address in ("0.0.0.0", "::"):  # hold as before RFC 3264 §8.4
        direction = direction.limited_to(Direction.RECVONLY)
    return Agreement(connection.address, section.port, codec, _first(section, "telephone-event"), direction, index)


def answer(remote_sdp: str, agreed: Agreement, local: LocalMedia) -> str:
    """Our answer: one codec and its events; every other m= section is refused with port 0 (RFC 3264 §6)."""
    rtpmaps = (agreed.codec, agreed.events) if agreed.events else (agreed.codec,)
    sections = [
        _audio(local, rtpmaps, agreed.direction, section.protocol)
        if index == agreed.section
        else MSection(section.kind, 0, section.protocol, section.formats)
        for index, section in enumerate(sdp.parse(remote_sdp).media)
    ]
    return str(_session(local, tuple(sections)))


def _first(section: MSection, *encodings: str) -> RtpMap | None:
    """The other side's most wanted of these, at 8 kHz."""
    for rtpmap in section.rtpmaps:
        if rtpmap.clock_rate_hz == 8000 and any(rtpmap.is_called(encoding) for encoding in encodings):
            return rtpmap
    return None


def _session(local: LocalMedia, media: tuple[MSection, ...]) -> SessionDescription:
    family = "IP6" if ":" in local.address else "IP4"
    origin = Origin("demo", str(local.session_id), str(local.version), family, local.address)
    return SessionDescription(origin, "demo phone", Connection(family, local.address), media=media)


def _audio(local: LocalMedia, rtpmaps: tuple[RtpMap, ...], direction: Direction, protocol: str = "RTP/AVP") -> MSection:
    attributes = [Attribute("rtpmap", str(rtpmap)) for rtpmap in rtpmaps]
    attributes += [
        Attribute("fmtp", f"{rtpmap.payload_type} 0-15") for rtpmap in rtpmaps if rtpmap.is_called("telephone-event")
    ]
    attributes += [Attribute("ptime", "20"), Attribute(direction.value)]
    formats = tuple(str(rtpmap.payload_type) for rtpmap in rtpmaps)
    return MSection("audio", local.port, protocol, formats, attributes=tuple(attributes))
