import pytest

from call.codecs import CodecName, TelephoneEvent
from call.errors import PeerError, UnacceptableOffer
from call.sdp import parse
from call.sdp_attributes import Direction
from call.trunk_sdp import (
    TrunkMedia,
    check_reachable,
    read_trunk_answer,
    read_trunk_offer,
    trunk_offer,
)
from tests.unit.trunk_sdps import BOTH, answer, offer, plain, refusal, sample


def test_offer_is_exactly_this() -> None:
    assert offer() == "\r\n".join(
        [
            "v=0",
            "o=- 5 2 IN IP4 192.0.2.1",
            "s=-",
            "c=IN IP4 192.0.2.1",
            "t=0 0",
            "m=audio 20000 RTP/AVP 0 8 101",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:8 PCMA/8000",
            "a=rtpmap:101 telephone-event/8000",
            "a=fmtp:101 0-16",
            "a=rtcp-xr:voip-metrics",
            "a=ptime:20",
            "a=sendrecv",
            "",
        ]
    )


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("a=rtcp-xr:voip-metrics", True),
        ("a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup voip-metrics", True),
        ("a=rtcp-xr:stat-summary", False),
        ("a=rtcp-xr", False),
        ("a=sendrecv", False),
    ],
)
def test_voip_metrics_are_sent_to_trunks_that_want_them(line: str, wanted: bool) -> None:
    of_section = plain(line)
    of_session = plain().replace("t=0 0\r\n", f"t=0 0\r\n{line}\r\n")
    for text in (of_section, of_session):
        media = read_trunk_offer(text, BOTH)
        assert media.voip_metrics == wanted
        assert ("a=rtcp-xr:voip-metrics" in str(answer(text, media))) == wanted
        assert read_trunk_answer(offer(), text).voip_metrics == wanted


def test_offer_with_opus_brings_a_telephone_event_of_its_clock_rate() -> None:
    audio = parse(offer("opus", "PCMU")).media[0]
    assert audio.formats == ("111", "0", "101", "110")
    assert [str(one) for one in audio.rtpmaps] == [
        "111 opus/48000/2",
        "0 PCMU/8000",
        "101 telephone-event/8000",
        "110 telephone-event/48000",
    ]


def test_offer_names_the_rtcp_port_only_when_it_is_not_the_next_one() -> None:
    assert parse(offer()).media[0].rtcp is None
    assert "a=rtcp:30000\r\n" in offer(rtcp_port=30_000)
    assert "a=rtcp-mux\r\n" in offer(rtcp_port=20_000)


def test_offer_on_ipv6_says_so() -> None:
    text = trunk_offer(address="2001:db8::1", rtp_port=20_000, rtcp_port=20_001, codecs=BOTH, session_id=1, version=1)
    assert "o=- 1 1 IN IP6 2001:db8::1\r\ns=-\r\nc=IN IP6 2001:db8::1\r\n" in text
    assert "a=ptime:20\r\n" in text


def test_hold_is_offered_by_direction() -> None:
    assert offer(direction=Direction.SENDONLY).endswith("a=sendonly\r\n")


def test_answer_of_asterisk_settles_everything() -> None:
    assert read_trunk_answer(offer(), sample("asterisk.answer")) == TrunkMedia(
        index=0,
        codec="PCMU",
        payload_type=0,
        telephone_events=(TelephoneEvent(101, 8000),),
        ptime_ms=20,
        rtp=("192.0.2.43", 14_260),
        rtcp=("192.0.2.43", 14_261),
        rtcp_mux=False,
        direction=Direction.SENDRECV,
    )


def test_terse_carrier_answer_has_its_own_rtcp_address_and_no_dtmf() -> None:
    media = read_trunk_answer(offer(), sample("carrier-terse.answer"))
    assert (media.codec, media.payload_type, media.ptime_ms) == ("PCMA", 8, 30)
    assert media.telephone_events == ()
    assert media.rtcp == ("198.51.100.31", 40_200)


def test_answer_with_forgotten_lines_is_understood() -> None:
    media = read_trunk_answer(offer(), sample("forgetful.answer"))
    assert (media.codec, media.rtp) == ("PCMU", ("192.0.2.46", 4000))


def test_rtcp_mux_needs_both_sides() -> None:
    text = sample("ipv6.answer")
    apart = read_trunk_answer(offer(), text)
    assert (apart.rtcp_mux, apart.rtp, apart.rtcp) == (False, ("2001:db8::7", 30_000), ("2001:db8::7", 30_001))
    shared = read_trunk_answer(offer(rtcp_port=20_000), text)
    assert (shared.rtcp_mux, shared.rtcp) == (True, ("2001:db8::7", 30_000))


def test_answer_may_reject_further_sections() -> None:
    media = read_trunk_answer(offer(), plain("m=video 0 RTP/AVP 31"))
    assert (media.index, media.rtp) == (0, ("192.0.2.9", 4000))


def test_our_own_rejected_section_is_not_the_one_that_was_answered() -> None:
    ours = offer().replace("m=audio", "m=audio 0 RTP/SAVP 18\r\nm=audio")
    assert read_trunk_answer(ours, plain()).codec == "PCMU"


def test_answer_never_allows_more_than_we_offered() -> None:
    media = read_trunk_answer(offer(direction=Direction.SENDONLY), plain())
    assert media.direction is Direction.RECVONLY
    assert not media.hold


def test_our_hold_is_answered_with_silence_in_both_directions() -> None:
    media = read_trunk_answer(offer(direction=Direction.SENDONLY), plain("a=inactive"))
    assert (media.direction, media.hold) == (Direction.INACTIVE, True)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["a=rtcp:5000 IN IP4 0.0.0.0"], ("192.0.2.9", 5000)),
        (["a=rtcp:5000 IN IP4 nowhere"], ("192.0.2.9", 5000)),
        (["a=rtcp:5000"], ("192.0.2.9", 5000)),
        (["a=rtcp:5000 IN IP6 2001:db8::9"], ("192.0.2.9", 4001)),
        ([], ("192.0.2.9", 4001)),
    ],
)
def test_rtcp_falls_back_to_the_address_of_rtp(lines: list[str], expected: tuple[str, int]) -> None:
    assert read_trunk_offer(plain(*lines), BOTH).rtcp == expected


def test_there_is_no_port_above_the_last() -> None:
    assert read_trunk_offer(plain(port=65_535), BOTH).rtcp is None


@pytest.mark.parametrize(
    ("lines", "codec", "ptime_ms"),
    [
        ([], "PCMU", 20),
        (["a=ptime:30"], "PCMU", 30),
        (["a=ptime:30"], "opus", 20),
        (["a=ptime:35"], "PCMU", 30),
        (["a=ptime:200"], "PCMU", 60),
        (["a=ptime:5"], "PCMU", 10),
        (["a=maxptime:10"], "PCMU", 10),
        (["a=ptime:40", "a=maxptime:30"], "PCMU", 30),
    ],
)
def test_packet_length_follows_the_peer_within_reason(lines: list[str], codec: CodecName, ptime_ms: int) -> None:
    text = plain(*lines, "a=rtpmap:96 opus/48000/2", formats="0 96")
    assert read_trunk_offer(text, [codec]).ptime_ms == ptime_ms


@pytest.mark.parametrize(("ours", "theirs"), [("192.0.2.1", "2001:db8::9"), ("2001:db8::1", "192.0.2.9")])
def test_address_of_the_other_family_is_refused_in_words(ours: str, theirs: str) -> None:
    media = read_trunk_offer(plain().replace("192.0.2.9", theirs), ("PCMU",))
    with pytest.raises(UnacceptableOffer, match=f"address {theirs}, but audio of trunks is IPv") as caught:
        check_reachable(media, ours)
    assert "`[[network]]`" in caught.value.hint
    check_reachable(media, theirs)


def test_hold_in_the_old_style_needs_no_address_to_be_reachable() -> None:
    check_reachable(read_trunk_offer(plain().replace("192.0.2.9", "0.0.0.0"), ("PCMU",)), "2001:db8::1")


def test_order_of_the_trunk_decides_among_our_codecs() -> None:
    text = sample("cisco.offer")
    assert read_trunk_offer(text, ("PCMA", "PCMU")).codec == "PCMU"
    assert read_trunk_offer(text, ("PCMA",)).codec == "PCMA"
    media = read_trunk_offer(text, ("PCMU", "opus"))
    assert (media.codec, media.payload_type) == ("opus", 114)


def test_answer_keeps_payload_types_and_rejects_video() -> None:
    text = sample("cisco.offer")
    media = read_trunk_offer(text, ("opus",))
    said = answer(text, media)
    assert said.origin.version == "3"
    assert [(section.kind, section.port, section.formats) for section in said.media] == [
        ("audio", 20_000, ("114", "101")),
        ("video", 0, ("97",)),
    ]
    assert said.media[0].fmtp(114) == "minptime=10;useinbandfec=1"
    assert said.media[0].direction is Direction.SENDRECV
    assert said.connection_of(said.media[1]) is not None


def test_optional_srtp_is_answered_on_the_plain_section() -> None:
    text = sample("yealink-optional-srtp.offer")
    media = read_trunk_offer(text, BOTH)
    assert media.index == 1
    said = answer(text, media)
    assert [(section.protocol, section.port) for section in said.media] == [("RTP/SAVP", 0), ("RTP/AVP", 20_000)]


def test_section_without_formats_is_still_rejected_well() -> None:
    text = plain().replace("m=audio", "m=text 9 RTP/AVP\r\nm=audio")
    assert answer(text, read_trunk_offer(text, BOTH)).media[0].formats == ("0",)


def test_offered_rtcp_mux_is_answered() -> None:
    text = plain("a=rtcp-mux")
    said = answer(text, read_trunk_offer(text, BOTH))
    assert said.media[0].rtcp_mux
    assert not answer(plain(), read_trunk_offer(plain(), BOTH)).media[0].rtcp_mux


@pytest.mark.parametrize(
    ("name", "theirs", "ours"),
    [
        ("twilio.offer", Direction.SENDRECV, Direction.SENDRECV),
        ("yealink-hold.offer", Direction.SENDONLY, Direction.RECVONLY),
        ("asterisk-hold.offer", Direction.INACTIVE, Direction.INACTIVE),
        ("rfc2543-hold.offer", Direction.SENDONLY, Direction.RECVONLY),
    ],
)
def test_every_form_of_hold_is_understood_and_mirrored(name: str, theirs: Direction, ours: Direction) -> None:
    text = sample(name)
    media = read_trunk_offer(text, BOTH)
    assert media.direction is theirs
    assert media.hold is not theirs.receives
    assert answer(text, media).media[0].direction is ours


def test_old_hold_leaves_no_address_to_send_to() -> None:
    media = read_trunk_offer(sample("rfc2543-hold.offer"), BOTH)
    assert (media.rtp, media.rtcp, media.hold) == (None, None, True)


def test_our_own_wish_limits_the_answer() -> None:
    media = read_trunk_offer(plain(), BOTH)
    assert answer(plain(), media, Direction.SENDONLY).media[0].direction is Direction.SENDONLY


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            plain("a=rtpmap:18 G729/8000", formats="18 101"),
            "The trunk answered with a codec that was not offered (G729).",
        ),
        (plain(formats="127"), "The trunk answered with a codec that was not offered (none that is known)."),
        (plain(port=0), "The trunk answered with its audio switched off (port 0)."),
        ("v=0\r\n", "The trunk answered without an audio section."),
        (
            plain().replace("RTP/AVP", "RTP/SAVP"),
            "The trunk answered only encrypted audio (RTP/SAVP), and this leg speaks plain RTP.",
        ),
    ],
)
def test_answer_that_cannot_be_served_is_refused_in_words(text: str, sentence: str) -> None:
    error = refusal(text, offer())
    assert isinstance(error, UnacceptableOffer)
    assert (str(error), error.sip_status) == (sentence, 488)
    assert error.hint


def test_answer_with_a_codec_of_ours_that_was_not_offered_is_refused() -> None:
    assert str(refusal(plain(), offer("PCMA"))) == "The trunk answered with a codec that was not offered (PCMU)."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (plain(formats="18 3"), "The trunk offered no codec that is allowed here (it offered G729, GSM)."),
        (
            sample("srtp-only.offer"),
            "The trunk offered only encrypted audio (RTP/SAVP), and this leg speaks plain RTP.",
        ),
        (
            plain().replace("c=IN IP4 192.0.2.9", "c=IN IP4 phone.example"),
            "The trunk's SDP gives phone.example as its address for audio, which is no IP address.",
        ),
        (
            plain().replace("c=IN IP4 192.0.2.9", "c=IN IP6 fe80::1%eth0"),
            "The trunk's SDP gives fe80::1%eth0 as its address for audio, which is no IP address.",
        ),
        (
            plain().replace("c=IN IP4 192.0.2.9", "c=IN IP4 233.252.0.1/127"),
            "The trunk's SDP gives 233.252.0.1 as its address for audio, which belongs to many hosts.",
        ),
        (
            plain().replace("c=IN IP4 192.0.2.9", "c=IN IP4 255.255.255.255"),
            "The trunk's SDP gives 255.255.255.255 as its address for audio, which belongs to many hosts.",
        ),
        (
            plain().replace("c=IN IP4 192.0.2.9", "c=IN IP6 ff02::1"),
            "The trunk's SDP gives ff02::1 as its address for audio, which belongs to many hosts.",
        ),
    ],
)
def test_offer_that_cannot_be_served_is_refused_in_words(text: str, sentence: str) -> None:
    error = refusal(text)
    assert isinstance(error, UnacceptableOffer)
    assert str(error) == sentence
    assert error.hint


def test_sdp_without_address_breaks_the_rules() -> None:
    error = refusal("v=0\r\nm=audio 4000 RTP/AVP 0\r\n")
    assert (type(error), str(error)) == (
        PeerError,
        "The trunk's SDP has no c= line, so there is no address for audio.",
    )


def test_unreadable_sdp_names_the_trunk_and_the_line() -> None:
    assert str(refusal("garbage")).startswith("The trunk's offer cannot be read. SDP line 1 (garbage)")
    assert str(refusal("garbage", offer())).startswith("The trunk's answer cannot be read. SDP line 1 (garbage)")


def test_long_lists_of_codecs_are_shortened_and_made_printable() -> None:
    maps = [f"a=rtpmap:{number} co\tdec{number}{'x' * 50}/8000" for number in range(96, 110)]
    words = str(refusal(plain(*maps, formats=" ".join(str(number) for number in range(96, 110)))))
    assert words.count("co?dec") == 8
    assert words.endswith(", …).")
    assert len(words) < 300
