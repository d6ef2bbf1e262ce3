import pytest
from mediacore import Relay

from call.codecs import (
    CODECS,
    Format,
    TelephoneEvent,
    canonical,
    codec_of,
    comfort_noise_beside,
    fitting_first,
    format_attributes,
    formats,
    is_foreign,
    our_events,
    our_formats,
    packet_length_ms,
    spoken,
    with_comfort_noise,
)
from call.sdp import MSection, parse
from tests.harness.media import rtp_ports


def section(media: str, *attributes: str) -> MSection:
    lines = ["v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "t=0 0", f"m=audio 4000 RTP/AVP {media}"]
    return parse("\r\n".join([*lines, *(f"a={line}" for line in attributes), ""])).media[0]


def test_g722_says_8000_though_its_samples_are_16000() -> None:
    assert formats(section("9")) == (Format("G722", 9),)
    assert str(CODECS["G722"].rtpmap) == "9 G722/8000"
    assert CODECS["G722"].is_wide


def test_a_static_payload_type_may_stand_for_something_else() -> None:
    assert formats(section("9 96", "rtpmap:9 PCMA/8000", "rtpmap:96 g722/8000")) == (
        Format("PCMA", 9),
        Format("G722", 96),
    )


def test_a_codec_at_another_clock_is_another_codec() -> None:
    assert formats(section("96 97", "rtpmap:96 G722/16000", "rtpmap:97 opus/48000/1")) == ()


def test_what_we_do_not_speak_keeps_its_clock_and_its_parameters() -> None:
    found = formats(section("97 98", "rtpmap:97 iLBC/8000", "fmtp:97 mode=20", "rtpmap:98 L16/44100/2"))
    assert found == (Format("ILBC/8000", 97, "mode=20"), Format("L16/44100/2", 98))
    assert [str(line) for line in format_attributes(found[:1], (), "0-15")] == [
        "rtpmap:97 ILBC/8000",
        "fmtp:97 mode=20",
    ]


def test_events_noise_and_copies_are_no_codecs() -> None:
    lines = ("rtpmap:63 red/48000/2", "rtpmap:101 telephone-event/8000", "rtpmap:105 CN/16000", "rtpmap:106 rtx/90000")
    assert formats(section("63 13 101 105 106", *lines)) == ()


@pytest.mark.parametrize(
    ("codec", "media", "lines", "payload_type"),
    [
        ("PCMU", "0 13", (), 13),
        ("PCMA", "8 97", ("rtpmap:97 cn/8000",), 97),
        ("PCMU", "0 105", ("rtpmap:105 CN/16000",), None),
        ("PCMU", "0 13", ("rtpmap:13 L16/8000",), None),
        ("G722", "9 13", (), None),
    ],
)
def test_comfort_noise_goes_beside_g711_under_any_payload_type(
    codec: str, media: str, lines: tuple[str, ...], payload_type: int | None
) -> None:
    assert comfort_noise_beside(codec, section(media, *lines)) == payload_type
    noisy = with_comfort_noise((codec,))
    assert noisy == ((codec,) if codec == "G722" else (codec, "CN"))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("g722", "G722"),
        ("OPUS", "opus"),
        ("pcma", "PCMA"),
        ("iLBC/8000", "ILBC/8000"),
        ("amr-wb/16000", "AMR-WB/16000"),
        ("L16/44100/2", "L16/44100/2"),
    ],
)
def test_names_are_known_in_any_case(text: str, name: str) -> None:
    assert canonical(text) == name
    assert is_foreign(name) == ("/" in name)


@pytest.mark.parametrize("text", ["", "iLBC", "/8000", "iLBC/0", "x y/8000", "x/999999", "CN/8000", "x" * 40 + "/8000"])
def test_other_texts_are_no_codecs(text: str) -> None:
    with pytest.raises(ValueError, match="is no codec"):
        canonical(text)


def test_the_mediacore_takes_every_name() -> None:
    relay = Relay(threads=1, networks=["127.0.0.1"], browser_port=0, rtp_ports=rtp_ports(400))
    try:
        leg = relay.rtp_leg()
        for name in (*CODECS, "ILBC/8000", "L16/44100/2"):
            leg.set_codec(name, 96)
    finally:
        relay.close()


def test_foreign_codecs_get_payload_types_of_their_own() -> None:
    offered = our_formats(["opus", "ILBC/8000", "PCMA", "SPEEX/16000"], {"ILBC/8000": "mode=20"})
    assert offered == [
        Format("opus", 111),
        Format("ILBC/8000", 96, "mode=20"),
        Format("PCMA", 8),
        Format("SPEEX/16000", 97),
    ]


def test_each_clock_has_its_telephone_event() -> None:
    assert our_events(["G722", "PCMU"]) == [TelephoneEvent(101, 8000)]
    assert our_events(["opus"]) == [TelephoneEvent(101, 8000), TelephoneEvent(110, 48_000)]
    wide, narrow = TelephoneEvent(110, 48_000), TelephoneEvent(126, 8000)
    assert fitting_first("G722", (wide, narrow)) == (narrow, wide)


@pytest.mark.parametrize(("wanted", "length"), [(5, 10), (20, 20), (30, 30), (50, 40), (90, 60)])
def test_packets_are_as_long_as_the_media_core_makes_them(wanted: int, length: int) -> None:
    assert packet_length_ms("G722", section("9", f"ptime:{wanted}")) == length


def test_codecs_in_words() -> None:
    assert spoken(["opus", "G722", "G729", "ILBC/8000"]) == "Opus, G.722, G.729, ILBC"
    assert codec_of("PCMU").spoken == "PCMU"
