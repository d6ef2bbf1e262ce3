"""RTP legs of the media core with other codecs than G.711 and Opus, against ffmpeg and bcg729."""

from __future__ import annotations

import ctypes
import ctypes.util
import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import av
import numpy as np
import pytest
from mediacore import Leg, Relay, transcoded_codecs

from tests.harness.media import LOOPBACK, Phone, Rtp, rtp_ports
from tests.harness.patience import eventually

FRAME_S = 0.02
FRAMES = 25


@pytest.fixture
def relay() -> Iterator[Relay]:
    engine = Relay(threads=1, networks=[LOOPBACK], browser_port=0, rtp_ports=rtp_ports(400))
    yield engine
    engine.close()


def legs(relay: Relay, stack: ExitStack, *codecs: tuple[str, int]) -> list[tuple[Phone, Leg]]:
    """A phone and its leg for each codec, the first one's audio going to the second."""
    sides = []
    for codec, payload_type in codecs:
        phone, leg = stack.enter_context(Phone()), relay.rtp_leg()
        leg.set_codec(codec, payload_type)
        leg.set_remote(phone.address, None)
        sides.append((phone, leg))
    relay.route(sides[0][1], sides[1][1])
    return sides


def send(side: tuple[Phone, Leg], payload_type: int, payloads: list[bytes]) -> None:
    """Packets of 20 ms, all at once: the jitter buffer gives each its time."""
    phone, leg = side
    assert leg.address is not None
    for payload in payloads:
        phone.say(leg.address, payload_type, payload)


def tone(rate_hz: int, hz: int = 600) -> Any:
    n = np.arange(int(rate_hz * FRAME_S) * FRAMES)
    return (8000 * np.sin(2 * np.pi * hz * n / rate_hz)).astype(np.int16)


def purity(samples: Any, rate_hz: int, hz: int = 600) -> float:
    """The share of the energy that lies at one frequency."""
    turning = np.exp(-2j * np.pi * hz * np.arange(len(samples)) / rate_hz)
    values = samples.astype(float)
    return float(2 * abs(values @ turning) ** 2 / (len(values) * (values @ values)))


def ffmpeg(name: str, mode: str, rate_hz: int) -> Any:
    context: Any = av.CodecContext.create(name, mode)  # type: ignore[arg-type]
    context.sample_rate, context.layout, context.format = rate_hz, "mono", "s16"
    return context


def encoded(name: str, rate_hz: int) -> list[bytes]:
    context, samples, count = ffmpeg(name, "w", rate_hz), tone(rate_hz), int(rate_hz * FRAME_S)
    payloads: list[bytes] = []
    for start in range(0, len(samples), count):
        frame = av.AudioFrame.from_ndarray(samples[start : start + count].reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts = rate_hz, start
        payloads += [bytes(packet) for packet in context.encode(frame)]
    return payloads


def decoded(name: str, rate_hz: int, packets: list[Rtp]) -> Any:
    context = ffmpeg(name, "r", rate_hz)
    frames = [frame for packet in packets for frame in context.decode(av.Packet(packet.payload))]
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])


def steps(packets: list[Rtp]) -> set[tuple[int, int]]:
    pairs = itertools.pairwise(packets)
    return {(after.sequence - one.sequence, after.timestamp - one.timestamp) for one, after in pairs}


def test_a_codec_that_we_do_not_speak_is_passed_on(relay: Relay) -> None:
    with ExitStack() as stack:
        one, other = legs(relay, stack, ("iLBC/8000", 97), ("ilbc/8000", 102))
        send(one, 97, [bytes([n]) * 38 for n in range(3)])
        heard = [other[0].hear() for _ in range(3)]
        assert [(packet.payload_type, packet.payload) for packet in heard] == [(102, bytes([n]) * 38) for n in range(3)]
        assert one[1].stats()["codec"] == "ILBC/8000"


async def test_nothing_is_heard_between_codecs_that_cannot_be_transcoded(relay: Relay) -> None:
    with ExitStack() as stack:
        one, other = legs(relay, stack, ("iLBC/8000", 97), ("PCMU", 0))
        send(one, 97, [bytes(38)] * 3)
        await eventually(lambda: other[1].stats()["transcode_errors"] == 3)
        assert other[1].stats()["tx_packets"] == 0


@pytest.mark.parametrize(
    ("source", "target"), [(("G722", 9), ("PCMA", 8)), (("PCMA", 8), ("G722", 9)), (("G722", 9), ("PCMU", 0))]
)
def test_g722_and_g711_become_each_other(relay: Relay, source: tuple[str, int], target: tuple[str, int]) -> None:
    names = {"G722": ("g722", 16_000), "PCMA": ("pcm_alaw", 8000), "PCMU": ("pcm_mulaw", 8000)}
    with ExitStack() as stack:
        one, other = legs(relay, stack, source, target)
        send(one, source[1], encoded(*names[source[0]]))
        heard = [other[0].hear() for _ in range(FRAMES - 1)]
        assert steps(heard) == {(1, 160)}, "the clock of G.722 counts 8000 too"
        assert {len(packet.payload) for packet in heard} == {160}
        samples = decoded(*names[target[0]], heard)
        assert purity(samples[len(samples) // 2 :], names[target[0]][1]) > 0.98


def test_a_silence_sounds_as_its_source_says(relay: Relay) -> None:
    with ExitStack() as stack:
        one, other = legs(relay, stack, ("PCMU", 0), ("PCMA", 8))
        assert one[1].address is not None
        send(one, 0, [b"\xff" * 160] * 3)
        send(one, 13, [bytes([30])])
        heard = [other[0].hear() for _ in range(15)]
        assert steps(heard) == {(1, 160)}
        noise = decoded("pcm_alaw", 8000, heard[6:]).astype(float)
        level = 20 * np.log10(32_768 / np.sqrt(np.mean(noise**2)))
        assert 28 < level < 32
        assert [leg.stats()["dropped_comfort_noise"] for _, leg in (one, other)] == [0, 0], "it was heard"


# -- G.729, where it is built in ------------------------------------------------------------------------


class Bcg729:
    """bcg729 without our Rust between."""

    def __init__(self) -> None:
        self._lib = ctypes.CDLL(ctypes.util.find_library("bcg729") or "libbcg729.so.0")
        for name in ("initBcg729EncoderChannel", "initBcg729DecoderChannel"):
            getattr(self._lib, name).restype = ctypes.c_void_p
        self._encoder = ctypes.c_void_p(self._lib.initBcg729EncoderChannel(0))
        self._decoder = ctypes.c_void_p(self._lib.initBcg729DecoderChannel())

    def encode(self, samples: Any) -> bytes:
        bits, length, payload = ctypes.create_string_buffer(10), ctypes.c_uint8(), b""
        for start in range(0, len(samples), 80):
            frame = np.ascontiguousarray(samples[start : start + 80])
            self._lib.bcg729Encoder(self._encoder, ctypes.c_void_p(frame.ctypes.data), bits, ctypes.byref(length))
            payload += bits.raw[: length.value]
        return payload

    def decode(self, payload: bytes) -> Any:
        samples = np.zeros(8 * len(payload), np.int16)
        for n in range(len(payload) // 10):
            out = ctypes.c_void_p(samples.ctypes.data + 160 * n)
            self._lib.bcg729Decoder(self._decoder, payload[10 * n : 10 * n + 10], 10, 0, 0, 0, out)
        return samples


@pytest.mark.skipif("G729" not in transcoded_codecs(), reason="G.729 is not built in (WEBTRUNK_G729=1)")
@pytest.mark.parametrize("is_source", [True, False])
def test_g729_and_g711_become_each_other(relay: Relay, is_source: bool) -> None:
    peer, voice = Bcg729(), tone(8000)
    with ExitStack() as stack:
        ends = [("G729", 18), ("PCMA", 8)]
        one, other = legs(relay, stack, *(ends if is_source else ends[::-1]))
        spoken = [peer.encode(voice[at : at + 160]) for at in range(0, len(voice), 160)]
        send(one, 18 if is_source else 8, spoken if is_source else encoded("pcm_alaw", 8000))
        heard = [other[0].hear() for _ in range(FRAMES - 1)]
        assert steps(heard) == {(1, 160)}
        assert {len(packet.payload) for packet in heard} == {160 if is_source else 20}
        joined = b"".join(packet.payload for packet in heard)
        samples = decoded("pcm_alaw", 8000, heard) if is_source else peer.decode(joined)
        assert purity(samples[len(samples) // 2 :], 8000) > 0.9
