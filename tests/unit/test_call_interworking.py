from pathlib import Path

import pytest

from call.errors import UnacceptableOffer
from call.interworking import (
    BrowserOffer,
    Choice,
    CodecName,
    LocalTransport,
    Preference,
    TelephoneEvent,
    browser_answer,
    choose_browser_codec,
    codec_sentence,
    read_browser_offer,
    read_trunk_answer,
    read_trunk_offer,
    trunk_answer,
    trunk_offer,
)

CHROMIUM = (Path(__file__).parents[1] / "vectors" / "sdp" / "chromium.offer.sdp").read_bytes().decode()


def offer(formats: str = "111 0 8") -> BrowserOffer:
    return read_browser_offer(CHROMIUM.replace("SAVPF 111 63 9 0 8 13", f"SAVPF {formats}"))


def names(page: BrowserOffer) -> list[CodecName]:
    return [one.codec for one in page.codecs]


@pytest.mark.parametrize(
    ("formats", "trunk", "prefer", "choice"),
    [
        ("111 0 8", ["PCMA"], "quality", Choice("opus", "the route prefers quality")),
        (
            "0 8",
            ["opus", "PCMA"],
            "quality",
            Choice("PCMA", "the browser offers no Opus, and the trunk may speak the same"),
        ),
        ("0", ["PCMA"], "quality", Choice("PCMU", "the browser offers no Opus")),
        (
            "111 0 8",
            ["opus", "PCMA", "PCMU"],
            "cpu",
            Choice("PCMA", "the route prefers the trunk's own codec, to save transcoding"),
        ),
        (
            "111 0 8",
            ["opus"],
            "cpu",
            Choice("opus", "the route prefers the trunk's own codec, to save transcoding"),
        ),
        ("111", ["PCMU"], "cpu", Choice("opus", "the browser offers no codec of the trunk")),
        ("111 0 8", ["PCMU"], ["PCMA", "opus"], Choice("PCMA", "the route lists it")),
        ("111 0", ["PCMU"], ["PCMA", "opus"], Choice("opus", "the route lists it")),
    ],
)
def test_first_codec_follows_the_route(
    formats: str, trunk: list[CodecName], prefer: Preference, choice: Choice
) -> None:
    assert choose_browser_codec(names(offer(formats)), trunk, prefer) == choice


def test_route_that_allows_nothing_of_the_browser_is_refused_in_words() -> None:
    with pytest.raises(UnacceptableOffer) as caught:
        choose_browser_codec(names(offer("111 0")), ["PCMA"], ["PCMA"])
    assert str(caught.value) == (
        "The browser offers none of the codecs that the route allows (PCMA); it offered Opus, PCMU."
    )
    assert caught.value.hint


@pytest.mark.parametrize(
    ("browser", "trunk", "reason", "sentence"),
    [
        ("opus", "PCMU", "", "Browser speaks Opus and trunk speaks PCMU, so webtrunk transcodes."),
        (
            "opus",
            "PCMA",
            "the route prefers quality",
            "Browser speaks Opus and trunk speaks PCMA, so webtrunk transcodes (the route prefers quality).",
        ),
        ("PCMU", "PCMU", "", "Both speak PCMU: relayed without transcoding."),
        (
            "opus",
            "opus",
            "the route lists it",
            "Both speak Opus: relayed without transcoding (the route lists it).",
        ),
    ],
)
def test_codec_decision_is_told_in_one_sentence(
    browser: CodecName, trunk: CodecName, reason: str, sentence: str
) -> None:
    assert codec_sentence(browser, trunk, reason) == sentence


def test_two_legs_of_one_call_agree_each_with_its_own_peer() -> None:
    """A browser calls a trunk that is webtrunk too: every SDP we print is one that we read."""
    page = read_browser_offer(CHROMIUM)
    choice = choose_browser_codec(names(page), ["PCMA", "PCMU"], "cpu")
    transport = LocalTransport((("192.0.2.1", 21_000),), "gate", "a" * 24, "AB:CD")
    browser = browser_answer(page, codec=choice.codec, transport=transport, session_id=1, version=1)
    ours = trunk_offer(
        address="192.0.2.1", rtp_port=20_000, rtcp_port=20_001, codecs=["PCMA", "PCMU"], session_id=1, version=1
    )
    far = read_trunk_offer(ours, ["PCMU", "PCMA"])
    theirs = trunk_answer(ours, far, address="192.0.2.2", rtp_port=30_000, rtcp_port=30_005, session_id=2, version=1)
    trunk = read_trunk_answer(ours, theirs)
    assert (browser.format.codec, trunk.codec) == ("PCMA", "PCMA")
    assert (trunk.rtp, trunk.rtcp) == (("192.0.2.2", 30_000), ("192.0.2.2", 30_005))
    assert trunk.telephone_events == far.telephone_events == (TelephoneEvent(101, 8000),)
    assert codec_sentence(browser.format.codec, trunk.codec).startswith("Both speak PCMA")
