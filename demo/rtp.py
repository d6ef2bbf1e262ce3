"""RTP as the demo phone speaks it: packets (RFC 3550 §5.1), its one outgoing stream, digits heard (RFC 4733)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

SAMPLES_PER_FRAME: Final = 160
"""20 ms at 8 kHz."""
FRAME_S: Final = 0.02
RATE_HZ: Final = 8000

_HEADER: Final = struct.Struct("!BBHII")
_RTCP_TYPES: Final = range(192, 224)
"""Second octets that mean RTCP when both share a port (RFC 5761 §4)."""
_KEYS: Final = "0123456789*#ABCD"
"""Events 0 to 15 (RFC 4733 §3.2)."""


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One packet, without CSRCs, extension and padding."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False

    def __bytes__(self) -> bytes:
        """The datagram."""
        second = self.payload_type | (0x80 if self.marker else 0)
        return _HEADER.pack(0x80, second, self.sequence, self.timestamp, self.ssrc) + self.payload


def parse(datagram: bytes) -> RtpPacket | None:
    """Read a datagram; None when it is no RTP (RTCP, STUN, noise)."""
    if len(datagram) < _HEADER.size or datagram[0] >> 6 != 2 or datagram[1] in _RTCP_TYPES:
        return None
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(datagram)
    start = _HEADER.size + 4 * (first & 0x0F)
    if first & 0x10:
        if len(datagram) < start + 4:
            return None
        start += 4 + 4 * int.from_bytes(datagram[start + 2 : start + 4])
    end = len(datagram) - (datagram[-1] if first & 0x20 else 0)
    if end < start:
        return None
    return RtpPacket(second & 0x7F, sequence, timestamp, ssrc, datagram[start:end], bool(second & 0x80))


class OutgoingStream:
    """What one call sends: one SSRC, sequence without holes of our own, timestamps on one clock.

    `ticks` are samples since the stream began, so a change from a prompt to the echo and back is never a jump.
    """

    def __init__(self, ssrc: int, sequence: int, timestamp: int) -> None:
        """Begin at these values, which RFC 3550 §5.1 wants to be random."""
        self._ssrc = ssrc
        self._sequence = sequence
        self._timestamp = timestamp
        self._spurt = True
        self._echoed: tuple[int, int, int] | None = None

    def frame(self, payload_type: int, payload: bytes, ticks: int) -> RtpPacket:
        """Send a piece of a prompt."""
        self._echoed = None
        return self._packet(payload_type, payload, self._timestamp + ticks)

    def pause(self) -> None:
        """What comes next begins a talkspurt (RFC 3551 §4.1)."""
        self._spurt = True
        self._echoed = None

    def reflect(self, heard: RtpPacket, ticks: int) -> RtpPacket:
        """Send back a packet that came in, with its spacing and order: loss and jitter come back as they were."""
        if self._echoed is None or self._echoed[0] != heard.ssrc:
            shift = self._timestamp + ticks - heard.timestamp
            self._echoed = (heard.ssrc, shift, self._sequence - heard.sequence)
            self._spurt = True
        _, shift, hop = self._echoed
        return self._packet(heard.payload_type, heard.payload, heard.timestamp + shift, heard.sequence + hop)

    def leave_out(self) -> None:
        """A packet that came in is not echoed: without this its number would look like a loss."""
        if self._echoed is not None:
            ssrc, shift, hop = self._echoed
            self._echoed = (ssrc, shift, hop - 1)

    def _packet(self, payload_type: int, payload: bytes, timestamp: int, sequence: int | None = None) -> RtpPacket:
        number = self._sequence if sequence is None else sequence & 0xFFFF
        if (number - self._sequence) & 0xFFFF < 0x8000:
            self._sequence = (number + 1) & 0xFFFF
        marker, self._spurt = self._spurt, False
        return RtpPacket(payload_type, number, timestamp & 0xFFFFFFFF, self._ssrc, payload, marker)


class DigitEar:
    """Tells digits apart by their RTP timestamp, so that updates and repeated ends count once (RFC 4733 §2.5)."""

    def __init__(self) -> None:
        """Nothing heard yet."""
        self._last: tuple[int, int] | None = None

    def hear(self, packet: RtpPacket) -> str | None:
        """The key, at the first packet of its event; None for the rest and for events that are no keys."""
        if len(packet.payload) < 4 or (packet.ssrc, packet.timestamp) == self._last:
            return None
        self._last = (packet.ssrc, packet.timestamp)
        event = packet.payload[0]
        return _KEYS[event] if event < len(_KEYS) else None
