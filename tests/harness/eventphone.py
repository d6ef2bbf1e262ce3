"""Both ends of keys as telephone-events (RFC 4733): a phone that presses them in Opus, and a page that hears them."""

from __future__ import annotations

import struct
from collections import deque
from typing import Final

from demo.rtp import RtpPacket
from tests.harness.pagelike import Audio
from tests.harness.tonephone import SSRC, TonePhone

OPUS: Final = 111
OPUS_SILENCE: Final = b"\xf8\xff\xfe"
"""A frame of 20 ms (RFC 6716 §3.1)."""
FRAMES_PER_S: Final = 50
KEYS: Final = "0123456789*#ABCD"
KEY_MS: Final = 100
KEY_FRAMES: Final = KEY_MS * FRAMES_PER_S // 1000
WIDE, NARROW = 110, 126
"""Payload types that Chromium offers, with clocks of 48000 and 8000 Hz."""


class EventPhone(TonePhone):
    """Says silence in Opus, and keys as telephone-events."""

    def __init__(self) -> None:
        super().__init__(0)
        self._waiting: deque[tuple[str, int, int]] = deque()

    def press(self, key: str, payload_type: int, clock_hz: int) -> None:
        """Press a key for `KEY_MS`; its end is sent three times (RFC 4733 §2.5.1.4)."""
        self._waiting.append((key, payload_type, clock_hz))

    async def _talk(self, to: tuple[str, int]) -> None:
        train: list[RtpPacket] = []
        async for n in self._frames_in_time():
            if not train and self._waiting:
                train = _train(*self._waiting.popleft(), n)
            packet = train.pop(0) if train else RtpPacket(OPUS, n % 65536, n * 960, SSRC, OPUS_SILENCE)
            self._socket.sendto(bytes(packet), to)


def _train(key: str, payload_type: int, clock_hz: int, n: int) -> list[RtpPacket]:
    """A key that begins with frame `n`: its timestamps are of its own clock."""
    step = clock_hz // FRAMES_PER_S
    packets = []
    for at in range(KEY_FRAMES + 2):
        frames = min(at + 1, KEY_FRAMES)
        end = 0x80 if frames == KEY_FRAMES else 0
        payload = struct.pack("!BBH", KEYS.index(key), end | 10, frames * step)
        packets.append(RtpPacket(payload_type, (n + at) % 65536, n * step, SSRC, payload))
    return packets


class EventAudio(Audio):
    """A page's audio that offers telephone-events as Chromium does, and keeps those that come."""

    def __init__(self) -> None:
        super().__init__(None)
        self._ends: dict[int, tuple[str, int]] = {}

    async def offer(self) -> str:
        head, line, rest = (await super().offer()).partition("\r\na=mid:")
        lines = [f"a=rtpmap:{WIDE} telephone-event/48000", f"a=rtpmap:{NARROW} telephone-event/8000"]
        numbered = head.replace("UDP/TLS/RTP/SAVPF ", f"UDP/TLS/RTP/SAVPF {WIDE} {NARROW} ")
        return "\r\n".join([numbered, *lines]) + line + rest

    async def answer(self, sdp: str) -> None:
        await super().answer(sdp)
        transport = self.pc.getSenders()[0].transport
        route = transport._rtp_router.route_rtp

        def overhear(packet: RtpPacket) -> object:
            if packet.payload_type == WIDE:
                event, end, duration = struct.unpack("!BBH", packet.payload)
                if end & 0x80:
                    self._ends[packet.timestamp] = (KEYS[event], duration // 48)
            return route(packet)

        transport._rtp_router.route_rtp = overhear

    @property
    def keys(self) -> list[tuple[str, int]]:
        """The keys that came, each with its length in ms."""
        return list(self._ends.values())
