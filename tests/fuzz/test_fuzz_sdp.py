"""Whatever SDP a browser or a trunk sends, it is read or it is the peer's mistake: any other exception fails."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from call import sdes, sdp
from call.browser_sdp import read_browser_offer
from call.errors import PeerError
from call.trunk_sdp import read_trunk_answer, read_trunk_offer, trunk_offer
from call.trunk_srtp import encrypt_offer
from tests.harness.fuzzing import bounded, corpus, crossed, spliced

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
