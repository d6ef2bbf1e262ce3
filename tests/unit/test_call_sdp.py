from pathlib import Path

import pytest

from call import sdp_attributes
from call.errors import PeerError
from call.sdp import MAX_BYTES, MAX_LINES, MAX_SECTIONS, Connection, MSection, Origin, SessionDescription, parse
from call.sdp_attributes import Attribute, Direction, Fingerprint, RtcpAddress, RtpMap

VECTORS = sorted((Path(__file__).parents[1] / "vectors" / "sdp").glob("*.sdp"))
DIGEST = ":".join(["AB"] * 32)


def read(name: str) -> SessionDescription:
    path = next(path for path in VECTORS if path.name == f"{name}.sdp")
    return parse(path.read_bytes().decode())


def section(*attributes: str, formats: str = "0", session: str = "") -> tuple[SessionDescription, MSection]:
    lines = "".join(f"a={attribute}\n" for attribute in attributes)
    description = parse(f"v=0\n{session}m=audio 4000 RTP/AVP {formats}\n{lines}")
    return description, description.media[0]


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_every_sample_survives_printing_and_parsing(path: Path) -> None:
    description = parse(path.read_bytes().decode())
    assert description.media
    assert parse(str(description)) == description


def test_chromium_offer_is_read_whole() -> None:
    offer = read("chromium.offer")
    audio = offer.media[0]
    assert offer.origin == Origin("-", "6883502219684532273", "2", "IP4", "127.0.0.1")
    assert offer.bundle_groups == (("0",),)
    assert (audio.kind, audio.port, audio.protocol) == ("audio", 9, "UDP/TLS/RTP/SAVPF")
    assert audio.payload_types == (111, 63, 9, 0, 8, 13, 110, 126)
    assert audio.rtpmaps[0] == RtpMap(111, "opus", 48_000, 2)
    assert audio.fmtp(111) == "minptime=10;useinbandfec=1"
    assert offer.ufrag_of(audio) == "HB2z"
    assert offer.pwd_of(audio) == "ozaP8m33DGXChW60NuJ9mlsu"
    assert offer.setup_of(audio) == "actpass"
    assert [fingerprint.algorithm for fingerprint in offer.fingerprints_of(audio)] == ["sha-256"]
    assert audio.rtcp == RtcpAddress(9, "0.0.0.0")
    assert audio.rtcp_mux
    assert audio.mid == "0"
    assert len(audio.candidates) == 2
    assert audio.candidates[0].split()[4].endswith(".local")


def test_firefox_keeps_fingerprint_and_direction_at_session_level() -> None:
    offer = read("firefox.offer")
    assert len(offer.fingerprints_of(offer.media[0])) == 1
    assert offer.direction_of(offer.media[0]) is Direction.SENDRECV


def test_section_overrides_the_session_and_falls_back_to_it() -> None:
    session = "c=IN IP4 192.0.2.1\na=inactive\na=ice-ufrag:sess\na=setup:ACTPASS\na=fingerprint:sha-1 AA:BB\n"
    description, audio = section(session=session)
    assert description.direction_of(audio) is Direction.INACTIVE
    assert description.ufrag_of(audio) == "sess"
    assert description.pwd_of(audio) is None
    assert description.setup_of(audio) == "actpass"
    assert description.fingerprints_of(audio) == (Fingerprint("sha-1", "AA:BB"),)
    assert description.connection_of(audio) == Connection("IP4", "192.0.2.1")
    own = ("sendonly", "ice-ufrag:mine", "setup:passive", f"fingerprint:SHA-256 {DIGEST.lower()}")
    description, audio = section(*own, session=session)
    assert description.direction_of(audio) is Direction.SENDONLY
    assert description.ufrag_of(audio) == "mine"
    assert description.setup_of(audio) == "passive"
    assert description.fingerprints_of(audio) == (Fingerprint("sha-256", DIGEST),)


def test_nothing_said_means_sendrecv_and_no_connection() -> None:
    description, audio = section()
    assert description.direction_of(audio) is Direction.SENDRECV
    assert description.connection_of(audio) is None
    assert description.setup_of(audio) is None
    assert description.fingerprints_of(audio) == ()


def test_forgotten_lines_get_their_defaults() -> None:
    answer = read("forgetful.answer")
    assert (answer.origin, answer.name, answer.timing) == (Origin(), "-", "0 0")
    assert str(answer).startswith("v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n")


def test_unknown_lines_go_and_unknown_attributes_stay() -> None:
    description = parse("v=0\nz=0 0\nq=?\na=who:knows:this\na=flag\na=empty:\n")
    assert description.attributes == (Attribute("who", "knows:this"), Attribute("flag"), Attribute("empty", ""))
    assert "q=" not in str(description)


def test_lines_of_a_section_are_printed_in_the_order_of_the_rfc() -> None:
    text = "v=0\r\no=a b 1 2 IN IP6 ::1\r\ns= \r\nc=IN IP6 ::1\r\nt=0 0\r\nm=audio 4000/2 RTP/AVP 0\r\n"
    text += "c=IN IP4 192.0.2.1\r\nb=AS:64\r\na=sendrecv\r\n"
    description = parse(text)
    assert description.origin.username == "a b"
    assert description.media[0].port_count == 2
    assert str(description) == text


def test_multicast_ttl_is_not_part_of_the_address() -> None:
    assert parse("v=0\nc=in ip4 233.252.0.1/127\n").connection == Connection("IP4", "233.252.0.1")


def test_static_payload_types_need_no_rtpmap_and_a_given_one_wins() -> None:
    _, audio = section("rtpmap:8 weird/16000", formats="18 8 0 99 x 0 300")
    assert audio.payload_types == (18, 8, 0, 99)
    assert audio.rtpmaps == (RtpMap(18, "G729", 8000), RtpMap(8, "weird", 16_000), RtpMap(0, "PCMU", 8000))


def test_codec_names_are_compared_without_case() -> None:
    assert RtpMap(0, "pcmu", 8000).is_called("PCMU")
    assert not RtpMap(0, "pcmu", 8000).is_called("PCMA")


def test_packet_lengths_are_read() -> None:
    _, audio = section("ptime:30", "maxptime:60")
    assert (audio.ptime_ms, audio.maxptime_ms) == (30, 60)


@pytest.mark.parametrize("value", ["", "0", "abc", "-20", "20.0", "99999", "²", "1" * 5000])
def test_nonsense_as_packet_length_counts_as_absent(value: str) -> None:
    _, audio = section(f"ptime:{value}", f"maxptime:{value}")
    assert audio.ptime_ms is None
    assert audio.maxptime_ms is None


def test_first_fmtp_of_the_payload_type_counts() -> None:
    _, audio = section("fmtp:97 b=1", "fmtp:96  a=1 ", "fmtp:96 c=1")
    assert audio.fmtp(96) == "a=1"
    assert audio.fmtp(98) == ""


def test_sdes_lines_are_kept_as_text() -> None:
    offer = read("yealink-optional-srtp.offer")
    assert [len(audio.crypto) for audio in offer.media] == [1, 0]
    assert offer.media[0].crypto[0].startswith("1 AES_CM_128_HMAC_SHA1_80 inline:")


def test_port_zero_is_a_refusal_unless_bundle_only() -> None:
    description = parse("v=0\nm=audio 0 RTP/AVP 0\nm=video 0 RTP/AVP 96\na=bundle-only\nm=audio 9 RTP/AVP 0\n")
    assert [audio.is_rejected for audio in description.media] == [True, False, False]


def test_only_bundle_groups_are_listed() -> None:
    description = parse("v=0\na=group:LS 1 2\na=group:BUNDLE a b\na=group:\na=group:bundle\n")
    assert description.bundle_groups == (("a", "b"), ())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("96 opus/48000/2", RtpMap(96, "opus", 48_000, 2)),
        ("9 G722/8000/1", RtpMap(9, "G722", 8000)),
        ("96  L16/44100/x", RtpMap(96, "L16", 44_100)),
        ("96 opus", None),
        ("96 opus/0", None),
        ("96 /8000", None),
        ("128 opus/48000", None),
        ("x opus/48000", None),
        ("", None),
    ],
)
def test_rtpmap_is_read_or_ignored(value: str, expected: RtpMap | None) -> None:
    assert sdp_attributes.rtpmap(value) == expected


def test_rtpmap_prints_its_channels_only_when_there_are_several() -> None:
    assert str(RtpMap(96, "opus", 48_000, 2)) == "96 opus/48000/2"
    assert str(RtpMap(0, "PCMU", 8000)) == "0 PCMU/8000"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("53020", RtcpAddress(53_020)),
        ("53020 IN IP6 2001:db8::1", RtcpAddress(53_020, "2001:db8::1")),
        ("0", None),
        ("70000", None),
        ("", None),
        ("x IN IP4 192.0.2.1", None),
    ],
)
def test_rtcp_address_is_read_or_ignored(value: str, expected: RtcpAddress | None) -> None:
    assert sdp_attributes.rtcp_address(value) == expected


@pytest.mark.parametrize("value", ["", "sha-256", "sha-256 AB", "sha-256 AB:C", "sha-256 XY:ZZ", " AB:CD"])
def test_malformed_fingerprint_is_ignored(value: str) -> None:
    assert sdp_attributes.fingerprint(value) is None


def test_fingerprint_prints_as_its_attribute_value() -> None:
    assert str(Fingerprint("sha-256", "AB:CD")) == "sha-256 AB:CD"


@pytest.mark.parametrize(
    ("direction", "sends", "receives", "mirrored"),
    [
        (Direction.SENDRECV, True, True, Direction.SENDRECV),
        (Direction.SENDONLY, True, False, Direction.RECVONLY),
        (Direction.RECVONLY, False, True, Direction.SENDONLY),
        (Direction.INACTIVE, False, False, Direction.INACTIVE),
    ],
)
def test_directions(direction: Direction, sends: bool, receives: bool, mirrored: Direction) -> None:
    assert (direction.sends, direction.receives, direction.mirrored) == (sends, receives, mirrored)
    assert direction.limited_to(Direction.SENDRECV) is direction
    assert direction.limited_to(Direction.INACTIVE) is Direction.INACTIVE
    assert Direction.RECVONLY.limited_to(direction).sends is False


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The SDP is empty."),
        ("\r\n\n", "The SDP is empty."),
        ("hello", "SDP line 1 (hello): a line is one letter, = and a value."),
        ("o=- 1 1 IN IP4 192.0.2.1\nv=0", "SDP line 1 (o=- 1 1 IN IP4 192.0.2.1): an SDP body starts with v=0."),
        ("v=1", "SDP line 1 (v=1): an SDP body starts with v=0."),
        ("v=0\no=- 1 1", "SDP line 2 (o=- 1 1): an o= line has six fields."),
        ("v=0\n\nc=IN IP4", "SDP line 3 (c=IN IP4): a c= line is IN, IP4 or IP6, and an address."),
        ("v=0\nc=ATM NSAP x", "SDP line 2 (c=ATM NSAP x): a c= line is IN, IP4 or IP6, and an address."),
        ("v=0\nc=IN IP5 x", "SDP line 2 (c=IN IP5 x): a c= line is IN, IP4 or IP6, and an address."),
        ("v=0\nc=IN IP4 /1", "SDP line 2 (c=IN IP4 /1): its address is missing."),
        ("v=0\nm=audio 1", "SDP line 2 (m=audio 1): an m= line has a kind, a port, a protocol and formats."),
        ("v=0\nm=audio x RTP/AVP 0", "SDP line 2 (m=audio x RTP/AVP 0): its port is not a number from 0 to 65535."),
        ("v=0\nm=audio 65536 RTP/AVP", "SDP line 2 (m=audio 65536 RTP/AVP): its port is not a number from 0 to 65535."),
        ("v=0\nm=audio 1/0 RTP/AVP", "SDP line 2 (m=audio 1/0 RTP/AVP): its port is not a number from 0 to 65535."),
        ("v=0\na=x\ry", "SDP line 2 (a=x?y): it holds a control character."),
        ("v=0\na=x\0y", "SDP line 2 (a=x?y): it holds a control character."),
    ],
)
def test_nonsense_is_refused_with_line_and_reason(text: str, message: str) -> None:
    with pytest.raises(PeerError) as caught:
        parse(text)
    assert str(caught.value) == message


def test_a_long_line_is_shortened_in_the_message() -> None:
    with pytest.raises(PeerError) as caught:
        parse("v=0\n" + "x" * 5000)
    assert str(caught.value) == f"SDP line 2 ({'x' * 60}): a line is one letter, = and a value."


def test_sizes_are_bounded() -> None:
    with pytest.raises(PeerError, match="longer than 32768 bytes"):
        parse("v=0\na=" + "é" * (MAX_BYTES // 2))
    with pytest.raises(PeerError, match="more than 512 lines"):
        parse("v=0\n" + "a=x\n" * MAX_LINES)
    with pytest.raises(PeerError, match="more than 32 m= sections"):
        parse("v=0\n" + "m=audio 9 RTP/AVP 0\n" * (MAX_SECTIONS + 1))


def test_sizes_within_the_bounds_are_taken() -> None:
    assert len(parse("v=0\n" + "a=x\n" * (MAX_LINES - 1)).attributes) == MAX_LINES - 1
    assert len(parse("v=0\n" + "m=audio 9 RTP/AVP 0\n" * MAX_SECTIONS).media) == MAX_SECTIONS
