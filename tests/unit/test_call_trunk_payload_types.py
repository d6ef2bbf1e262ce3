"""`call.trunk_sdp`: payload types of codecs, telephone-events and comfort noise, ours and those of trunks."""

import pytest

from call.codecs import TelephoneEvent
from call.errors import UnacceptableOffer
from call.trunk_sdp import read_trunk_answer, read_trunk_offer
from tests.unit.trunk_sdps import BOTH, answer, offer, plain, sample


def test_feedback_profile_is_kept_and_event_matches_the_clock_rate() -> None:
    text = sample("linphone.offer")
    media = read_trunk_offer(text, ("opus", "PCMU"))
    assert media.telephone_events == tuple(
        TelephoneEvent(number, clock) for number, clock in ((101, 48_000), (100, 8000), (99, 16_000))
    )
    assert answer(text, media).media[0].protocol == "RTP/AVPF"
    assert answer(text, media).media[0].formats == ("96", "101"), "digits are heard under all of them"
    assert read_trunk_offer(text, ("PCMU",)).telephone_events[0] == TelephoneEvent(100, 8000)


def test_opus_with_a_narrow_telephone_event_takes_that_one() -> None:
    media = read_trunk_offer(sample("baresip.offer"), ("opus",))
    assert (media.payload_type, media.telephone_events) == (96, (TelephoneEvent(101, 8000),))
    assert media.rtcp == ("192.0.2.44", 22_403)


def test_some_other_telephone_event_is_better_than_none() -> None:
    text = plain("a=rtpmap:101 telephone-event/16000")
    assert read_trunk_offer(text, BOTH).telephone_events == (TelephoneEvent(101, 16_000),)


@pytest.mark.parametrize("clock", [1, 7999, 48_001, 90_000])
def test_a_telephone_event_of_a_wild_clock_is_passed_over(clock: int) -> None:
    assert read_trunk_offer(plain(f"a=rtpmap:101 telephone-event/{clock}"), BOTH).telephone_events == ()


def test_no_more_telephone_events_are_taken_than_the_media_core_hears() -> None:
    numbers = range(96, 102)
    lines = (f"a=rtpmap:{number} telephone-event/8000" for number in numbers)
    text = plain(*lines, formats=" ".join(map(str, (0, *numbers))))
    assert [event.payload_type for event in read_trunk_offer(text, BOTH).telephone_events] == [96, 97, 98, 99]


def test_an_answer_may_keep_telephone_events_of_both_clocks() -> None:
    ours = offer("opus", "PCMU")
    lines = "a=rtpmap:111 opus/48000/2", "a=rtpmap:101 telephone-event/8000", "a=rtpmap:110 telephone-event/48000"
    wide = read_trunk_answer(ours, plain(*lines, formats="111 101 110"))
    assert wide.telephone_events == (TelephoneEvent(110, 48_000), TelephoneEvent(101, 8000))
    narrow = read_trunk_answer(ours, plain(*lines, formats="0 101 110"))
    assert narrow.telephone_events == (TelephoneEvent(101, 8000), TelephoneEvent(110, 48_000))


def test_an_answer_under_other_numbers_is_heard_under_ours_as_well() -> None:
    ours = offer("opus", "PCMU")
    renamed = plain("a=rtpmap:96 opus/48000/2", "a=rtpmap:97 telephone-event/48000", formats="96 97")
    media = read_trunk_answer(ours, renamed)
    assert (media.payload_type, media.offered_as) == (96, 111)
    assert media.telephone_events == tuple(
        TelephoneEvent(number, clock) for number, clock in ((97, 48_000), (101, 8000), (110, 48_000))
    )


def test_a_number_of_ours_that_the_answer_gives_another_meaning_keeps_that() -> None:
    ours = offer("opus", "PCMU")
    swapped = plain("a=rtpmap:110 opus/48000/2", "a=rtpmap:111 telephone-event/48000", formats="110 111")
    media = read_trunk_answer(ours, swapped)
    assert (media.payload_type, media.offered_as) == (110, None)
    assert media.telephone_events == (TelephoneEvent(111, 48_000), TelephoneEvent(101, 8000))


def test_keys_are_not_heard_where_the_answer_takes_no_telephone_event() -> None:
    assert read_trunk_answer(offer("opus", "PCMU"), plain(formats="0")).telephone_events == ()


def test_payload_type_zero_can_be_a_telephone_event() -> None:
    text = plain("a=rtpmap:0 telephone-event/8000", formats="8 0")
    media = read_trunk_offer(text, BOTH)
    assert (media.codec, media.telephone_events) == ("PCMA", (TelephoneEvent(0, 8000),))
    assert answer(text, media).media[0].formats == ("8", "0")


@pytest.mark.parametrize("payload_type", [0, 35, 95])
def test_answer_with_a_codec_under_a_number_that_is_not_free_is_refused(payload_type: int) -> None:
    text = plain(f"a=rtpmap:{payload_type} opus/48000/2", formats=str(payload_type))
    with pytest.raises(UnacceptableOffer, match=f"Opus under payload type {payload_type}, which is not free") as caught:
        read_trunk_answer(offer("opus"), text)
    assert "96 to 127" in caught.value.hint


def test_answer_with_a_static_codec_under_a_dynamic_number_is_understood() -> None:
    media = read_trunk_answer(offer(), plain("a=rtpmap:97 PCMU/8000", formats="97"))
    assert (media.codec, media.payload_type) == ("PCMU", 97)


def test_offer_without_telephone_event_is_answered_without() -> None:
    text = plain(formats="8")
    assert answer(text, read_trunk_offer(text, BOTH)).media[0].formats == ("8",)


@pytest.mark.parametrize(
    ("formats", "codecs", "answered"),
    [
        ("0 13", ("PCMU", "CN"), "RTP/AVP 0 13\r\n"),
        ("0 13", ("PCMU",), "RTP/AVP 0\r\n"),
        ("0", ("PCMU", "CN"), "RTP/AVP 0\r\n"),
        ("0 97", ("PCMU", "CN"), "RTP/AVP 0 97\r\n"),
        ("9 13", ("G722", "CN"), "RTP/AVP 9\r\n"),
    ],
)
def test_comfort_noise_is_answered_where_it_would_be_heard(
    formats: str, codecs: tuple[str, ...], answered: str
) -> None:
    text = offer().replace("RTP/AVP 0 8 101", f"RTP/AVP {formats}") + "a=rtpmap:97 CN/8000\r\n"
    media = read_trunk_offer(text, codecs)
    assert answered in str(answer(text, media))


@pytest.mark.parametrize(
    ("offered", "answered", "agreed"),
    [(("PCMU", "CN"), ("PCMU", "CN"), 13), (("PCMU",), ("PCMU", "CN"), None), (("PCMU", "CN"), ("PCMU",), None)],
)
def test_comfort_noise_is_agreed_only_where_both_sides_have_it(
    offered: tuple[str, ...], answered: tuple[str, ...], agreed: int | None
) -> None:
    assert read_trunk_answer(offer(*offered), offer(*answered)).comfort_noise == agreed


def test_comfort_noise_is_offered_and_is_no_codec_to_be_chosen() -> None:
    ours = offer("PCMU", "CN")
    assert "RTP/AVP 0 13 101\r\n" in ours
    assert "a=rtpmap:13 CN/8000\r\n" in ours
    only_noise = ours.replace("RTP/AVP 0 13 101", "RTP/AVP 13 101")
    with pytest.raises(UnacceptableOffer):
        read_trunk_answer(ours, only_noise)
