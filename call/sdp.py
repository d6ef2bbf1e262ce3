"""SDP as values: parse and print (RFC 8866).

Lenient where real devices demand it: bare LF, blank lines, lines that a phone forgets (o=, s=, t=), unknown
attributes (kept) and unknown line types (dropped). Strict against nonsense: sizes are bounded, and a line that
carries the session (v=, o=, c=, m=) must be well-formed. What the sections mean together is for
`call.interworking`; here a value only says what was written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NoReturn

from call import sdp_attributes
from call.errors import PeerError
from call.sdp_attributes import STATIC_RTPMAPS, Attribute, Direction, Fingerprint, RtcpAddress, RtpMap

MAX_BYTES: Final = 32_768
MAX_LINES: Final = 512
MAX_SECTIONS: Final = 32


@dataclass(frozen=True, slots=True)
class Origin:
    """Who made the session and which version of it this is (RFC 8866 §5.2)."""

    username: str = "-"
    session_id: str = "0"
    """A number by the RFC, text here: phones have put other things there."""
    version: str = "0"
    address_type: str = "IP4"
    address: str = "0.0.0.0"

    def __str__(self) -> str:
        """The text after `o=`."""
        return f"{self.username} {self.session_id} {self.version} IN {self.address_type} {self.address}"


@dataclass(frozen=True, slots=True)
class Connection:
    """Where media goes (RFC 8866 §5.7); a multicast TTL is not kept."""

    address_type: str
    """IP4 or IP6."""
    address: str
    """IP address, or a host name, which the RFC allows."""

    def __str__(self) -> str:
        """The text after `c=`."""
        return f"IN {self.address_type} {self.address}"

    @staticmethod
    def of(address: str) -> Connection:
        """The connection to an IP address."""
        return Connection("IP6" if ":" in address else "IP4", address)


@dataclass(frozen=True, slots=True)
class MSection:
    """One m= section (RFC 8866 §5.14). A malformed attribute reads as absent."""

    kind: str
    port: int
    """0: rejected, or not wanted any more (RFC 3264 §6, §8.2)."""
    protocol: str
    formats: tuple[str, ...]
    connection: Connection | None = None
    """Its own c= line; `SessionDescription.connection_of` knows the default."""
    bandwidth: tuple[str, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    port_count: int = 1

    def __str__(self) -> str:
        """The section's lines, each with CRLF."""
        port = f"{self.port}/{self.port_count}" if self.port_count != 1 else f"{self.port}"
        lines = [f"m={' '.join((self.kind, port, self.protocol, *self.formats))}"]
        lines += [f"c={self.connection}"] if self.connection else []
        lines += [f"b={bandwidth}" for bandwidth in self.bandwidth]
        lines += [f"a={attribute}" for attribute in self.attributes]
        return _text(lines)

    @property
    def is_rejected(self) -> bool:
        """Port 0 without a=bundle-only, which also uses it (RFC 9143 §6)."""
        return self.port == 0 and self._first("bundle-only") is None

    @property
    def payload_types(self) -> tuple[int, ...]:
        """The formats that are RTP payload types, in order of preference, each once."""
        numbers = (sdp_attributes.number(text, 127) for text in self.formats)
        return tuple(dict.fromkeys(value for value in numbers if value is not None))

    @property
    def rtpmaps(self) -> tuple[RtpMap, ...]:
        """What the payload types of the m= line stand for, in order of preference; unknown ones are left out."""
        said = {found.payload_type: found for value in self._every("rtpmap") if (found := sdp_attributes.rtpmap(value))}
        known = {**STATIC_RTPMAPS, **said}
        return tuple(known[payload_type] for payload_type in self.payload_types if payload_type in known)

    def fmtp(self, payload_type: int) -> str:
        """Format parameters of a payload type, "" when none are given (RFC 8866 §6.15)."""
        values = (value.partition(" ") for value in self._every("fmtp"))
        return next((rest.strip() for number, _, rest in values if number == str(payload_type)), "")

    @property
    def ptime_ms(self) -> int | None:
        """Wanted length of a packet (RFC 8866 §6.4)."""
        return sdp_attributes.number(self._first("ptime") or "", 1000) or None

    @property
    def maxptime_ms(self) -> int | None:
        """Greatest length of a packet (RFC 8866 §6.5)."""
        return sdp_attributes.number(self._first("maxptime") or "", 1000) or None

    @property
    def direction(self) -> Direction | None:
        """Its own direction attribute; `SessionDescription.direction_of` knows the default."""
        return sdp_attributes.direction(self.attributes)

    @property
    def rtcp(self) -> RtcpAddress | None:
        """Where RTCP goes, when the section says so (RFC 3605)."""
        return sdp_attributes.rtcp_address(self._first("rtcp") or "")

    @property
    def rtcp_mux(self) -> bool:
        """RTCP may share the RTP port (RFC 5761 §5.1.1)."""
        return self._first("rtcp-mux") is not None

    @property
    def mid(self) -> str | None:
        """The section's name in a=group (RFC 5888 §4)."""
        return self._first("mid") or None

    @property
    def candidates(self) -> tuple[str, ...]:
        """ICE candidates as text (RFC 8839 §5.1); a lite agent does not use them."""
        return self._every("candidate")

    @property
    def crypto(self) -> tuple[str, ...]:
        """SDES lines as text (RFC 4568 §4)."""
        return self._every("crypto")

    def _first(self, name: str) -> str | None:
        return sdp_attributes.first(self.attributes, name)

    def _every(self, name: str) -> tuple[str, ...]:
        return sdp_attributes.every(self.attributes, name)


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """One SDP body. `str()` prints it with CRLF line ends; `parse(str(x)) == x`."""

    origin: Origin = Origin()
    name: str = "-"
    connection: Connection | None = None
    timing: str = "0 0"
    attributes: tuple[Attribute, ...] = ()
    media: tuple[MSection, ...] = ()

    def __str__(self) -> str:
        """The whole body, in the order of RFC 8866 §5."""
        lines = ["v=0", f"o={self.origin}", f"s={self.name}"]
        lines += [f"c={self.connection}"] if self.connection else []
        lines += [f"t={self.timing}"]
        lines += [f"a={attribute}" for attribute in self.attributes]
        return _text(lines) + "".join(map(str, self.media))

    @property
    def bundle_groups(self) -> tuple[tuple[str, ...], ...]:
        """The mids of each a=group:BUNDLE (RFC 9143 §7)."""
        groups = (value.split() for value in sdp_attributes.every(self.attributes, "group"))
        return tuple(tuple(mids) for semantics, *mids in filter(None, groups) if semantics.upper() == "BUNDLE")

    def connection_of(self, section: MSection) -> Connection | None:
        """The section's c= line, else the session's."""
        return section.connection or self.connection

    def direction_of(self, section: MSection) -> Direction:
        """The section's direction, else the session's, else sendrecv (RFC 8866 §6.7)."""
        return section.direction or sdp_attributes.direction(self.attributes) or Direction.SENDRECV

    def ufrag_of(self, section: MSection) -> str | None:
        """ICE user name fragment (RFC 8839 §5.4)."""
        return self._inherited(section, "ice-ufrag")

    def pwd_of(self, section: MSection) -> str | None:
        """ICE password (RFC 8839 §5.4)."""
        return self._inherited(section, "ice-pwd")

    def setup_of(self, section: MSection) -> str | None:
        """DTLS role that is offered or taken, in lower case (RFC 8842 §5.2)."""
        setup = self._inherited(section, "setup")
        return setup.lower() if setup else None

    def fingerprints_of(self, section: MSection) -> tuple[Fingerprint, ...]:
        """Certificate hashes of the section, else those of the session (RFC 8122 §5)."""
        own = sdp_attributes.every(section.attributes, "fingerprint")
        values = own or sdp_attributes.every(self.attributes, "fingerprint")
        return tuple(found for value in values if (found := sdp_attributes.fingerprint(value)))

    def _inherited(self, section: MSection, name: str) -> str | None:
        return sdp_attributes.first(section.attributes, name) or sdp_attributes.first(self.attributes, name) or None


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of the text, with its number for error messages."""

    number: int
    type: str
    value: str

    def refuse(self, reason: str) -> NoReturn:
        _refuse(self.number, f"{self.type}={self.value}", reason)


def parse(text: str) -> SessionDescription:
    """Read one SDP body.

    Raises:
        PeerError: It is no SDP, or too large; the message names the line and the reason.
    """
    session, *sections = _blocks(_lines(text))
    return SessionDescription(
        origin=_origin(session),
        name=_value(session, "s", "-"),
        connection=_connection(session),
        timing=_value(session, "t", "0 0"),
        attributes=_attributes(session),
        media=tuple(_section(section) for section in sections),
    )


def _lines(text: str) -> list[_Line]:
    """Split into typed lines; `str.splitlines` would split at more characters than SDP does."""
    if len(text.encode(errors="replace")) > MAX_BYTES:
        raise PeerError(f"The SDP is longer than {MAX_BYTES} bytes.")
    raw = ((number, line.rstrip("\r")) for number, line in enumerate(text.split("\n"), start=1))
    lines = [_line(number, line) for number, line in raw if line]
    if len(lines) > MAX_LINES:
        raise PeerError(f"The SDP has more than {MAX_LINES} lines.")
    if not lines:
        raise PeerError("The SDP is empty.")
    if (lines[0].type, lines[0].value.strip()) != ("v", "0"):
        lines[0].refuse("an SDP body starts with v=0")
    return lines


def _line(number: int, text: str) -> _Line:
    if "\r" in text or "\0" in text:
        _refuse(number, text, "it holds a control character")
    if text[1:2] != "=":
        _refuse(number, text, "a line is one letter, = and a value")
    return _Line(number, text[0], text[2:])


def _blocks(lines: list[_Line]) -> list[list[_Line]]:
    """The session's lines, then those of each m= section."""
    blocks: list[list[_Line]] = [[]]
    for line in lines:
        if line.type == "m":
            blocks.append([])
        blocks[-1].append(line)
    if len(blocks) - 1 > MAX_SECTIONS:
        raise PeerError(f"The SDP has more than {MAX_SECTIONS} m= sections.")
    return blocks


def _section(block: list[_Line]) -> MSection:
    """Read `audio 49170/2 RTP/AVP 0 8` and the lines that belong to it."""
    head = block[0]
    fields = head.value.split()
    if len(fields) < 3:
        head.refuse("an m= line has a kind, a port, a protocol and formats")
    kind, port_text, protocol, *formats = fields
    port_text, _, count_text = port_text.partition("/")
    port = sdp_attributes.number(port_text, 65_535)
    count = sdp_attributes.number(count_text or "1", 65_535)
    if port is None or not count:
        head.refuse("its port is not a number from 0 to 65535")
    return MSection(
        kind=kind,
        port=port,
        port_count=count,
        protocol=protocol,
        formats=tuple(formats),
        connection=_connection(block),
        bandwidth=tuple(line.value for line in block if line.type == "b"),
        attributes=_attributes(block),
    )


def _origin(block: list[_Line]) -> Origin:
    """Read `- 4711 2 IN IP4 192.0.2.1`; a user name with blanks, which some phones send, is kept."""
    line = _find(block, "o")
    if line is None:
        return Origin()
    fields = line.value.split()
    if len(fields) < 6:
        line.refuse("an o= line has six fields")
    *username, session_id, version, _network, address_type, address = fields
    return Origin(" ".join(username), session_id, version, address_type, address)


def _connection(block: list[_Line]) -> Connection | None:
    """Read the first c= line of a block, `IN IP4 192.0.2.1/127`."""
    line = _find(block, "c")
    if line is None:
        return None
    fields = line.value.split()
    if len(fields) != 3 or fields[0].upper() != "IN" or fields[1].upper() not in ("IP4", "IP6"):
        line.refuse("a c= line is IN, IP4 or IP6, and an address")
    address = fields[2].partition("/")[0]
    if not address:
        line.refuse("its address is missing")
    return Connection(fields[1].upper(), address)


def _attributes(block: list[_Line]) -> tuple[Attribute, ...]:
    parts = (line.value.partition(":") for line in block if line.type == "a")
    return tuple(Attribute(name, value if colon else None) for name, colon, value in parts)


def _value(block: list[_Line], kind: str, default: str) -> str:
    line = _find(block, kind)
    return default if line is None else line.value


def _find(block: list[_Line], kind: str) -> _Line | None:
    return next((line for line in block if line.type == kind), None)


def _refuse(number: int, text: str, reason: str) -> NoReturn:
    text = "a=crypto, a key" if "inline:" in text.lower() else text  # keys must not reach a log
    shown = "".join(character if character.isprintable() else "?" for character in text[:60])
    raise PeerError(f"SDP line {number} ({shown}): {reason}.")


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\r\n" for line in lines)
