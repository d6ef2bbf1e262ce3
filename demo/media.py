"""The RTP of one call: a pair of sockets, a sender that keeps time, the echo."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from call.errors import TransportError
from demo.g711 import ULAW_TO_ALAW
from demo.offer_answer import PCMA, Agreement
from demo.rtp import FRAME_S, RATE_HZ, SAMPLES_PER_FRAME, DigitEar, OutgoingStream, parse
from demo.speaker import Speaker

PORT_ATTEMPTS: Final = 100
MOST_FRAMES_LATE: Final = 5
"""After a longer stall of this process, what is late is dropped: a burst would only fill the other side's buffer."""


class Source(Enum):
    """Where what we send comes from."""

    NOTHING = "nothing"
    SPEAKER = "speaker"
    ECHO = "echo"


@dataclass(slots=True)
class Counts:
    """Packets of one call."""

    sent: int = 0
    heard: int = 0


class Media(asyncio.DatagramProtocol):
    """RTP of one call. RTCP has its own port, where it is received and ignored."""

    def __init__(self, on_digit: Callable[[str], None]) -> None:
        """Use `open`."""
        self.speaker = Speaker()
        self.counts = Counts()
        self.port = 0
        self._on_digit = on_digit
        self._ear = DigitEar()
        self._stream = OutgoingStream(random.getrandbits(32), random.getrandbits(16), random.getrandbits(32))
        self._agreed: Agreement | None = None
        self._source = Source.NOTHING
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._transports: list[asyncio.DatagramTransport] = []
        self._spoken = asyncio.Event()

    @classmethod
    async def open(cls, bind: str, ports: range, on_digit: Callable[[str], None]) -> Media:
        """Take a random even port of the range for RTP, and the next for RTCP (RFC 3550 §11).

        Raises:
            TransportError: No pair in the range is free.
        """
        media = cls(on_digit)
        rtp, rtcp = _free_pair(bind, ports)
        media.port = rtp.getsockname()[1]
        loop = asyncio.get_running_loop()
        try:
            for sock, protocol in ((rtp, lambda: media), (rtcp, asyncio.DatagramProtocol)):
                transport, _ = await loop.create_datagram_endpoint(protocol, sock=sock)
                media._transports.append(transport)
        except asyncio.CancelledError:  # the call ended meanwhile, and nobody else knows of the sockets
            media.close()
            rtp.close()
            rtcp.close()
            raise
        return media

    def close(self) -> None:
        """Give the ports back."""
        for transport in self._transports:
            transport.abort()

    def aim(self, agreed: Agreement) -> None:
        """Send to where the SDP in force says, and in its codec."""
        self._agreed = agreed

    def speak(self) -> None:
        """Send what the speaker holds."""
        self._switch(Source.SPEAKER)

    def echo(self) -> None:
        """Send back what comes in, packet by packet."""
        self._switch(Source.ECHO)

    async def spoken(self) -> None:
        """Wait until the speaker has said all that was waiting."""
        self._spoken.clear()
        if not self.speaker.is_idle:
            await self._spoken.wait()

    def _switch(self, source: Source) -> None:
        self._source = source
        self._stream.pause()

    def _ticks(self) -> int:
        return int((self._loop.time() - self._began) * RATE_HZ)

    async def keep_time(self) -> None:
        """Send a frame every 20 ms on an absolute schedule, so that lateness never adds up. Runs until cancelled."""
        index = 0
        while True:
            due = self._began + index * FRAME_S
            late_frames = (self._loop.time() - due) / FRAME_S
            if late_frames > MOST_FRAMES_LATE:
                index += int(late_frames)
                self._stream.pause()
                continue
            await asyncio.sleep(-late_frames * FRAME_S)
            self._send_frame(index * SAMPLES_PER_FRAME)
            index += 1

    def _send_frame(self, ticks: int) -> None:
        if self._source is not Source.SPEAKER or self._agreed is None:
            return
        if not self._agreed.direction.sends:  # on hold: the speaker waits as well
            self._stream.pause()
            return
        frame = self.speaker.next_frame()
        if self.speaker.is_idle:
            self._spoken.set()
        codec = self._agreed.codec
        payload = frame.translate(ULAW_TO_ALAW) if codec.is_called(PCMA.encoding) else frame
        self._send(bytes(self._stream.frame(codec.payload_type, payload, ticks)))

    def _send(self, datagram: bytes) -> None:
        if self._agreed is not None:
            self._transports[0].sendto(datagram, (self._agreed.address, self._agreed.port))
            self.counts.sent += 1

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        """Count it, take digits out of it, echo it when that is wanted."""
        packet = parse(data)
        agreed = self._agreed
        if packet is None or agreed is None:
            return
        self.counts.heard += 1
        if agreed.events is not None and packet.payload_type == agreed.events.payload_type:
            self._stream.leave_out()
            if digit := self._ear.hear(packet):
                self._on_digit(digit)
        elif (
            self._source is Source.ECHO and packet.payload_type == agreed.codec.payload_type and agreed.direction.sends
        ):
            self._send(bytes(self._stream.reflect(packet, self._ticks())))


def _free_pair(bind: str, ports: range) -> tuple[socket.socket, socket.socket]:
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    even = [port for port in ports if port % 2 == 0 and port + 1 in ports]
    for port in random.sample(even, min(PORT_ATTEMPTS, len(even))):
        rtp, rtcp = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(2))
        try:
            rtp.bind((bind, port))
            rtcp.bind((bind, port + 1))
        except OSError:
            rtp.close()
            rtcp.close()
        else:
            rtp.setblocking(False)
            rtcp.setblocking(False)
            return rtp, rtcp
    raise TransportError(
        f"The demo phone finds no free pair of RTP ports from {ports.start} to {ports.stop - 1} on {bind}.",
        hint="Give it another range with --rtp-ports.",
    )
