"""Invariants of SDP: any text parses or raises PeerError, and what was parsed prints back to the same value."""

from contextlib import suppress
from pathlib import Path

from hypothesis import assume, given
from hypothesis import strategies as st

from call.errors import GatewayError, PeerError
from call.interworking import (
    LocalTransport,
    browser_answer,
    read_browser_offer,
    read_trunk_answer,
    read_trunk_offer,
    trunk_answer,
    trunk_offer,
)
from call.sdp import Connection, MSection, Origin, SessionDescription, parse
from call.sdp_attributes import Attribute, Direction

SAMPLES = [path.read_bytes().decode() for path in sorted((Path(__file__).parents[1] / "vectors" / "sdp").glob("*.sdp"))]
TRANSPORT = LocalTransport((("192.0.2.1", 20_000),), "ufrag", "p" * 22, "AB:CD")
OURS = trunk_offer(
    address="192.0.2.1", rtp_port=20_000, rtcp_port=20_001, codecs=("opus", "PCMU"), session_id=1, version=1
)

text = st.text(st.characters(exclude_characters="\r\n\0"), max_size=30)
word = st.from_regex(r"[!-.0-~]{1,12}", fullmatch=True)
attribute = st.builds(Attribute, text.map(lambda name: name.replace(":", "")), st.none() | text)
attributes = st.lists(attribute, max_size=6).map(tuple)
connection = st.none() | st.builds(Connection, st.sampled_from(["IP4", "IP6"]), word)
section = st.builds(
    MSection,
    kind=word,
    port=st.integers(0, 65_535),
    protocol=word,
    formats=st.lists(word, max_size=5).map(tuple),
    connection=connection,
    bandwidth=st.lists(text, max_size=2).map(tuple),
    attributes=attributes,
    port_count=st.integers(1, 65_535),
)
description = st.builds(
    SessionDescription,
    origin=st.builds(Origin, word, word, word, word, word),
    name=text,
    connection=connection,
    timing=text,
    attributes=attributes,
    media=st.lists(section, max_size=4).map(tuple),
)
direction = st.sampled_from(Direction)


@st.composite
def damaged_sample(draw: st.DrawFn) -> str:
    """A real SDP with some lines lost, doubled or replaced."""
    lines = draw(st.sampled_from(SAMPLES)).split("\r\n")
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(lines) - 1))
        lines[at : at + 1] = draw(
            st.sampled_from([[], [lines[at], lines[at]]]) | st.builds(lambda line: [line], text | _nasty)
        )
        assume(lines)
    return "\r\n".join(lines)


_nasty = st.sampled_from(
    [
        "m=audio 0 RTP/AVP 0",
        "m=audio 65535 RTP/AVP",
        "m=audio 4000 RTP/AVP 0 0 0 127 128",
        "c=IN IP4 0.0.0.0",
        "c=IN IP4 phone.example",
        "c=IN IP6 ff02::1",
        "a=rtpmap:0 opus/48000/2",
        "a=rtpmap:0 telephone-event/8000",
        "a=mid:",
        "a=group:BUNDLE",
        "a=setup:holdconn",
        "a=ptime:1",
        "a=inactive",
        "a=rtcp-mux",
        "a=rtcp:1 IN IP4 elsewhere",
        "a=bundle-only",
    ]
)


@given(description)
def test_what_is_printed_parses_to_the_same_value(value: SessionDescription) -> None:
    assert parse(str(value)) == value


@given(st.text(max_size=300) | st.text("vmoca=0 \r\n:/IN4", max_size=120).map("v=0\n".__add__) | damaged_sample())
def test_any_text_parses_to_something_that_prints_back_or_is_refused(foreign: str) -> None:
    try:
        value = parse(foreign)
    except PeerError as refusal:
        assert str(refusal).endswith(".")
        return
    assert parse(str(value)) == value


@given(damaged_sample(), direction)
def test_an_answer_to_a_browser_never_adds_or_reorders_sections(foreign: str, wish: Direction) -> None:
    try:
        offer = read_browser_offer(foreign)
    except GatewayError as refusal:
        assert refusal.sip_status in (400, 488)
        return
    answer = browser_answer(
        offer, codec=offer.codecs[0].codec, transport=TRANSPORT, session_id=1, version=1, direction=wish
    )
    media = parse(answer.sdp).media
    assert [one.kind for one in media] == [one.kind for one in offer.description.media]
    assert [index for index, one in enumerate(media) if one.port] == [offer.index]
    assert set(media[offer.index].formats) <= set(offer.section.formats)
    assert not (answer.direction.sends and not offer.direction.receives)
    assert not (answer.direction.receives and not offer.direction.sends)


@given(damaged_sample(), direction)
def test_an_answer_to_a_trunk_never_adds_or_reorders_sections(foreign: str, wish: Direction) -> None:
    try:
        media = read_trunk_offer(foreign, ("PCMU", "PCMA", "opus"))
    except GatewayError as refusal:
        assert refusal.sip_status in (400, 488)
        return
    ports = {"address": "2001:db8::1", "rtp_port": 20_000, "rtcp_port": 20_001}
    answer = parse(trunk_answer(foreign, media, **ports, session_id=1, version=1, direction=wish))
    offered = parse(foreign)
    audio = answer.media[media.index]
    assert [one.kind for one in answer.media] == [one.kind for one in offered.media]
    assert [index for index, one in enumerate(answer.media) if one.port] == [media.index]
    assert set(audio.formats) <= set(offered.media[media.index].formats)
    assert not (answer.direction_of(audio).sends and media.hold)
    assert (media.rtp is None) is (media.rtcp is None) or media.rtp == (media.rtp[0], 65_535)


@given(damaged_sample())
def test_any_answer_of_a_trunk_gives_values_or_a_refusal(foreign: str) -> None:
    with suppress(PeerError):
        media = read_trunk_answer(OURS, foreign)
        assert media.codec in ("opus", "PCMU")
        assert 0 <= media.payload_type <= 127
        assert media.ptime_ms in (10, 20, 30, 40, 50, 60)
