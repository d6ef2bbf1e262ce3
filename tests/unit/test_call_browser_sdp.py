from pathlib import Path

import pytest

from call.browser_sdp import BrowserOffer, LocalTransport, Setup, browser_answer, read_browser_offer
from call.codecs import Format, TelephoneEvent
from call.errors import GatewayError, PeerError, UnacceptableOffer
from call.sdp import parse
from call.sdp_attributes import Direction

VECTORS = Path(__file__).parents[1] / "vectors" / "sdp"
DIGEST = ":".join(["AB"] * 32)
TRANSPORT = LocalTransport(
    addresses=(("192.0.2.1", 21_000), ("2001:db8::1", 21_000)),
    ufrag="gate",
    pwd="a" * 24,
    fingerprint_sha256=DIGEST.lower(),
)


def sample(name: str) -> str:
    return (VECTORS / f"{name}.offer.sdp").read_bytes().decode()


CHROMIUM = sample("chromium")
FIREFOX = sample("firefox")


def without(text: str, *starts: str) -> str:
    return "\r\n".join(line for line in text.split("\r\n") if not line.startswith(starts))


def refusal(text: str) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        read_browser_offer(text)
    return caught.value


def answer_lines(offer: BrowserOffer, direction: Direction = Direction.SENDRECV) -> list[str]:
    answer = browser_answer(
        offer, codec=offer.codecs[0].codec, transport=TRANSPORT, session_id=77, version=3, direction=direction
    )
    return answer.sdp.split("\r\n")


def test_offer_of_nothing_but_what_is_only_passed_on_can_be_served() -> None:
    alone = CHROMIUM.replace("SAVPF 111 63 9 0 8 13", "SAVPF 111").replace("opus/48000/2", "iLBC/8000")
    assert read_browser_offer(alone).codec_names == ("ILBC/8000",)


def test_chromium_offer_gives_what_the_call_needs() -> None:
    offer = read_browser_offer(CHROMIUM)
    assert (offer.ufrag, offer.pwd) == ("HB2z", "ozaP8m33DGXChW60NuJ9mlsu")
    assert [fingerprint.algorithm for fingerprint in offer.fingerprints] == ["sha-256"]
    assert (offer.setup, offer.mid, offer.direction) == ("actpass", "0", Direction.SENDRECV)
    assert offer.codecs == (Format("opus", 111), Format("G722", 9), Format("PCMU", 0), Format("PCMA", 8))
    assert offer.telephone_events == (TelephoneEvent(110, 48_000), TelephoneEvent(126, 8000))
    assert offer.rejected == ()


@pytest.mark.parametrize(
    ("text", "codec", "wanted", "formats"),
    [
        (CHROMIUM, "PCMU", True, "0 13 126"),
        (CHROMIUM, "PCMU", False, "0 126"),
        (CHROMIUM, "opus", True, "111 110"),
        (FIREFOX, "PCMU", True, "0 101"),
    ],
)
def test_comfort_noise_is_answered_beside_g711_to_browsers_that_offer_it(
    text: str, codec: str, wanted: bool, formats: str
) -> None:
    answer = browser_answer(
        read_browser_offer(text), codec=codec, transport=TRANSPORT, session_id=1, version=1, comfort_noise=wanted
    )
    assert f"UDP/TLS/RTP/SAVPF {formats}\r\n" in answer.sdp
    assert answer.comfort_noise == (13 if "13" in formats.split() else None)
    assert ("a=rtpmap:13 CN/8000" in answer.sdp) == ("13" in formats.split())


def test_firefox_offers_telephone_event_at_8000_only() -> None:
    offer = read_browser_offer(FIREFOX)
    assert offer.codecs[0] == Format("opus", 109)
    assert offer.telephone_events == (TelephoneEvent(101, 8000),)


def test_answer_to_chromium_is_exactly_this() -> None:
    answer = browser_answer(read_browser_offer(CHROMIUM), codec="opus", transport=TRANSPORT, session_id=77, version=3)
    assert answer.sdp == "\r\n".join(
        [
            "v=0",
            "o=- 77 3 IN IP4 192.0.2.1",
            "s=-",
            "t=0 0",
            "a=group:BUNDLE 0",
            "a=ice-lite",
            "m=audio 21000 UDP/TLS/RTP/SAVPF 111 110",
            "c=IN IP4 192.0.2.1",
            "a=mid:0",
            "a=sendrecv",
            "a=rtcp-mux",
            "a=msid:webtrunk audio",
            "a=rtpmap:111 opus/48000/2",
            "a=fmtp:111 minptime=10;useinbandfec=1",
            "a=rtpmap:110 telephone-event/48000",
            "a=fmtp:110 0-15",
            "a=ptime:20",
            "a=ice-ufrag:gate",
            f"a=ice-pwd:{'a' * 24}",
            f"a=fingerprint:sha-256 {DIGEST}",
            "a=setup:passive",
            "a=candidate:1 1 udp 2130706431 192.0.2.1 21000 typ host",
            "a=candidate:2 1 udp 2130706175 2001:db8::1 21000 typ host",
            "a=end-of-candidates",
            "",
        ]
    )
    assert answer.format == Format("opus", 111)
    assert answer.telephone_event == TelephoneEvent(110, 48_000)
    assert (answer.ptime_ms, answer.direction, answer.setup) == (20, Direction.SENDRECV, "passive")


def test_answer_with_pcmu_takes_its_own_clock_rate_of_telephone_event() -> None:
    answer = browser_answer(read_browser_offer(CHROMIUM), codec="PCMU", transport=TRANSPORT, session_id=1, version=1)
    audio = parse(answer.sdp).media[0]
    assert audio.formats == ("0", "126")
    assert audio.fmtp(0) == ""
    assert answer.telephone_event == TelephoneEvent(126, 8000)


def test_answer_to_firefox_takes_the_only_telephone_event_beside_opus() -> None:
    answer = browser_answer(read_browser_offer(FIREFOX), codec="opus", transport=TRANSPORT, session_id=1, version=1)
    assert parse(answer.sdp).media[0].formats == ("109", "101")
    assert answer.telephone_event == TelephoneEvent(101, 8000)


@pytest.mark.parametrize(("line", "length_ms"), [("a=ptime:60", 60), ("a=maxptime:10", 10), ("a=ptime:33", 20)])
def test_a_browser_gets_packets_of_the_length_that_it_asks_for(line: str, length_ms: int) -> None:
    text = CHROMIUM.replace("a=rtcp-mux", f"{line}\r\na=rtcp-mux", 1)
    answer = browser_answer(read_browser_offer(text), codec="opus", transport=TRANSPORT, session_id=1, version=1)
    assert (answer.ptime_ms, parse(answer.sdp).media[0].ptime_ms) == (length_ms, length_ms)


def test_offer_without_telephone_event_is_answered_without() -> None:
    text = without(CHROMIUM, "a=rtpmap:110", "a=rtpmap:126")
    answer = browser_answer(read_browser_offer(text), codec="opus", transport=TRANSPORT, session_id=1, version=1)
    assert parse(answer.sdp).media[0].formats == ("111",)
    assert answer.telephone_event is None


def test_video_and_data_are_rejected_outside_the_bundle() -> None:
    offer = read_browser_offer(sample("video-and-data"))
    assert offer.rejected == (1, 2)
    answer = parse("\r\n".join(answer_lines(offer)))
    assert answer.bundle_groups == (("a",),)
    assert [(section.kind, section.port, section.mid) for section in answer.media] == [
        ("audio", 21_000, "a"),
        ("video", 0, "v"),
        ("application", 0, "d"),
    ]
    assert answer.media[2].formats == ("webrtc-datachannel",)
    assert all(section.direction is Direction.INACTIVE for section in answer.media[1:])


def test_audio_behind_a_rejected_audio_section_is_found() -> None:
    head, body = CHROMIUM.split("m=audio", 1)
    offer = read_browser_offer(f"{head}m=audio 0 UDP/TLS/RTP/SAVPF\r\nm=audio{body}")
    assert offer.index == 1
    answer = parse("\r\n".join(answer_lines(offer)))
    assert [section.port for section in answer.media] == [0, 21_000]
    assert answer.media[0].formats == ("0",)
    assert answer.media[0].mid is None


def test_offer_without_mid_or_group_is_answered_without() -> None:
    lines = answer_lines(read_browser_offer(without(CHROMIUM, "a=mid", "a=group")))
    assert not [line for line in lines if line.startswith(("a=mid", "a=group"))]
    lines = answer_lines(read_browser_offer(without(CHROMIUM, "a=group")))
    assert "a=mid:0" in lines
    assert not [line for line in lines if line.startswith("a=group")]


@pytest.mark.parametrize(
    ("offered", "wish", "agreed"),
    [
        (Direction.SENDRECV, Direction.SENDRECV, Direction.SENDRECV),
        (Direction.SENDRECV, Direction.SENDONLY, Direction.SENDONLY),
        (Direction.SENDONLY, Direction.SENDRECV, Direction.RECVONLY),
        (Direction.RECVONLY, Direction.SENDRECV, Direction.SENDONLY),
        (Direction.INACTIVE, Direction.SENDRECV, Direction.INACTIVE),
    ],
)
def test_direction_is_cut_to_what_the_offer_allows(offered: Direction, wish: Direction, agreed: Direction) -> None:
    offer = read_browser_offer(CHROMIUM.replace("a=sendrecv", f"a={offered.value}"))
    lines = answer_lines(offer, wish)
    assert f"a={agreed.value}" in lines
    assert ("a=msid:webtrunk audio" in lines) is agreed.sends


@pytest.mark.parametrize(
    ("offered", "current", "ours"),
    [
        ("actpass", None, "passive"),
        ("active", None, "passive"),
        ("passive", None, "active"),
        ("actpass", "active", "active"),
        ("actpass", "passive", "passive"),
        ("passive", "passive", "active"),
        ("active", "active", "passive"),
    ],
)
def test_dtls_role_stays_while_the_offer_allows_it(offered: str, current: Setup | None, ours: Setup) -> None:
    offer = read_browser_offer(CHROMIUM.replace("a=setup:actpass", f"a=setup:{offered}"))
    setup = offer.answer_setup(current)
    assert setup == ours
    answer = browser_answer(offer, codec="opus", transport=TRANSPORT, session_id=1, version=1, setup=setup)
    assert (answer.setup, f"a=setup:{ours}" in answer.sdp.split("\r\n")) == (ours, True)


def test_offer_without_setup_counts_as_actpass() -> None:
    assert read_browser_offer(without(CHROMIUM, "a=setup")).setup == "actpass"


def test_ipv6_gateway_answers_with_ip6_lines() -> None:
    transport = LocalTransport((("2001:db8::1", 21_000),), "gate", "a" * 24, DIGEST)
    answer = parse(
        browser_answer(read_browser_offer(CHROMIUM), codec="opus", transport=transport, session_id=1, version=1).sdp
    )
    assert (answer.origin.address_type, answer.media[0].connection) == ("IP6", answer.connection_of(answer.media[0]))
    assert str(answer.media[0].connection) == "IN IP6 2001:db8::1"


def test_only_strong_fingerprints_are_kept() -> None:
    text = CHROMIUM.replace("a=setup", f"a=fingerprint:sha-1 AB:CD\r\na=fingerprint:SHA-512 {DIGEST}\r\na=setup")
    assert [one.algorithm for one in read_browser_offer(text).fingerprints] == ["sha-256", "sha-512"]


def test_an_older_spelling_of_the_protocol_is_taken_and_kept() -> None:
    offer = read_browser_offer(CHROMIUM.replace("UDP/TLS/RTP/SAVPF", "RTP/SAVPF"))
    assert "m=audio 21000 RTP/SAVPF 111 110" in answer_lines(offer)


def test_bundle_only_audio_is_not_taken_for_a_rejected_one() -> None:
    offer = read_browser_offer(CHROMIUM.replace("m=audio 9", "m=audio 0").replace("a=mid", "a=bundle-only\r\na=mid"))
    assert offer.index == 0


def test_codec_that_the_browser_lacks_is_refused() -> None:
    offer = read_browser_offer(without(CHROMIUM, "a=rtpmap:111"))
    with pytest.raises(UnacceptableOffer) as caught:
        browser_answer(offer, codec="opus", transport=TRANSPORT, session_id=1, version=1)
    assert str(caught.value) == "The browser does not offer Opus (it offered red, G722, PCMU, PCMA, CN)."


NO_AUDIO = without(CHROMIUM, "a=", "c=").replace("m=audio", "m=video")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (NO_AUDIO, "The browser's offer has no audio section."),
        ("v=0\r\n", "The browser's offer has no audio section."),
        (CHROMIUM.replace("m=audio 9", "m=audio 0"), "The browser's offer has its audio switched off (port 0)."),
        (CHROMIUM.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"), "The browser's offer has audio without DTLS-SRTP."),
        (
            without(CHROMIUM, "a=rtcp-mux"),
            "The browser's offer lacks a=rtcp-mux, and webtrunk has one port for all.",
        ),
        (without(CHROMIUM, "a=ice-ufrag"), "The browser's offer has no ICE user name and password for audio."),
        (without(CHROMIUM, "a=ice-pwd"), "The browser's offer has no ICE user name and password for audio."),
        (without(CHROMIUM, "a=fingerprint"), "The browser's offer has no DTLS certificate fingerprint."),
        (CHROMIUM.replace("sha-256", "sha-1"), "The browser's offer has only weak certificate fingerprints."),
        (CHROMIUM.replace("setup:actpass", "setup:holdconn"), "The browser's offer does not let DTLS begin."),
        (
            CHROMIUM.replace("SAVPF 111 63 9 0 8 13", "SAVPF 63 13"),
            "The browser offered no audio codec that webtrunk speaks (it offered red, CN).",
        ),
        (
            without(CHROMIUM, "a=rtpmap").replace("SAVPF 111 63 9 0 8 13", "SAVPF 111"),
            "The browser offered no audio codec that webtrunk speaks (it offered none that is known).",
        ),
    ],
)
def test_offer_that_cannot_be_served_is_refused_in_words(text: str, sentence: str) -> None:
    error = refusal(text)
    assert isinstance(error, UnacceptableOffer)
    assert (str(error), error.sip_status) == (sentence, 488)
    assert error.hint


@pytest.mark.parametrize(
    "text",
    [
        CHROMIUM.replace("ice-ufrag:HB2z", "ice-ufrag:HB2"),
        CHROMIUM.replace("ice-ufrag:HB2z", "ice-ufrag:HB 2z"),
        CHROMIUM.replace("ice-pwd:oza", "ice-pwd:oz\u00e9"),
        CHROMIUM.replace("ice-pwd:ozaP8m33DGX", "ice-pwd:"),
    ],
)
def test_malformed_ice_credentials_break_the_rules(text: str) -> None:
    error = refusal(text)
    assert (type(error), error.sip_status) == (PeerError, 400)


def test_unreadable_offer_names_the_browser_and_the_line() -> None:
    assert str(refusal("v=0\r\nm=audio")).startswith("The browser's offer cannot be read. SDP line 2 (m=audio)")


def test_stereo_less_opus_is_another_codec() -> None:
    error = refusal(CHROMIUM.replace("opus/48000/2", "opus/48000").replace("SAVPF 111 63 9 0 8 13", "SAVPF 111"))
    assert "it offered opus" in str(error)
