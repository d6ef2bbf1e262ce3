"""A browser's offer and our answer to it (RFC 9429, with an ICE-lite agent: RFC 8445 §2.5).

The browser is always the offerer. We take one audio section and reject every other with port 0. ICE and DTLS
end at the gateway: nothing of what is said here reaches the trunk.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from call import codecs, sdp
from call.codecs import COMFORT_NOISE, CodecName, Format, TelephoneEvent
from call.errors import PeerError, UnacceptableOffer
from call.sdp import Connection, MSection, Origin, SessionDescription
from call.sdp_attributes import Attribute, Direction, Fingerprint

Setup = Literal["active", "passive"]
"""DTLS role in an answer (RFC 8842 §5.3): active is the DTLS client, passive the server."""

_PROTOCOL: Final = re.compile(r"((UDP|TCP)/(D?TLS)/)?RTP/SAVPF?", re.IGNORECASE)
"""RFC 9429 §5.1.2 wants the older spellings to be taken too."""
_ICE_TEXT: Final = re.compile(r"[A-Za-z0-9+/]{4,256}")
_STRONG_HASHES: Final = ("sha-256", "sha-384", "sha-512")
_HOST_TYPE_PREFERENCE: Final = 126


@dataclass(frozen=True, slots=True)
class BrowserOffer:
    """What counts of a browser's offer."""

    description: SessionDescription
    index: int
    """Which m= section carries the call."""
    ufrag: str
    pwd: str
    fingerprints: tuple[Fingerprint, ...]
    """SHA-256 or stronger; the certificate must match one of them."""
    setup: str
    """active, passive or actpass."""
    mid: str | None
    codecs: tuple[Format, ...]
    telephone_events: tuple[TelephoneEvent, ...]
    direction: Direction
    """As the browser said it."""

    @property
    def section(self) -> MSection:
        """The m= section that carries the call."""
        return self.description.media[self.index]

    @property
    def codec_names(self) -> tuple[CodecName, ...]:
        """Its codecs by name, in its order."""
        return tuple(one.codec for one in self.codecs)

    @property
    def rejected(self) -> tuple[int, ...]:
        """Indices of the m= sections that the answer rejects."""
        return tuple(index for index in range(len(self.description.media)) if index != self.index)

    def answer_setup(self, current: Setup | None = None) -> Setup:
        """Our DTLS role: the current one as long as the offer allows it, passive when we may choose (RFC 8842 §5.5)."""
        allowed: tuple[Setup, ...] = ("passive", "active")
        if self.setup != "actpass":
            allowed = ("active",) if self.setup == "passive" else ("passive",)
        return current if current in allowed else allowed[0]

    def format_of(self, codec: CodecName) -> Format:
        """The payload type of a codec.

        Raises:
            UnacceptableOffer: The browser does not offer it.
        """
        for offered in self.codecs:
            if offered.codec == codec:
                return offered
        names = codecs.spoken_names(self.section)
        raise UnacceptableOffer(f"The browser does not offer {codecs.codec_of(codec).spoken} (it offered {names}).")


@dataclass(frozen=True, slots=True)
class LocalTransport:
    """Our ICE-lite and DTLS end, as an answer shows it."""

    addresses: tuple[tuple[str, int], ...]
    """Host candidates, the preferred one first; at least one."""
    ufrag: str
    pwd: str
    fingerprint_sha256: str
    """Hash of our certificate, in the form AB:CD:…"""


class BrowserAnswer(NamedTuple):
    """Our answer, and what it settles for the media core."""

    sdp: str
    format: Format
    telephone_event: TelephoneEvent | None
    ptime_ms: int
    direction: Direction
    """As we say it."""
    setup: Setup
    comfort_noise: int | None
    """The payload type of comfort noise, if both sides take it (RFC 3389)."""


def read_browser_offer(text: str) -> BrowserOffer:
    """Take what counts from a browser's offer.

    Raises:
        PeerError: It is no SDP, or its ICE credentials break RFC 8839.
        UnacceptableOffer: We cannot serve it; the message says why, the hint what to do.
    """
    try:
        description = sdp.parse(text)
    except PeerError as error:
        raise PeerError(f"The browser's offer cannot be read. {error}") from error
    index = _audio_index(description)
    section = description.media[index]
    ufrag, pwd = _ice_credentials(description, section)
    return BrowserOffer(
        description=description,
        index=index,
        ufrag=ufrag,
        pwd=pwd,
        fingerprints=_strong_fingerprints(description, section),
        setup=_setup(description, section),
        mid=section.mid,
        codecs=_common_codecs(section),
        telephone_events=codecs.telephone_events(section),
        direction=description.direction_of(section),
    )


def _audio_index(description: SessionDescription) -> int:
    """The first audio section that is wanted, protected and able to share its port with RTCP."""
    audio = [(index, section) for index, section in enumerate(description.media) if section.kind == "audio"]
    wanted = [(index, section) for index, section in audio if not section.is_rejected]
    if not wanted:
        what = "has its audio switched off (port 0)" if audio else "has no audio section"
        raise UnacceptableOffer(
            f"The browser's offer {what}.", hint="Add a microphone track, or an audio transceiver, before the offer."
        )
    index, section = wanted[0]
    if _PROTOCOL.fullmatch(section.protocol) is None:
        raise UnacceptableOffer(
            "The browser's offer has audio without DTLS-SRTP.", hint="Offer audio from an RTCPeerConnection."
        )
    if not section.rtcp_mux:
        raise UnacceptableOffer(
            "The browser's offer lacks a=rtcp-mux, and webtrunk has one port for all.",
            hint='Set rtcpMuxPolicy to "require".',
        )
    return index


def _ice_credentials(description: SessionDescription, section: MSection) -> tuple[str, str]:
    ufrag, pwd = description.ufrag_of(section), description.pwd_of(section)
    if not ufrag or not pwd:
        raise UnacceptableOffer(
            "The browser's offer has no ICE user name and password for audio.",
            hint="Offer audio from an RTCPeerConnection, as its first section.",
        )
    if _ICE_TEXT.fullmatch(ufrag) is None or _ICE_TEXT.fullmatch(pwd) is None or len(pwd) < 22:
        raise PeerError("The browser's ICE user name or password has a form that RFC 8839 forbids.")
    return ufrag, pwd


def _strong_fingerprints(description: SessionDescription, section: MSection) -> tuple[Fingerprint, ...]:
    given = description.fingerprints_of(section)
    strong = tuple(fingerprint for fingerprint in given if fingerprint.algorithm in _STRONG_HASHES)
    if not strong:
        what = "only weak certificate fingerprints" if given else "no DTLS certificate fingerprint"
        raise UnacceptableOffer(
            f"The browser's offer has {what}.", hint="Use a browser that offers a sha-256 fingerprint."
        )
    return strong


def _setup(description: SessionDescription, section: MSection) -> str:
    setup = description.setup_of(section) or "actpass"
    if setup not in ("active", "passive", "actpass"):
        raise UnacceptableOffer("The browser's offer does not let DTLS begin.", hint="Offer a=setup:actpass.")
    return setup


def _common_codecs(section: MSection) -> tuple[Format, ...]:
    found = codecs.formats(section)
    if not found:
        names = codecs.spoken_names(section)
        raise UnacceptableOffer(
            f"The browser offered no audio codec that webtrunk speaks (it offered {names}).",
            hint="webtrunk speaks Opus, G.722, PCMU and PCMA with browsers.",
        )
    return found


def browser_answer(
    offer: BrowserOffer,
    *,
    codec: CodecName,
    transport: LocalTransport,
    session_id: int,
    version: int,
    direction: Direction = Direction.SENDRECV,
    setup: Setup | None = None,
    comfort_noise: bool = False,
) -> BrowserAnswer:
    """Answer with one audio codec, its telephone-event and perhaps comfort noise; all other sections are rejected.

    `direction` is what we would like, and is cut to what the offer allows. `setup` is `offer.answer_setup(…)`;
    None stands for a first answer.

    Raises:
        UnacceptableOffer: The browser does not offer `codec`.
    """
    chosen = offer.format_of(codec)
    event = next(iter(codecs.fitting_first(codec, offer.telephone_events)), None)
    noise = codecs.comfort_noise_beside(codec, offer.section) if comfort_noise else None
    spoken = [chosen] if noise is None else [chosen, Format(COMFORT_NOISE, noise)]
    agreed = direction.limited_to(offer.direction.mirrored)
    role = setup or offer.answer_setup()
    ptime_ms = codecs.packet_length_ms(codec, offer.section)
    attributes = _media_attributes(offer, spoken, event, agreed, ptime_ms) + _transport_attributes(transport, role)
    audio = _accepted(offer, transport, [*spoken, event] if event else spoken, attributes)
    media = (audio if index == offer.index else _rejected(one) for index, one in enumerate(offer.description.media))
    answer = SessionDescription(
        origin=_origin(transport, session_id, version),
        attributes=_session_attributes(offer),
        media=tuple(media),
    )
    return BrowserAnswer(str(answer), chosen, event, ptime_ms, agreed, role, noise)


def _origin(transport: LocalTransport, session_id: int, version: int) -> Origin:
    home = Connection.of(transport.addresses[0][0])
    return Origin("-", str(session_id), str(version), home.address_type, home.address)


def _session_attributes(offer: BrowserOffer) -> tuple[Attribute, ...]:
    """BUNDLE with the audio section alone (RFC 9143 §7.3), if the offer has put it into a group."""
    bundled = offer.mid is not None and any(offer.mid in group for group in offer.description.bundle_groups)
    group = (Attribute("group", f"BUNDLE {offer.mid}"),) if bundled else ()
    return (*group, Attribute("ice-lite"))


def _accepted(
    offer: BrowserOffer,
    transport: LocalTransport,
    chosen: Sequence[Format | TelephoneEvent],
    attributes: list[Attribute],
) -> MSection:
    address, port = transport.addresses[0]
    return MSection(
        kind=offer.section.kind,
        port=port,
        protocol=offer.section.protocol,
        formats=tuple(str(one.payload_type) for one in chosen),
        connection=Connection.of(address),
        attributes=tuple(attributes),
    )


def _media_attributes(
    offer: BrowserOffer, chosen: Sequence[Format], event: TelephoneEvent | None, direction: Direction, ptime_ms: int
) -> list[Attribute]:
    lines = [Attribute("mid", offer.mid)] if offer.mid else []
    lines += [Attribute(direction.value), Attribute("rtcp-mux")]
    # With it, the page's `track` event carries a stream that fits into an <audio> element (RFC 8830 §2).
    lines += [Attribute("msid", "webtrunk audio")] if direction.sends else []
    lines += codecs.format_attributes(chosen, [event] if event else [], "0-15")
    return [*lines, Attribute("ptime", str(ptime_ms))]


def _transport_attributes(transport: LocalTransport, setup: Setup) -> list[Attribute]:
    return [
        Attribute("ice-ufrag", transport.ufrag),
        Attribute("ice-pwd", transport.pwd),
        Attribute("fingerprint", f"sha-256 {transport.fingerprint_sha256.upper()}"),
        Attribute("setup", setup),
        *(Attribute("candidate", _candidate(rank, *address)) for rank, address in enumerate(transport.addresses)),
        Attribute("end-of-candidates"),
    ]


def _candidate(rank: int, address: str, port: int) -> str:
    """One host candidate; every rank is one less in local preference (RFC 8445 §5.1.2.1)."""
    component = 1
    priority = (_HOST_TYPE_PREFERENCE << 24) + ((65_535 - rank) << 8) + (256 - component)
    return f"{rank + 1} {component} udp {priority} {address} {port} typ host"


def _rejected(section: MSection) -> MSection:
    """The refusal of a section: port 0 and its own formats (RFC 3264 §6), outside BUNDLE (RFC 9143 §7.3.3)."""
    mid = (Attribute("mid", section.mid),) if section.mid else ()
    return MSection(
        kind=section.kind,
        port=0,
        protocol=section.protocol,
        formats=section.formats[:1] or ("0",),
        connection=Connection("IP4", "0.0.0.0"),
        attributes=(*mid, Attribute("inactive")),
    )
