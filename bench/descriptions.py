"""SDP of the bench's browsers and phones; read with as little as is needed, not with the code under test."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

Address = tuple[str, int]

_FORMATS: Final = {
    "opus": ("111", "a=rtpmap:111 opus/48000/2", "a=fmtp:111 minptime=10;useinbandfec=1"),
    "PCMU": ("0", "a=rtpmap:0 PCMU/8000"),
    "PCMA": ("8", "a=rtpmap:8 PCMA/8000"),
    "G729": ("18", "a=rtpmap:18 G729/8000", "a=fmtp:18 annexb=no"),
    "G722": ("9", "a=rtpmap:9 G722/8000"),
}


@dataclass(frozen=True, slots=True)
class Local:
    """The browser's end, as its offer shows it."""

    address: Address
    ufrag: str
    pwd: str
    fingerprint_sha256: str


@dataclass(frozen=True, slots=True)
class Remote:
    """What an SDP says of the other end; empty where it says nothing."""

    address: Address
    ufrag: str
    pwd: str
    fingerprint: tuple[str, str]
    """Algorithm and hash."""


def browser_offer(local: Local, codecs: tuple[str, ...]) -> str:
    """What a browser offers (RFC 9429): audio over DTLS-SRTP, ICE with one host candidate, one port for RTCP too."""
    host, port = local.address
    numbers = " ".join(_FORMATS[codec][0] for codec in codecs)
    lines = [
        *("v=0", f"o=- {port} 1 IN IP4 {host}", "s=-", "t=0 0", "a=group:BUNDLE 0"),
        f"m=audio {port} UDP/TLS/RTP/SAVPF {numbers}",
        f"c=IN IP4 {host}",
        f"a=candidate:1 1 udp 2130706431 {host} {port} typ host",
        "a=end-of-candidates",
        *(f"a=ice-ufrag:{local.ufrag}", f"a=ice-pwd:{local.pwd}", f"a=fingerprint:sha-256 {local.fingerprint_sha256}"),
        *("a=setup:actpass", "a=mid:0", "a=sendrecv", "a=rtcp-mux", "a=ptime:20"),
        *(line for codec in codecs for line in _FORMATS[codec][1:]),
    ]
    return "\r\n".join(lines) + "\r\n"


def phone_answer(address: Address, codec: str) -> str:
    """What a phone answers: plain RTP (RFC 3551)."""
    host, port = address
    number, *attributes = _FORMATS[codec]
    lines = [
        *("v=0", f"o=phone {port} 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0"),
        *(f"m=audio {port} RTP/AVP {number}", *attributes, "a=ptime:20", "a=sendrecv"),
    ]
    return "\r\n".join(lines) + "\r\n"


def read(sdp: str) -> Remote:
    """The other end of the first m= section.

    Raises:
        ValueError: There is no such section, or its port is 0.
    """
    section = re.search(r"(?m)^m=audio (\d+) ", sdp)
    if section is None or section[1] == "0":
        raise ValueError(f"no audio in this SDP: {sdp!r}")
    candidate = re.search(r"(?mi)^a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host", sdp)
    host = _first(r"(?m)^c=IN IP4 (\S+)", sdp)
    address = (candidate[1], int(candidate[2])) if candidate else (host, int(section[1]))
    algorithm, _, digest = _first(r"(?m)^a=fingerprint:(.+?)\s*$", sdp).partition(" ")
    ufrag, pwd = _first(r"(?m)^a=ice-ufrag:(\S+)", sdp), _first(r"(?m)^a=ice-pwd:(\S+)", sdp)
    return Remote(address, ufrag, pwd, (algorithm, digest))


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found[1] if found else ""
