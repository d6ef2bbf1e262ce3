"""The RTP end of a phone that says one tone for ever and keeps every packet that it hears, with the time it came."""

from __future__ import annotations

import asyncio
import itertools
import math
import socket
import struct
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from demo.g711 import ulaw_decode, ulaw_encode
from demo.rtp import FRAME_S, SAMPLES_PER_FRAME, RtpPacket, parse
from tests.harness.patience import PATIENCE_S
from tests.harness.ports import HOST
from tests.harness.speech import RATE_HZ, Samples, Speech, write_wav

ULAW_HZ: Final = 8000
SO_TIMESTAMPNS: Final = 35
"""socket(7); Python does not name it."""
DECODED: Final = np.array([ulaw_decode(code) / 8192 for code in range(256)])
WINDOW: Final = 13
"""Packets of 20 ms in which a tone is looked for."""
SSRC: Final = 7
STEADY_S: Final = 0.1
"""A longer pause between two packets is heard as one."""
RATHER_LOUD: Final = 0.3
"""Amplitude of a tone, of 1."""
LOUD: Final = 0.9
"""A tone that is all there is has this share of the energy at least, whatever codecs it went through."""


def sine(hertz: int, seconds: float, rate_hz: int = RATE_HZ, amplitude: float = RATHER_LOUD) -> Samples:
    """A tone."""
    angles = np.arange(round(seconds * rate_hz)) * (math.tau * hertz / rate_hz)
    return np.asarray(amplitude * np.sin(angles))


def tone_speech(hertz: int) -> Speech:
    """A tone for a page to say over and over: a whole second of it, so that it has no seam."""
    return Speech(Path(), sine(hertz, 1.0))


def tone_file(path: Path, hertz: int, seconds: float) -> Path:
    """A tone as a sound file."""
    write_wav(path, sine(hertz, seconds), RATE_HZ)
    return path


def share(samples: Samples, rate_hz: int, hertz: int) -> float:
    """Share of the energy around one frequency; 0 for silence."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    if float(np.abs(samples).max()) < 0.01:
        return 0.0
    width = len(samples) * 30 / rate_hz
    centre = hertz * len(samples) / rate_hz
    return float(power[max(0, round(centre - width)) : round(centre + width) + 1].sum() / power.sum())


@dataclass(frozen=True)
class Heard:
    """One packet."""

    at: float
    """Seconds on the kernel's clock."""
    packet: RtpPacket


class TonePhone:
    """Speaks PCMU with the gateway, under whatever number, unless told otherwise.

    The kernel says when a packet came, however busy this process is.
    """

    def __init__(self, hertz: int, amplitude: float = RATHER_LOUD, payload_type: int = 0) -> None:
        self.heard: list[Heard] = []
        self.late_s = self.paused_s = 0.0
        """How late this process was at worst, and in all pauses in which it was held up: the page lives here, too."""
        self.say(payload_type, _frames(hertz, amplitude))
        self._news = asyncio.Event()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._talking: asyncio.Task[None] | None = None

    def open(self) -> int:
        """Its port."""
        self._socket.bind((HOST, 0))
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        asyncio.get_running_loop().add_reader(self._socket, self._read)
        return int(self._socket.getsockname()[1])

    def talk(self, port: int) -> None:
        """Say the tone to the gateway from now on."""
        self._talking = asyncio.create_task(self._talk((HOST, port)))

    def say(self, payload_type: int, frames: Sequence[bytes]) -> None:
        """Say these payloads over and over, from the next packet on; nothing if there are none."""
        self._payload_type, self._frames = payload_type, frames

    def report(self, port: int) -> None:
        """Send the gateway an SR (RFC 3550 §6.4.1)."""
        ntp = round((time.time() + 2_208_988_800) * 2**32)
        self._socket.sendto(struct.pack("!BBHIQIII", 0x80, 200, 6, SSRC, ntp, 0, 0, 0), (HOST, port))

    async def close(self) -> None:
        if self._talking is not None:
            self._talking.cancel()
            await asyncio.gather(self._talking, return_exceptions=True)
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _read(self) -> None:
        data, notes, _, _ = self._socket.recvmsg(2048, 64)
        seconds, nanoseconds = struct.unpack("qq", notes[0][2][:16])
        if (packet := parse(data)) is not None:
            self.heard.append(Heard(seconds + nanoseconds / 1e9, packet))
            self._news.set()

    async def hears(self, hertz: int, timeout_s: float = PATIENCE_S) -> None:
        """Wait until a quarter of a second in a row, from now on, is this tone and nothing else."""
        end = len(self.heard) + WINDOW
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    while len(self.heard) < end:
                        self._news.clear()
                        await self._news.wait()
                    if share(self._samples(end - WINDOW, end), ULAW_HZ, hertz) >= LOUD:
                        return
                    end += 1
        except TimeoutError:
            raise AssertionError(f"{hertz} Hz was not heard in {timeout_s} s ({len(self.heard)} packets)") from None

    def _samples(self, begin: int, end: int) -> Samples:
        payload = b"".join(heard.packet.payload for heard in self.heard[begin:end])
        return np.asarray(DECODED[np.frombuffer(payload, np.uint8)])

    def assert_one_stream(self) -> None:
        """One SSRC, no hole in the numbers, timestamps that go with the time and never back (RFC 3550 §5.1)."""
        assert len({heard.packet.ssrc for heard in self.heard}) == 1
        for before, after in itertools.pairwise(self.heard):
            step = (after.packet.sequence - before.packet.sequence) % 65536
            assert step == 1, f"a hole of {step} in the sequence"
            ticks = (after.packet.timestamp - before.packet.timestamp) % 2**32
            passed = (after.at - before.at) * ULAW_HZ
            early = ticks - max(passed, SAMPLES_PER_FRAME)
            assert ticks >= SAMPLES_PER_FRAME and early <= ULAW_HZ * (0.2 + self.late_s), (ticks, passed, self.late_s)

    def assert_seamless(self, begin: int) -> None:
        """From packet `begin` on, each follows right behind the one before, unless this process, who speaks, paused."""
        for before, after in itertools.pairwise(self.heard[begin:]):
            ticks = (after.packet.timestamp - before.packet.timestamp) % 2**32
            is_pause = after.packet.marker and self.late_s > STEADY_S
            assert ticks == SAMPLES_PER_FRAME or is_pause, (ticks, after.packet.marker, self.late_s)

    def longest_gap_s(self, begin: int = 0) -> float:
        """The longest time between two packets, from packet number `begin` on."""
        return max(after.at - before.at for before, after in itertools.pairwise(self.heard[begin:]))

    async def _talk(self, to: tuple[str, int]) -> None:
        async for n in self._frames_in_time():
            if self._frames:
                payload = self._frames[n % len(self._frames)]
                packet = RtpPacket(self._payload_type, n % 65536, n * SAMPLES_PER_FRAME, SSRC, payload)
                self._socket.sendto(bytes(packet), to)

    async def _frames_in_time(self) -> AsyncIterator[int]:
        """The number of each frame when it is its turn."""
        began = time.monotonic()
        for n in itertools.count():
            yield n
            due, now = began + (n + 1) * FRAME_S, time.monotonic()
            await asyncio.sleep(due - now)
            self.late_s = max(self.late_s, time.monotonic() - due)
            overslept_s = time.monotonic() - max(due, now)
            self.paused_s += overslept_s if overslept_s > STEADY_S else 0.0


def _frames(hertz: int, amplitude: float) -> list[bytes]:
    """A second of the tone, cut into packets."""
    codes = bytes(ulaw_encode(round(8192 * float(sample))) for sample in sine(hertz, 1.0, ULAW_HZ, amplitude))
    return [codes[at : at + SAMPLES_PER_FRAME] for at in range(0, len(codes), SAMPLES_PER_FRAME)]
