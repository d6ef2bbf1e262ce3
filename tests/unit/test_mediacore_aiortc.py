"""A whole WebRTC peer (aiortc: full ICE, DTLS, SRTP, Opus) against the media core and `webrtc.dtls`."""

from __future__ import annotations

import asyncio
import fractions
from collections.abc import AsyncIterator

import av
import numpy as np
import pytest
from aioice.ice import get_host_addresses
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from mediacore import Leg, Relay

from tests.harness.media import rtp_ports
from webrtc.dtls import Certificates, DtlsEndpoint, Fingerprint

UFRAG, PWD = "gateway", "a password of 22 chars and more"
RATE_HZ, FRAME = 48000, 960


class Tone(MediaStreamTrack):
    """A sine of 440 Hz in real time."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.position = 0

    async def recv(self) -> av.AudioFrame:
        await asyncio.sleep(FRAME / RATE_HZ)
        times = np.arange(self.position, self.position + FRAME) / RATE_HZ
        samples = (np.sin(2 * np.pi * 440 * times) * 12000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), layout="mono")
        frame.sample_rate, frame.pts = RATE_HZ, self.position
        frame.time_base = fractions.Fraction(1, RATE_HZ)
        self.position += FRAME
        return frame


def own_address() -> str:
    """An address of this machine other than loopback, of which aiortc makes no candidate."""
    found = get_host_addresses(use_ipv4=True, use_ipv6=False)
    if not found:
        pytest.skip("this machine has no address but loopback")
    return str(found[0])


def answer(offer: str, host: str, port: int, fingerprint: str, payload_type: int) -> RTCSessionDescription:
    """An ICE-lite answer with Opus only (RFC 8839 §4.2, RFC 8842)."""
    mid = next(line for line in offer.splitlines() if line.startswith("a=mid:"))
    lines = [
        "v=0",
        f"o=- 1 1 IN IP4 {host}",
        "s=-",
        "t=0 0",
        "a=ice-lite",
        f"a=group:BUNDLE {mid.removeprefix('a=mid:')}",
        f"m=audio {port} UDP/TLS/RTP/SAVPF {payload_type}",
        f"c=IN IP4 {host}",
        mid,
        f"a=rtpmap:{payload_type} opus/48000/2",
        "a=sendrecv",
        "a=rtcp-mux",
        "a=setup:passive",
        f"a=fingerprint:sha-256 {fingerprint}",
        f"a=ice-ufrag:{UFRAG}",
        f"a=ice-pwd:{PWD}",
        f"a=candidate:1 1 udp 2130706431 {host} {port} typ host",
        "a=end-of-candidates",
    ]
    return RTCSessionDescription(sdp="\r\n".join(lines) + "\r\n", type="answer")


def fingerprints(sdp: str) -> tuple[Fingerprint, ...]:
    found = [line.removeprefix("a=fingerprint:").split(" ", 1) for line in sdp.splitlines() if "a=fingerprint:" in line]
    return tuple(Fingerprint(algorithm, value) for algorithm, value in found)


def opus_payload_type(sdp: str) -> int:
    line = next(line for line in sdp.splitlines() if line.startswith("a=rtpmap:") and "opus/" in line)
    return int(line.removeprefix("a=rtpmap:").split()[0])


class Gateway:
    """The little that the gateway does: hands DTLS records on, and the keys back."""

    def __init__(self, relay: Relay, leg: Leg) -> None:
        self.relay = relay
        self.dtls = DtlsEndpoint(Certificates().current(), "server", leg.send_dtls)
        self.kinds: list[str] = []
        self.started = asyncio.Event()

    def pump(self) -> None:
        for _, kind, payload in self.relay.events():
            self.kinds.append(kind)
            if kind == "dtls":
                assert isinstance(payload, bytes)
                self.dtls.receive(payload)
            elif kind == "media-started":
                self.started.set()


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    engine = Relay(threads=1, networks=[own_address()], browser_port=0, rtp_ports=rtp_ports(400))
    yield engine
    asyncio.get_running_loop().remove_reader(engine.fileno())
    engine.close()


async def test_aiortc_connects_and_hears_its_own_tone(relay: Relay) -> None:
    page = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    page.addTrack(Tone())
    heard: asyncio.Future[MediaStreamTrack] = asyncio.get_running_loop().create_future()
    page.on("track", heard.set_result)
    leg = relay.browser_leg(UFRAG, PWD)
    gateway = Gateway(relay, leg)
    asyncio.get_running_loop().add_reader(relay.fileno(), gateway.pump)
    await page.setLocalDescription(await page.createOffer())
    offer = page.localDescription.sdp
    payload_type = opus_payload_type(offer)
    leg.set_codec("opus", payload_type)
    relay.route(leg, leg)
    port, fingerprint = relay.browser_port, gateway.dtls.fingerprint_sha256
    connecting = asyncio.create_task(gateway.dtls.handshake(fingerprints(offer)))
    await page.setRemoteDescription(answer(offer, own_address(), port, fingerprint, payload_type))
    keys = await asyncio.wait_for(connecting, 20)
    leg.set_srtp(keys.profile, keys.receive, keys.send)
    await asyncio.wait_for(gateway.started.wait(), 20)
    track = await heard
    loudest = 0
    for _ in range(100):
        frame = await asyncio.wait_for(track.recv(), 20)
        assert isinstance(frame, av.AudioFrame)
        loudest = max(loudest, int(np.abs(frame.to_ndarray()).max()))
    assert loudest > 6000, "our own tone comes back"
    assert gateway.kinds[0] in ("nominated", "dtls")
    stats = leg.stats()
    assert stats["dropped_srtp_auth"] == 0
    assert stats["rx_lost"] == 0
    await asyncio.gather(page.close(), gateway.dtls.close())
