"""Whatever SDP a browser or a trunk sends, it is read or it is the peer's mistake: any other exception fails.

What is read from a trunk is given to a real leg of the media core, too: that one has rules of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mediacore import Leg, Relay

from call import sdes, sdp
from call.browser_sdp import read_browser_offer
from call.errors import GatewayError, PeerError
from call.trunk_sdp import read_trunk_answer, read_trunk_offer, trunk_offer
from call.trunk_srtp import encrypt_offer
from gateway.config import TrunkSettings
from gateway.relays import Handler, Relays
from gateway.trunkleg import TrunkLeg
from sip import messages
from tests.harness.fuzzing import bounded, corpus, crossed, spliced
from tests.harness.ports import HOST
from tests.unit.recorders import SOUNDS, ReportRecorder, Worker

VECTORS = Path(__file__).parents[1] / "vectors" / "sdp"
ODD = corpus("sdp")
SAMPLES = [path.read_bytes().decode() for path in sorted(VECTORS.glob("*.sdp"))]
SAMPLES += [odd.decode(errors="replace") for odd in ODD.values()]
OURS = trunk_offer(
    address="192.0.2.1", rtp_port=20_000, rtcp_port=20_001, codecs=("opus", "PCMU"), session_id=1, version=1
)
OUR_KEYS = sdes.offer(None, lambda length: bytes(range(length)))
OURS_WITH_KEYS = encrypt_offer(OURS, OUR_KEYS, "required")
CRYPTO_LINES = [f"{line}{extra}" for line in OUR_KEYS for extra in ("", "|2^20|1:4", " WSH=64 KDR=1", ";inline:AAAA")]


def read_sdp(text: str) -> None:
    with suppress(PeerError):
        description = sdp.parse(text)
        assert sdp.parse(str(description)) == description
    with suppress(PeerError):
        read_browser_offer(text)
    with suppress(PeerError):
        read_trunk_offer(text, ("PCMU", "PCMA", "opus"))
    with suppress(PeerError):
        read_trunk_answer(OURS, text)
    with suppress(PeerError):
        read_trunk_offer(text, ("PCMU", "PCMA", "opus"), "optional")
    with suppress(PeerError):
        read_trunk_answer(OURS_WITH_KEYS, text, "required")


class Engine:
    """The media core without an event loop, which a fuzzer would have to start for every input."""

    trunk_address = HOST

    def __init__(self) -> None:
        self.relay = Relay(threads=1, networks=[HOST], browser_port=0, rtp_ports=(43_600, 43_699))

    def rtp_leg(self, _: Handler) -> Leg:
        return self.relay.rtp_leg(0)

    def release(self, leg: Leg) -> None:
        leg.close()


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    running = Engine()
    yield running
    running.relay.close()


class Call:
    """A trunk's leg with real media; what it reports is looked at afterwards."""

    def __init__(self, engine: Engine) -> None:
        self.worker, self.report = Worker(), ReportRecorder()
        self.leg = TrunkLeg(
            "L1",
            "carrier",
            TrunkSettings(host=HOST, allow=("*",), srtp="optional"),
            relays=cast(Relays, engine),
            sounds=SOUNDS,
            post=self.worker.post,
            report=self.report.report,
        )

    def end(self) -> None:
        """An offer that was mishandled is refused in words that would hide it from us."""
        self.leg.on_sip(messages.Ended("L1", "peer", 200))
        assert not [why for _, why in self.report.notes if "made a mistake" in why]


async def apply_sdp(engine: Engine, text: str) -> None:
    """A trunk says this in an INVITE, in a re-INVITE, and in a 200."""
    called = Call(engine)
    with suppress(GatewayError):
        called.leg.take_incoming(messages.Incoming("L1", "carrier", "100", "", "", "cid", "", text, ()))
    called.leg.on_sip(messages.Reoffered("L1", text))
    called.end()
    calling = Call(engine)
    calling.leg.invite("100", "", "", ())
    calling.leg.on_sip(messages.Answered("L1", text, ()))
    calling.end()


@pytest.mark.parametrize("name", ODD)
def test_the_corpus_is_applied_or_refused(engine: Engine, name: str) -> None:
    asyncio.run(apply_sdp(engine, ODD[name].decode(errors="replace")))


@given(text=spliced(SAMPLES) | crossed(SAMPLES))
@bounded
def test_damaged_sdp_of_a_trunk_is_applied_or_refused(engine: Engine, text: str) -> None:
    asyncio.run(apply_sdp(engine, text))


@pytest.mark.parametrize("name", ODD)
def test_the_corpus_is_sdp_or_a_peers_mistake(name: str) -> None:
    read_sdp(ODD[name].decode(errors="replace"))


@given(st.text(max_size=400))
@bounded
def test_any_text_is_sdp_or_a_peers_mistake(text: str) -> None:
    read_sdp(text)


@given(spliced(SAMPLES))
@bounded
def test_damaged_sdp_is_sdp_or_a_peers_mistake(text: str) -> None:
    read_sdp(text)


@given(crossed(SAMPLES))
@bounded
def test_mixed_sdp_is_sdp_or_a_peers_mistake(text: str) -> None:
    read_sdp(text)


@given(st.text(max_size=200) | spliced(CRYPTO_LINES))
@bounded
def test_any_crypto_line_is_read_or_passed_over(text: str) -> None:
    if line := sdes.parse(text):
        assert sdes.parse(str(line)) == line
        assert len(line.key) == sdes.SUITES[line.suite]
        read_sdp(f"{OURS}a=crypto:{text}\r\n")
