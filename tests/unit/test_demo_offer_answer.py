import pytest

from call import sdp
from call.errors import PeerError, UnacceptableOffer
from call.sdp_attributes import Direction
from demo.offer_answer import PCMA, PCMU, LocalMedia, agree, answer, offer

LOCAL = LocalMedia("127.0.0.1", 16_384, 4711)


def remote(*media: str, connection: str = "c=IN IP4 192.0.2.1") -> str:
    return "\r\n".join(["v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", connection, "t=0 0", *media, ""])


def test_our_offer_holds_both_laws_and_events() -> None:
    (section,) = sdp.parse(offer(LOCAL)).media
    assert (section.kind, section.port, section.payload_types) == ("audio", 16_384, (0, 8, 101))
    assert section.ptime_ms == 20


def test_the_first_codec_that_both_speak_is_chosen() -> None:
    agreed = agree(remote("m=audio 4000 RTP/AVP 111 8 0 96", "a=rtpmap:111 opus/48000/2", "a=rtpmap:96 x/8000"))
    assert (agreed.codec, agreed.events) == (PCMA, None)
    assert (agreed.address, agreed.port) == ("192.0.2.1", 4000)


def test_events_take_the_payload_type_that_the_other_side_gave_them() -> None:
    text = remote(
        "m=audio 4000 RTP/AVP 0 96 97",
        "a=rtpmap:96 telephone-event/48000",
        "a=rtpmap:97 TELEPHONE-EVENT/8000",
    )
    agreed = agree(text)
    assert agreed.codec == PCMU
    assert agreed.events is not None
    assert agreed.events.payload_type == 97
    (section,) = sdp.parse(answer(text, agreed, LOCAL)).media
    assert section.formats == ("0", "97")
    assert section.fmtp(97) == "0-15"


def test_an_answer_has_a_section_for_every_section_of_the_offer() -> None:
    text = remote("m=video 5000 RTP/AVP 97", "m=audio 4000 RTP/AVP 0", "m=audio 4002 RTP/SAVP 0")
    sections = sdp.parse(answer(text, agree(text), LOCAL)).media
    assert [(section.kind, section.port, section.protocol) for section in sections] == [
        ("video", 0, "RTP/AVP"),
        ("audio", 16_384, "RTP/AVP"),
        ("audio", 0, "RTP/SAVP"),
    ]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("sendrecv", Direction.SENDRECV),
        ("sendonly", Direction.RECVONLY),
        ("recvonly", Direction.SENDONLY),
        ("inactive", Direction.INACTIVE),
    ],
)
def test_hold_is_answered_with_its_mirror(said: str, expected: Direction) -> None:
    text = remote("m=audio 4000 RTP/AVP 0", f"a={said}")
    agreed = agree(text)
    assert agreed.direction is expected
    assert sdp.parse(answer(text, agreed, LOCAL)).media[0].direction is expected


def test_the_old_way_of_holding_stops_us_too() -> None:
    assert not agree(remote("m=audio 4000 RTP/AVP 0", connection="c=IN IP4 0.0.0.0")).direction.sends


@pytest.mark.parametrize(
    "media",
    [
        (),
        ("m=video 4000 RTP/AVP 96",),
        ("m=audio 0 RTP/AVP 0",),
        ("m=audio 4000 RTP/SAVP 0",),
        ("m=audio 4000 RTP/AVP 9 18",),
    ],
)
def test_an_offer_that_we_cannot_speak_is_refused_with_488(media: tuple[str, ...]) -> None:
    with pytest.raises(UnacceptableOffer) as refusal:
        agree(remote(*media))
    assert refusal.value.sip_status == 488


def test_garbage_is_the_peers_error() -> None:
    with pytest.raises(PeerError):
        agree("hello")


def test_an_ipv6_address_is_announced_as_such() -> None:
    described = sdp.parse(offer(LocalMedia("::1", 16_384, 1)))
    assert described.connection is not None
    assert (described.connection.address_type, described.connection.address) == ("IP6", "::1")
