from itertools import product

import pytest

from call.codec_policy import (
    Choice,
    Preference,
    better_browser_codec,
    can_be_joined,
    change_sentence,
    choose_browser_codec,
    choose_trunk_codec,
    codec_sentence,
    default_codecs,
    offer_to_trunk,
)
from call.codecs import CodecName
from call.errors import UnacceptableOffer

CHROMIUM = ["opus", "G722", "PCMU", "PCMA"]
WITH_ILBC = [*CHROMIUM, "ILBC/8000"]


def test_quality_offers_wideband_first_and_cpu_what_costs_least() -> None:
    assert default_codecs("quality") == ("G722", "PCMU", "PCMA")
    assert default_codecs("cpu") == ("PCMU", "PCMA", "G722")
    assert default_codecs(["PCMA"]) == ("PCMU", "PCMA", "G722")


@pytest.mark.parametrize(
    ("offered", "trunk", "prefer", "codec"),
    [
        (CHROMIUM, ["G722", "PCMU"], "quality", "opus"),
        (CHROMIUM, ["G722", "PCMU"], "cpu", "G722"),
        (CHROMIUM, ["G729", "PCMA"], "cpu", "PCMA"),
        (["PCMU", "G722"], ["PCMU", "G722"], "quality", "G722"),
        (["PCMU", "G722"], ["PCMA"], "quality", "G722"),
        ([*CHROMIUM, "ILBC/8000"], ["ILBC/8000", "PCMA"], "cpu", "ILBC/8000"),
        ([*CHROMIUM, "ILBC/8000"], ["PCMA"], ["ILBC/8000", "PCMA"], "PCMA"),
        ([*CHROMIUM, "ILBC/8000"], ["ILBC/8000"], "quality", "ILBC/8000"),
        (["ILBC/8000"], ["PCMA", "ILBC/8000"], "quality", "ILBC/8000"),
    ],
)
def test_the_browsers_codec(
    offered: list[CodecName], trunk: list[CodecName], prefer: Preference, codec: CodecName
) -> None:
    assert choose_browser_codec(offered, trunk, prefer).codec == codec


def test_g729_of_a_browser_is_only_for_a_trunk_that_has_it() -> None:
    assert choose_browser_codec(["G729", "PCMA"], ["PCMU"], "quality").codec == "PCMA"
    assert choose_browser_codec(["G729", "PCMA"], ["G729"], "cpu").codec == "G729"
    with pytest.raises(UnacceptableOffer, match=r"no codec that webtrunk speaks with browsers \(it offered G\.729\)"):
        choose_browser_codec(["G729"], ["PCMU"], "quality")


def test_a_trunk_that_cannot_be_transcoded_needs_a_browser_that_has_its_codec() -> None:
    with pytest.raises(UnacceptableOffer) as caught:
        choose_browser_codec(CHROMIUM, ["ILBC/8000"], "quality")
    assert "speaks only ILBC, which webtrunk cannot transcode" in str(caught.value)
    assert choose_browser_codec([*CHROMIUM, "ILBC/8000"], ["ILBC/8000"], "quality") == Choice(
        "ILBC/8000", "it can only be passed on, and both sides have it"
    )


@pytest.mark.parametrize(
    ("offered", "now", "trunk", "prefer", "better"),
    [
        (CHROMIUM, "PCMU", "PCMA", "cpu", "PCMA"),
        (CHROMIUM, "PCMA", "opus", "cpu", "opus"),
        (CHROMIUM, "PCMU", "PCMU", "cpu", None),
        (CHROMIUM, "PCMU", "G729", "cpu", None),
        (["opus", "PCMU"], "PCMU", "G722", "cpu", None),
        (CHROMIUM, "opus", "PCMA", "quality", None),
        (CHROMIUM, "opus", "G722", "quality", None),
        (CHROMIUM, "PCMU", "opus", "quality", "opus"),
        (CHROMIUM, "PCMU", "G722", "quality", "opus"),
        (CHROMIUM, "PCMU", "PCMU", "quality", None),
        (["PCMU", "G722"], "G722", "PCMU", "quality", "PCMU"),
        (["PCMU", "G722"], "PCMU", "PCMA", "quality", None),
        (CHROMIUM, "PCMU", "PCMA", ["PCMU", "PCMA"], None),
        (CHROMIUM, "PCMU", "PCMA", ["PCMA", "PCMU"], "PCMA"),
        (CHROMIUM, "PCMU", "PCMA", ["opus", "PCMA"], None),
        (CHROMIUM, "PCMU", "G722", ["ILBC/8000"], None),
        ([*CHROMIUM, "ILBC/8000"], "opus", "ILBC/8000", "quality", "ILBC/8000"),
        (CHROMIUM, "opus", "ILBC/8000", "quality", None),
    ],
)
def test_the_browsers_codec_once_the_trunks_is_known(
    offered: list[CodecName], now: CodecName, trunk: CodecName, prefer: Preference, better: CodecName | None
) -> None:
    choice = better_browser_codec(now, offered, trunk, prefer)
    assert (choice.codec if choice else None) == better


@pytest.mark.parametrize("prefer", ["quality", "cpu", ["PCMA", "opus"]])
@pytest.mark.parametrize("offered", [CHROMIUM, CHROMIUM[::-1], ["PCMU", "G722"], ["G729", "PCMA"]])
def test_no_change_is_followed_by_another_while_the_trunk_speaks_the_same(
    offered: list[CodecName], prefer: Preference
) -> None:
    for now, trunk in product(offered, ["opus", "G722", "PCMU", "PCMA", "G729", "ILBC/8000"]):
        better = better_browser_codec(now, offered, trunk, prefer)
        assert better is None or better_browser_codec(better.codec, offered, trunk, prefer) is None


def test_one_sentence_says_why_another_codec_is_better() -> None:
    better = better_browser_codec("PCMU", CHROMIUM, "PCMA", "cpu")
    assert better is not None
    assert change_sentence("PCMU", "PCMA", better) == (
        "The trunk speaks PCMA, so PCMA is better for the browser than PCMU "
        "(the route prefers the trunk's own codec, to save transcoding)."
    )


TRUNK = ("ILBC/8000", "G722", "PCMU", "opus", "CN")


@pytest.mark.parametrize(
    ("browser", "prefer", "offered"),
    [
        ("opus", "quality", ("G722", "PCMU", "opus", "CN")),
        ("G722", "quality", ("G722", "PCMU", "opus", "CN")),
        ("PCMU", "cpu", ("PCMU", "G722", "opus", "CN")),
        ("PCMU", ["PCMU"], ("PCMU", "G722", "opus", "CN")),
        ("opus", ["opus", "PCMU", "PCMA"], ("opus", "PCMU", "G722", "CN")),
        ("PCMA", ["PCMA", "PCMU", "G722"], ("PCMU", "G722", "opus", "CN")),
        ("PCMU", ["G722", "PCMU"], ("PCMU", "G722", "opus", "CN")),
        ("PCMA", "cpu", ("G722", "PCMU", "opus", "CN")),
    ],
)
def test_what_the_trunk_is_offered_follows_the_browser(
    browser: CodecName, prefer: Preference, offered: tuple[CodecName, ...]
) -> None:
    assert offer_to_trunk(browser, CHROMIUM, TRUNK, prefer) == offered


@pytest.mark.parametrize(
    ("browser", "page", "prefer", "offered"),
    [
        ("opus", WITH_ILBC, "quality", ("G722", "PCMU", "opus", "CN", "ILBC/8000")),
        ("PCMU", WITH_ILBC, "cpu", ("PCMU", "G722", "opus", "CN", "ILBC/8000")),
        ("PCMU", WITH_ILBC, ["PCMU", "ILBC/8000"], ("PCMU", "G722", "opus", "CN", "ILBC/8000")),
        ("ILBC/8000", WITH_ILBC, "cpu", ("ILBC/8000", "G722", "PCMU", "opus", "CN")),
        ("ILBC/8000", WITH_ILBC, ["ILBC/8000"], ("ILBC/8000",)),
        ("ILBC/8000", ["ILBC/8000"], "quality", ("ILBC/8000",)),
    ],
)
def test_what_can_only_be_passed_on_is_offered_last_unless_the_browser_speaks_it(
    browser: CodecName, page: list[CodecName], prefer: Preference, offered: tuple[CodecName, ...]
) -> None:
    assert offer_to_trunk(browser, page, TRUNK, prefer) == offered


@pytest.mark.parametrize("prefer", ["quality", "cpu", ["ILBC/8000", "opus"], ["PCMU", "ILBC/8000"]])
@pytest.mark.parametrize("page", [CHROMIUM, WITH_ILBC, ["ILBC/8000", "PCMA"], ["PCMU", "ILBC/8000"]])
def test_whatever_the_trunk_takes_of_our_offer_is_heard_once_the_browser_has_changed_over(
    page: list[CodecName], prefer: Preference
) -> None:
    for now in page:
        for taken in offer_to_trunk(now, page, TRUNK, prefer):
            better = better_browser_codec(now, page, taken, prefer)
            assert can_be_joined(better.codec if better else now, taken)


@pytest.mark.parametrize(
    ("offered", "ours", "prefer", "codec"),
    [
        (["PCMU", "G722"], ["PCMU", "G722"], "quality", "G722"),
        (["PCMU", "G722"], ["PCMU", "PCMA"], "quality", "PCMU"),
        (["G729", "PCMU"], ["G729", "PCMU"], "cpu", "PCMU"),
        (["G722", "PCMU"], ["PCMU", "G722"], "cpu", "G722"),
        (["PCMU", "PCMA"], ["PCMU", "PCMA"], ["PCMA"], "PCMA"),
        (["PCMU", "PCMA", "G722"], ["PCMU", "PCMA", "G722"], ["G722", "PCMA"], "G722"),
        (["PCMU", "PCMA", "G722"], ["PCMU", "PCMA"], ["G722", "PCMA"], "PCMA"),
        (["PCMU", "G729"], ["G729", "PCMU"], ["G722", "PCMA"], "PCMU"),
        (["PCMA", "ILBC/8000"], ["PCMA", "ILBC/8000"], ["ILBC/8000"], "PCMA"),
        (["PCMU", "PCMA"], ["PCMA", "PCMU"], [], "PCMU"),
        (["ILBC/8000", "PCMA"], ["PCMA", "ILBC/8000"], "quality", "PCMA"),
        (["PCMA", "ILBC/8000"], ["ILBC/8000", "PCMA"], "quality", "ILBC/8000"),
        (["ILBC/8000"], ["ILBC/8000", "PCMA"], "quality", "ILBC/8000"),
        (["G729"], ["PCMU"], "quality", None),
    ],
)
def test_the_trunks_codec(
    offered: list[CodecName], ours: list[CodecName], prefer: Preference, codec: CodecName | None
) -> None:
    assert choose_trunk_codec(offered, ours, prefer) == codec


@pytest.mark.parametrize(
    ("browser", "trunk", "sentence"),
    [
        (
            "opus",
            "G722",
            "Browser speaks Opus and trunk speaks G.722, so webtrunk transcodes and keeps wideband (why).",
        ),
        ("opus", "G729", "Browser speaks Opus and trunk speaks G.729, so webtrunk transcodes (why)."),
        ("G722", "PCMA", "Browser speaks G.722 and trunk speaks PCMA, so webtrunk transcodes (why)."),
        ("G722", "G722", "Both speak G.722: relayed without transcoding (why)."),
        ("ILBC/8000", "ILBC/8000", "Both speak ILBC: relayed without transcoding (why)."),
        (
            "opus",
            "ILBC/8000",
            "Browser speaks Opus and trunk speaks ILBC, and webtrunk cannot transcode between them (why).",
        ),
    ],
)
def test_one_sentence_says_what_is_done_and_why(browser: CodecName, trunk: CodecName, sentence: str) -> None:
    assert codec_sentence(browser, trunk, "why") == sentence
