"""The audio codecs that webtrunk speaks, and how SDP names them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from call.sdp import MSection
from call.sdp_attributes import Attribute, RtpMap

CodecName = Literal["opus", "PCMU", "PCMA"]

_MAX_NAMES: Final = 8
_MAX_NAME_LENGTH: Final = 20


@dataclass(frozen=True, slots=True)
class Codec:
    """What is fixed about a codec."""

    name: CodecName
    spoken: str
    """Its name in sentences for people."""
    rtpmap: RtpMap
    """As we offer it: the static payload type (RFC 3551 §6), or the customary dynamic one."""
    fmtp: str
    packet_lengths_ms: tuple[int, ...]
    """What one packet may hold; an Opus packet of one frame has no 30 ms (RFC 6716 §2.1.4)."""


CODECS: Final = MappingProxyType(
    {
        codec.name: codec
        for codec in (
            Codec("opus", "Opus", RtpMap(111, "opus", 48_000, 2), "minptime=10;useinbandfec=1", (10, 20, 40, 60)),
            Codec("PCMU", "PCMU", RtpMap(0, "PCMU", 8000), "", (10, 20, 30, 40, 50, 60)),
            Codec("PCMA", "PCMA", RtpMap(8, "PCMA", 8000), "", (10, 20, 30, 40, 50, 60)),
        )
    }
)


@dataclass(frozen=True, slots=True)
class Format:
    """A codec under the payload type that a peer gave it."""

    codec: CodecName
    payload_type: int

    @property
    def rtpmap(self) -> RtpMap:
        """The codec's rtpmap with this payload type."""
        common = CODECS[self.codec].rtpmap
        return RtpMap(self.payload_type, common.encoding, common.clock_rate_hz, common.channels)


@dataclass(frozen=True, slots=True)
class TelephoneEvent:
    """DTMF in RTP (RFC 4733) under the payload type that a peer gave it."""

    payload_type: int
    clock_rate_hz: int

    @property
    def rtpmap(self) -> RtpMap:
        """Its rtpmap."""
        return RtpMap(self.payload_type, "telephone-event", self.clock_rate_hz)


def formats(section: MSection) -> tuple[Format, ...]:
    """The codecs of a section that we speak, in its order, each once."""
    found: dict[CodecName, Format] = {}
    for rtpmap in section.rtpmaps:
        for codec in CODECS.values():
            if _is_same(rtpmap, codec.rtpmap):
                found.setdefault(codec.name, Format(codec.name, rtpmap.payload_type))
    return tuple(found.values())


def _is_same(rtpmap: RtpMap, known: RtpMap) -> bool:
    return (
        rtpmap.is_called(known.encoding)
        and rtpmap.clock_rate_hz == known.clock_rate_hz
        and rtpmap.channels == known.channels
    )


def telephone_events(section: MSection) -> tuple[TelephoneEvent, ...]:
    """The telephone-events of a section, in its order, one per clock rate."""
    found: dict[int, TelephoneEvent] = {}
    for rtpmap in section.rtpmaps:
        if rtpmap.is_called("telephone-event"):
            found.setdefault(rtpmap.clock_rate_hz, TelephoneEvent(rtpmap.payload_type, rtpmap.clock_rate_hz))
    return tuple(found.values())


def fitting_event(codec: CodecName, events: tuple[TelephoneEvent, ...]) -> TelephoneEvent | None:
    """The telephone-event that goes with a codec.

    It shares the codec's clock rate (RFC 4733 §2.1). Firefox and many phones offer 8000 Hz only, also beside
    Opus: then that one.
    """
    by_rate = {event.clock_rate_hz: event for event in events}
    wanted = CODECS[codec].rtpmap.clock_rate_hz
    return by_rate.get(wanted) or by_rate.get(8000) or next(iter(events), None)


def packet_length_ms(codec: CodecName, section: MSection) -> int:
    """How long our packets towards the peer are: its ptime within its maxptime, else 20 ms (RFC 3551 §4.2)."""
    wanted = min(section.ptime_ms or 20, section.maxptime_ms or 1000)
    lengths = CODECS[codec].packet_lengths_ms
    return max((length for length in lengths if length <= wanted), default=lengths[0])


def format_attributes(chosen: Iterable[Format], events: Iterable[TelephoneEvent], event_codes: str) -> list[Attribute]:
    """The a=rtpmap and a=fmtp lines of these formats; `event_codes` as in RFC 4733 §2.4.1."""
    lines: list[Attribute] = []
    for codec_format in chosen:
        lines.append(Attribute("rtpmap", str(codec_format.rtpmap)))
        fmtp = CODECS[codec_format.codec].fmtp
        lines += [Attribute("fmtp", f"{codec_format.payload_type} {fmtp}")] if fmtp else []
    for event in events:
        lines.append(Attribute("rtpmap", str(event.rtpmap)))
        lines.append(Attribute("fmtp", f"{event.payload_type} {event_codes}"))
    return lines


def spoken_names(section: MSection) -> str:
    """The codecs of a section, in words; a peer's text is shortened and made printable."""
    audio = (rtpmap.encoding for rtpmap in section.rtpmaps if not rtpmap.is_called("telephone-event"))
    names = list(dict.fromkeys(_printable(name) for name in audio))
    more = ", …" if len(names) > _MAX_NAMES else ""
    return (", ".join(names[:_MAX_NAMES]) + more) or "none that is known"


def _printable(name: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in name[:_MAX_NAME_LENGTH])
