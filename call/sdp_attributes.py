"""The a= lines of SDP and the typed values they stand for (RFC 8866 §6).

Reading is lenient: a malformed attribute counts as absent, because one vendor's slip in a line that we may
not even need must not cost the call. What is kept as text prints back exactly as it came.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

_NUMBER: Final = re.compile(r"[0-9]{1,10}")
_HEX_PAIRS: Final = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2})+")


@dataclass(frozen=True, slots=True)
class Attribute:
    """One a= line: a property (`value` None) or a name with its value."""

    name: str
    value: str | None = None

    def __str__(self) -> str:
        """The text after `a=`."""
        return self.name if self.value is None else f"{self.name}:{self.value}"


class Direction(Enum):
    """Which way media flows, seen from the side whose SDP says so (RFC 8866 §6.7)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        """The side that says this sends media."""
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receives(self) -> bool:
        """The side that says this wants media."""
        return self in (Direction.SENDRECV, Direction.RECVONLY)

    @property
    def mirrored(self) -> Direction:
        """The same flow, said by the other side (RFC 3264 §6.1)."""
        return Direction.between(sends=self.receives, receives=self.sends)

    def limited_to(self, other: Direction) -> Direction:
        """What both allow, seen from the same side."""
        return Direction.between(sends=self.sends and other.sends, receives=self.receives and other.receives)

    @staticmethod
    def between(*, sends: bool, receives: bool) -> Direction:
        """The direction that is made of these two answers."""
        if sends:
            return Direction.SENDRECV if receives else Direction.SENDONLY
        return Direction.RECVONLY if receives else Direction.INACTIVE


@dataclass(frozen=True, slots=True)
class RtpMap:
    """What a payload type stands for (RFC 8866 §6.6)."""

    payload_type: int
    encoding: str
    clock_rate_hz: int
    channels: int = 1

    def __str__(self) -> str:
        """The value of a=rtpmap."""
        channels = f"/{self.channels}" if self.channels != 1 else ""
        return f"{self.payload_type} {self.encoding}/{self.clock_rate_hz}{channels}"

    def is_called(self, encoding: str) -> bool:
        """Encoding names are compared without regard to case (RFC 4855 §3)."""
        return self.encoding.lower() == encoding.lower()


STATIC_RTPMAPS: Final = MappingProxyType(
    {
        rtpmap.payload_type: rtpmap
        for rtpmap in (
            RtpMap(0, "PCMU", 8000),
            RtpMap(3, "GSM", 8000),
            RtpMap(4, "G723", 8000),
            RtpMap(8, "PCMA", 8000),
            RtpMap(9, "G722", 8000),
            RtpMap(13, "CN", 8000),
            RtpMap(15, "G728", 8000),
            RtpMap(18, "G729", 8000),
        )
    }
)
"""Payload types that need no a=rtpmap (RFC 3551 §6)."""


@dataclass(frozen=True, slots=True)
class RtcpAddress:
    """Where RTCP goes when that is not the RTP port plus one (RFC 3605)."""

    port: int
    address: str | None = None
    """None: the address of the c= line."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Hash of a DTLS certificate (RFC 8122 §5): algorithm in lower case, value in upper case."""

    algorithm: str
    value: str

    def __str__(self) -> str:
        """The value of a=fingerprint."""
        return f"{self.algorithm} {self.value}"


def number(text: str, maximum: int) -> int | None:
    """A plain decimal number of at most `maximum`, else None; Unicode digits and signs are none."""
    if _NUMBER.fullmatch(text) is None:
        return None
    value = int(text)
    return value if value <= maximum else None


def first(attributes: Iterable[Attribute], name: str) -> str | None:
    """Value of the first attribute of that name, without surrounding blanks; a bare property gives ""."""
    return next((value for value in every(attributes, name)), None)


def every(attributes: Iterable[Attribute], name: str) -> tuple[str, ...]:
    """Values of all attributes of that name, in order."""
    return tuple((attribute.value or "").strip() for attribute in attributes if attribute.name == name)


def direction(attributes: Iterable[Attribute]) -> Direction | None:
    """The first direction attribute, if there is one."""
    names = (attribute.name for attribute in attributes)
    return next((found for name in names for found in Direction if found.value == name), None)


def rtpmap(value: str) -> RtpMap | None:
    """Read `96 opus/48000/2`."""
    payload_type, _, rest = value.partition(" ")
    encoding, *parameters = rest.strip().split("/")
    pt = number(payload_type, 127)
    rate = number(parameters[0].strip(), 999_999_999) if parameters else None
    if pt is None or not rate or not encoding:
        return None
    channels = number(parameters[1].strip(), 255) if len(parameters) > 1 else 1
    return RtpMap(pt, encoding, rate, channels or 1)


def rtcp_address(value: str) -> RtcpAddress | None:
    """Read `53020` or `53020 IN IP4 192.0.2.1`."""
    fields = value.split()
    port = number(fields[0], 65_535) if fields else None
    if not port:
        return None
    return RtcpAddress(port, fields[3] if len(fields) > 3 else None)


def fingerprint(value: str) -> Fingerprint | None:
    """Read `sha-256 AB:CD:…`."""
    algorithm, _, digest = value.partition(" ")
    digest = digest.strip().upper()
    if not algorithm or _HEX_PAIRS.fullmatch(digest) is None:
        return None
    return Fingerprint(algorithm.lower(), digest)
