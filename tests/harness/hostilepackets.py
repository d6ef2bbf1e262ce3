"""Datagrams that nobody should get anything for: forged STUN, stray DTLS, foreign media, noise."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Mapping
from typing import Final

from aioice import stun

_MAGIC_COOKIE: Final = 0x2112A442
_BINDING_REQUEST: Final = 0x0001


def stun_check(chance: random.Random, ufrag: str, password: str = "guessed, and wrongly") -> bytes:
    """A connectivity check that nominates its path, signed with a wrong password (RFC 8445 §7.2)."""
    request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    request.transaction_id = chance.randbytes(12)
    request.attributes["USERNAME"] = f"{ufrag}:evil"
    request.attributes["PRIORITY"] = 1
    request.attributes["ICE-CONTROLLING"] = 1
    request.attributes["USE-CANDIDATE"] = None
    request.add_message_integrity(password.encode())
    return bytes(request)


def client_hello(chance: random.Random) -> bytes:
    """A DTLS record that begins a handshake (RFC 6347 §4.2.2): right on the outside, random within."""
    body = b"\xfe\xfd" + chance.randbytes(32) + bytes([0, 0, 0, 2, 0xC0, 0x2B, 1, 0])
    fragment = b"\x01" + len(body).to_bytes(3) + bytes(2) + bytes(3) + len(body).to_bytes(3) + body
    return b"\x16\xfe\xfd" + bytes(8) + struct.pack("!H", len(fragment)) + fragment


def media(chance: random.Random, payload_type: int = 111) -> bytes:
    """An RTP packet of some stream (RFC 3550 §5.1)."""
    numbers = (chance.getrandbits(16), chance.getrandbits(32), chance.getrandbits(32))
    return struct.pack("!BBHII", 0x80, payload_type, *numbers) + chance.randbytes(160)


def run_of_media(chance: random.Random, length: int, payload_type: int = 0) -> list[bytes]:
    """Packets of one stream in sequence: what a latch could take for a peer behind NAT."""
    ssrc, first = chance.getrandbits(32), chance.getrandbits(15)
    headers = (struct.pack("!BBHII", 0x80, payload_type, first + n, 160 * n, ssrc) for n in range(length))
    return [header + chance.randbytes(160) for header in headers]


def control(chance: random.Random) -> bytes:
    """An RTCP packet that looks like a report or a BYE, with random content."""
    body = chance.randbytes(4 * chance.randint(1, 12))
    return struct.pack("!BBH", 0x81, chance.choice([200, 201, 203, 205]), len(body) // 4) + body


def oversized(chance: random.Random) -> bytes:
    """RTP longer than any path of ours carries."""
    return media(chance) + bytes(chance.randint(3_000, 9_000))


def truncated(chance: random.Random) -> bytes:
    """The beginning of something that promised more."""
    whole = chance.choice([stun_check(chance, "abcd"), media(chance), control(chance)])
    return whole[: chance.randint(1, 11)]


def noise(chance: random.Random) -> bytes:
    """Anything."""
    return chance.randbytes(chance.randint(1, 300))


def half_a_stun(chance: random.Random) -> bytes:
    """A STUN header whose length lies."""
    return struct.pack("!HHI", _BINDING_REQUEST, chance.getrandbits(16), _MAGIC_COOKIE) + chance.randbytes(20)


def unknown_check(chance: random.Random) -> bytes:
    """A check for a user name that nobody has."""
    return stun_check(chance, f"{chance.getrandbits(32):08x}")


Maker = Callable[[random.Random], bytes]
MAKERS: Final[Mapping[str, Maker]] = {
    "unknown-check": unknown_check,
    "half-a-stun": half_a_stun,
    "client-hello": client_hello,
    "media": media,
    "control": control,
    "oversized": oversized,
    "truncated": truncated,
    "noise": noise,
}
