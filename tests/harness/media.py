"""Peers of the media core on loopback: a phone that speaks RTP, and a browser's ICE and SRTP without the browser."""

from __future__ import annotations

import functools
import os
import select
import socket
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pylibsrtp
from aioice import stun
from mediacore import Leg, Relay

from tests.harness.patience import PATIENCE_S
from tests.harness.ports import free_block

Address = tuple[str, int]

LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Rtp:
    """A received RTP packet (RFC 3550 §5.1)."""

    marker: bool
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes

    @staticmethod
    def parse(data: bytes) -> Rtp:
        """Take a packet apart; it has no CSRCs, extension or padding."""
        assert data[0] == 0x80, "the media core sends plain headers"
        _, second, sequence, timestamp, ssrc = struct.unpack("!BBHII", data[:12])
        return Rtp(bool(second & 0x80), second & 0x7F, sequence, timestamp, ssrc, data[12:])


def is_rtcp(data: bytes) -> bool:
    """Tell RTCP from RTP (RFC 5761 §4)."""
    return 192 <= data[1] <= 223


class Phone:
    """An RTP peer: one UDP socket, own sequence numbers and timestamps."""

    def __init__(self, ip: str = LOOPBACK, *, ssrc: int = 0x1234) -> None:
        self.socket = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((ip, 0))
        self.socket.settimeout(PATIENCE_S)
        self.ssrc = ssrc
        self.sequence = 1000
        self.timestamp = 5000

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.socket.close()

    @property
    def address(self) -> Address:
        """Where this peer receives."""
        host, port = self.socket.getsockname()[:2]
        return str(host), int(port)

    def packet(self, payload_type: int, payload: bytes, *, ticks: int = 160, marker: bool = False) -> bytes:
        """The next packet of this peer's stream."""
        second = payload_type | (0x80 if marker else 0)
        header = struct.pack("!BBHII", 0x80, second, self.sequence & 0xFFFF, self.timestamp & 0xFFFFFFFF, self.ssrc)
        self.sequence += 1
        self.timestamp += ticks
        return header + payload

    def send(self, to: Address, data: bytes) -> None:
        """Send a datagram."""
        self.socket.sendto(data, to)

    def say(self, to: Address, payload_type: int, payload: bytes, *, ticks: int = 160) -> None:
        """Send the next packet of this peer's stream."""
        self.send(to, self.packet(payload_type, payload, ticks=ticks))

    def hear_raw(self) -> bytes:
        """The next datagram."""
        return self.socket.recv(2048)

    def hear(self) -> Rtp:
        """The next RTP packet; RTCP is passed over."""
        while is_rtcp(data := self.hear_raw()):
            pass
        return Rtp.parse(data)

    def hear_rtcp(self) -> bytes:
        """The next RTCP packet; RTP is passed over."""
        while not is_rtcp(data := self.hear_raw()):
            pass
        return data

    def hears_nothing(self) -> bool:
        """Whether no RTP waits now; ask only after something that makes all earlier packets sure to be sent."""
        while select.select([self.socket], [], [], 0)[0]:
            if not is_rtcp(self.hear_raw()):
                return False
        return True


class BrowserPeer(Phone):
    """A browser's end of the shared port: controlling ICE checks and SRTP (RFC 8445, RFC 5764)."""

    profile: Final = "AEAD_AES_128_GCM"

    def __init__(self, relay: Relay, ufrag: str, pwd: str, ip: str = LOOPBACK) -> None:
        super().__init__(ip, ssrc=0xABCD)
        self.ufrag, self.pwd = ufrag, pwd
        self.gateway: Address = (ip, relay.browser_port)
        self.key_out, self.key_in = os.urandom(28), os.urandom(28)
        policy = pylibsrtp.Policy(srtp_profile=pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM)
        policy.key, policy.ssrc_type = self.key_out, pylibsrtp.Policy.SSRC_ANY_OUTBOUND
        self.sender = pylibsrtp.Session(policy)
        policy.key, policy.ssrc_type = self.key_in, pylibsrtp.Policy.SSRC_ANY_INBOUND
        self.receiver = pylibsrtp.Session(policy)

    def check_request(self, *, use_candidate: bool = True, controlled: bool = False, pwd: str | None = None) -> bytes:
        """A connectivity check as a controlling agent sends it."""
        request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
        request.attributes["USERNAME"] = f"{self.ufrag}:peer"
        request.attributes["PRIORITY"] = 1845494271
        request.attributes["ICE-CONTROLLED" if controlled else "ICE-CONTROLLING"] = 42
        if use_candidate:
            request.attributes["USE-CANDIDATE"] = None
        request.add_message_integrity((pwd or self.pwd).encode())
        return bytes(request)

    def hear_stun(self) -> stun.Message:
        """The next answer, its integrity checked with our password; media is passed over."""
        while (data := self.hear_raw())[0] > 3:
            pass
        answer = stun.parse_message(data)
        assert answer.check_message_integrity(self.pwd.encode())
        return answer

    def check(self, *, use_candidate: bool = True, controlled: bool = False) -> stun.Message:
        """One connectivity check and its answer."""
        self.send(self.gateway, self.check_request(use_candidate=use_candidate, controlled=controlled))
        return self.hear_stun()

    def say_secure(self, payload_type: int, payload: bytes, *, ticks: int = 960) -> None:
        """Send the next packet of our stream as SRTP."""
        self.send(self.gateway, self.sender.protect(self.packet(payload_type, payload, ticks=ticks)))

    def hear_secure(self) -> Rtp:
        """The next SRTP packet, decrypted; everything else is passed over."""
        while (data := self.hear_raw())[0] < 128 or is_rtcp(data):
            pass
        return Rtp.parse(self.receiver.unprotect(data))


def wait_for(relay: Relay, kind: str) -> tuple[int, object]:
    """The leg and payload of the next event of this kind; others are passed over."""
    deadline = time.monotonic() + PATIENCE_S
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([relay.fileno()], [], [], left)[0]:
            break
        for leg, found, payload in relay.events():
            if found == kind:
                return leg, payload
    raise AssertionError(f"no {kind} event within {PATIENCE_S} s")


def next_events(relay: Relay, count: int) -> list[tuple[int, str, object]]:
    """So many events, as soon as they came; where this process is late they come together."""
    events: list[tuple[int, str, object]] = []
    while len(events) < count:
        assert select.select([relay.fileno()], [], [], PATIENCE_S)[0], f"only {events} came"
        events += relay.events()
    return events


def until_counted(who: Leg | Relay, name: str, count: int) -> None:
    """Ask until the media threads have counted that many."""
    deadline = time.monotonic() + PATIENCE_S
    while (now := who.stats()[name]) != count:
        assert time.monotonic() < deadline, f"{name} is {now}, not {count}"


@functools.cache
def rtp_ports(count: int) -> tuple[int, int]:
    """First and last of so many ports for relays, which no other test is given."""
    block = free_block(count)
    return block[0], block[-1]


def sockets_open() -> int:
    """How many descriptors this process has."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
