"""The audio codecs that webtrunk speaks or passes on, and how SDP names them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from call.sdp import MSection
from call.sdp_attributes import Attribute, RtpMap

CodecName = str
"""A key of `CODECS`, or, as in a=rtpmap and in capitals, one that is only passed on: AMR-WB/16000."""

_MAX_NAMES: Final = 8
_MAX_NAME_LENGTH: Final = 20
_FOREIGN: Final = re.compile(r"([A-Z0-9._+-]+)/([1-9][0-9]{3,5})(?:/([1-9][0-9]?))?")
_MAX_FOREIGN: Final = 40
_MAX_CLOCK_HZ: Final = 192_000
COMFORT_NOISE: Final = "CN"
"""Stands in a list of codecs for: silence may go as comfort noise beside G.711 (RFC 3389)."""
G711: Final = frozenset({"PCMU", "PCMA"})
"""The codecs that comfort noise goes beside here; the others have silences of their own, or never stop."""
_NO_VOICE: Final = frozenset({"TELEPHONE-EVENT", "CN", "RED", "RTX", "ULPFEC", "FLEXFEC-03"})
"""Encoding names in audio sections that are no codec of a voice by themselves."""


@dataclass(frozen=True, slots=True)
class Codec:
    """What is fixed about a codec."""

    name: CodecName
    spoken: str
    """Its name in sentences for people."""
    rtpmap: RtpMap
    """As we offer it: the static payload type (RFC 3551 §6), or the customary dynamic one."""
    fmtp: str = ""
    packet_lengths_ms: tuple[int, ...] = (10, 20, 30, 40, 60)
    """What one packet may hold."""
    is_wide: bool = False
    """It carries voice above 4 kHz."""


CODECS: Final = MappingProxyType(
    {
        codec.name: codec
        for codec in (
            Codec(
                "opus",
                "Opus",
                RtpMap(111, "opus", 48_000, 2),
                "minptime=10;useinbandfec=1",
                (10, 20, 40, 60),  # a packet of one frame has no 30 ms (RFC 6716 §2.1.4)
                is_wide=True,
            ),
            # Its clock says 8000 by an old mistake, its samples are 16000 (RFC 3551 §4.5.2).
            Codec("G722", "G.722", RtpMap(9, "G722", 8000), is_wide=True),
            Codec("PCMU", "PCMU", RtpMap(0, "PCMU", 8000)),
            Codec("PCMA", "PCMA", RtpMap(8, "PCMA", 8000)),
            Codec("G729", "G.729", RtpMap(18, "G729", 8000), "annexb=no"),
        )
    }
)
"""Those that can be transcoded; G729 only when it was built in, which the configuration is checked for."""


def codec_of(name: CodecName) -> Codec:
    """What is known about a codec.

    Raises:
        ValueError: It is no codec of ours, and not written as one that is only passed on.
    """
    if name in CODECS:
        return CODECS[name]
    if name == COMFORT_NOISE:
        return Codec(name, "comfort noise", RtpMap(13, name, 8000))
    match = _FOREIGN.fullmatch(name)
    if match is None or len(name) > _MAX_FOREIGN or int(match[2]) > _MAX_CLOCK_HZ or match[1] in _NO_VOICE:
        raise ValueError(f"{name!r} is no codec")
    return Codec(name, match[1], RtpMap(FIRST_DYNAMIC, match[1], int(match[2]), int(match[3] or 1)))


def is_foreign(name: CodecName) -> bool:
    """Whether it is only passed on, never transcoded."""
    return name not in CODECS and name != COMFORT_NOISE


def canonical(text: str) -> CodecName:
    """The name of a codec, whatever the case it was written in.

    Raises:
        ValueError: As `codec_of`.
    """
    known = {name.upper(): name for name in CODECS}
    return codec_of(known.get(text.upper(), text.upper())).name


@dataclass(frozen=True, slots=True)
class Format:
    """A codec under the payload type that a peer gave it."""

    codec: CodecName
    payload_type: int
    fmtp: str = ""
    """The peer's parameters of a codec that is only passed on; ours are fixed."""

    @property
    def rtpmap(self) -> RtpMap:
        """The codec's rtpmap with this payload type."""
        common = codec_of(self.codec).rtpmap
        return RtpMap(self.payload_type, common.encoding, common.clock_rate_hz, common.channels)


FIRST_DYNAMIC: Final = 96
"""Payload types from here to 127 are free for any codec (RFC 3551 §6)."""
_TAKEN: Final = frozenset({101, 110, 111})
"""Payload types of telephone-event and Opus in our offers."""


def our_formats(names: Iterable[CodecName], fmtps: Mapping[CodecName, str] = MappingProxyType({})) -> list[Format]:
    """These codecs under the payload types that we offer them by; `fmtps` are those of codecs that are passed on."""
    free = (number for number in range(FIRST_DYNAMIC, 128) if number not in _TAKEN)
    return [
        Format(name, next(free) if is_foreign(name) else codec_of(name).rtpmap.payload_type, fmtps.get(name, ""))
        for name in names
    ]


class TelephoneEvent(NamedTuple):
    """DTMF in RTP (RFC 4733) under the payload type that a peer gave it."""

    payload_type: int
    clock_rate_hz: int

    @property
    def rtpmap(self) -> RtpMap:
        """Its rtpmap."""
        return RtpMap(self.payload_type, "telephone-event", self.clock_rate_hz)


_EVENT_CLOCKS_HZ: Final = range(8000, 48_001)
MOST_TELEPHONE_EVENTS: Final = 4
"""Telephone-events that the media core hears on a leg; Chromium names four."""
_OUR_EVENTS: Final = (TelephoneEvent(101, 8000), TelephoneEvent(110, 48_000))


def formats(section: MSection) -> tuple[Format, ...]:
    """The codecs of a section, in its order, each once."""
    found: dict[CodecName, Format] = {}
    for rtpmap in section.rtpmaps:
        name = _name_of(rtpmap)
        if name is not None:
            fmtp = section.fmtp(rtpmap.payload_type) if is_foreign(name) else ""
            found.setdefault(name, Format(name, rtpmap.payload_type, fmtp))
    return tuple(found.values())


def _name_of(rtpmap: RtpMap) -> CodecName | None:
    channels = f"/{rtpmap.channels}" if rtpmap.channels != 1 else ""
    for codec in CODECS.values():
        if rtpmap.is_called(codec.rtpmap.encoding):
            same = (rtpmap.clock_rate_hz, rtpmap.channels) == (codec.rtpmap.clock_rate_hz, codec.rtpmap.channels)
            return codec.name if same else None
    try:
        return codec_of(f"{rtpmap.encoding.upper()}/{rtpmap.clock_rate_hz}{channels}").name
    except ValueError:
        return None


def with_comfort_noise(names: Sequence[CodecName]) -> tuple[CodecName, ...]:
    """These codecs, and comfort noise if it goes beside one of them."""
    return (*names, COMFORT_NOISE) if G711 & set(names) else tuple(names)


def comfort_noise_beside(codec: CodecName, section: MSection) -> int | None:
    """The payload type of the comfort noise of a section that goes beside this codec (RFC 3389 §4)."""
    fitting = (
        rtpmap.payload_type
        for rtpmap in section.rtpmaps
        if rtpmap.is_called(COMFORT_NOISE) and (rtpmap.clock_rate_hz, rtpmap.channels) == (8000, 1)
    )
    return next(fitting, None) if codec in G711 else None


def telephone_events(section: MSection) -> tuple[TelephoneEvent, ...]:
    """The telephone-events of a section, in its order; those of wild clocks are passed over."""
    return tuple(
        TelephoneEvent(rtpmap.payload_type, rtpmap.clock_rate_hz)
        for rtpmap in section.rtpmaps
        if rtpmap.is_called("telephone-event") and rtpmap.clock_rate_hz in _EVENT_CLOCKS_HZ
    )


def fitting_first(codec: CodecName, events: Iterable[TelephoneEvent]) -> tuple[TelephoneEvent, ...]:
    """Telephone-events as a leg takes them, four at most: the one that goes with a codec first, for it is sent.

    It shares the codec's clock rate (RFC 4733 §2.1). Firefox and many phones offer 8000 Hz only, also beside
    Opus: then that one.
    """
    own = codec_of(codec).rtpmap.clock_rate_hz
    by_fit = sorted(events, key=lambda event: (event.clock_rate_hz != own, event.clock_rate_hz != 8000))
    return tuple(by_fit[:MOST_TELEPHONE_EVENTS])


def packet_length_ms(codec: CodecName, section: MSection) -> int:
    """How long our packets towards the peer are: its ptime within its maxptime, else 20 ms (RFC 3551 §4.2)."""
    wanted = min(section.ptime_ms or 20, section.maxptime_ms or 1000)
    lengths = codec_of(codec).packet_lengths_ms
    return max((length for length in lengths if length <= wanted), default=lengths[0])


def format_attributes(chosen: Iterable[Format], events: Iterable[TelephoneEvent], event_codes: str) -> list[Attribute]:
    """The a=rtpmap and a=fmtp lines of these formats; `event_codes` as in RFC 4733 §2.4.1."""
    lines: list[Attribute] = []
    for codec_format in chosen:
        lines.append(Attribute("rtpmap", str(codec_format.rtpmap)))
        fmtp = codec_format.fmtp or codec_of(codec_format.codec).fmtp
        lines += [Attribute("fmtp", f"{codec_format.payload_type} {fmtp}")] if fmtp else []
    for event in events:
        lines.append(Attribute("rtpmap", str(event.rtpmap)))
        lines.append(Attribute("fmtp", f"{event.payload_type} {event_codes}"))
    return lines


def our_events(names: Collection[CodecName]) -> list[TelephoneEvent]:
    """A telephone-event for each clock rate of these codecs (RFC 4733 §2.1), the one of telephones always."""
    rates = {codec_of(name).rtpmap.clock_rate_hz for name in names}
    return [event for event in _OUR_EVENTS if event.clock_rate_hz in rates | {8000}]


def spoken(names: Iterable[CodecName]) -> str:
    """These codecs, in words."""
    return ", ".join(codec_of(name).spoken for name in names)


def spoken_names(section: MSection) -> str:
    """The codecs of a section, in words; a peer's text is shortened and made printable."""
    audio = (rtpmap.encoding for rtpmap in section.rtpmaps if not rtpmap.is_called("telephone-event"))
    names = list(dict.fromkeys(_printable(name) for name in audio))
    more = ", …" if len(names) > _MAX_NAMES else ""
    return (", ".join(names[:_MAX_NAMES]) + more) or "none that is known"


def _printable(name: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in name[:_MAX_NAME_LENGTH])
