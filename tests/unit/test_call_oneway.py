import pytest

from call import oneway
from call.oneway import nothing_heard

NONE = {"rx_packets": 10, "dropped_unknown_source": 1, "dropped_unknown_payload": 2, "dropped_srtp_auth": 3}


@pytest.mark.parametrize("party", ["trunk", "browser"])
def test_no_packet_since_the_answer_is_told_with_what_to_check(party: oneway.Party) -> None:
    words = nothing_heard(party, NONE, NONE)
    assert words
    assert f"No packets from the {party} since the answer" in words[1]


def test_packets_that_stay_away_later_are_told_by_their_side() -> None:
    assert "microphone" in str(oneway.stopped("browser", NONE, NONE, 5))
    assert "on hold" in str(oneway.stopped("trunk", NONE, NONE, 5))
    assert "NAT" in str(oneway.stopped("trunk", NONE, NONE | {"dropped_unknown_source": 60}, 5))
    assert oneway.stopped("trunk", NONE, NONE | {"rx_packets": 11}, 5) is None


@pytest.mark.parametrize(
    ("life_ms", "seconds", "is_undecided"),
    [(None, 5, True), (20, 5, True), (2480, 5, False)],
    ids=["never here", "no life", "life"],
)
def test_a_browser_without_life_is_perhaps_lost_and_not_muted(
    life_ms: float | None, seconds: float, is_undecided: bool
) -> None:
    assert oneway.is_undecided("browser", {"rx_life_ms": life_ms}, seconds) == is_undecided


@pytest.mark.parametrize(
    ("life_s", "seconds", "is_undecided"),
    [(0.0, 5, False), (4.0, 5, True), (4.0, 11.9, True), (4.0, 12.1, False), (24.0, 29.9, True), (24.0, 30, False)],
)
def test_a_trunk_that_sends_rtcp_may_be_quiet(life_s: float, seconds: float, is_undecided: bool) -> None:
    assert oneway.is_undecided("trunk", {"rx_life_ms": life_s * 1000}, seconds) == is_undecided


def test_a_trunk_that_lives_on_without_a_sound_is_told_in_milder_words() -> None:
    for life_s, words in ((24.0, "silent for a while"), (4.0, "no longer heard")):
        assert words in str(oneway.stopped("trunk", NONE, NONE | {"rx_life_ms": life_s * 1000}, 30))


def test_one_packet_is_enough() -> None:
    assert nothing_heard("trunk", NONE, NONE | {"rx_packets": 11}) is None


@pytest.mark.parametrize(
    ("key", "rx_packets", "word"),
    [("dropped_unknown_source", 10, "NAT"), ("dropped_unknown_payload", 110, "codec")],
)
def test_what_was_dropped_instead_says_why(key: str, rx_packets: int, word: str) -> None:
    words = nothing_heard("trunk", NONE, NONE | {key: 102, "rx_packets": rx_packets})
    assert words
    assert word in words[1]


def test_what_cannot_be_decrypted_has_its_own_word() -> None:
    assert nothing_heard("trunk", NONE, NONE | {"dropped_srtp_auth": 100}) is None


def test_counters_that_are_not_there_are_zero() -> None:
    assert nothing_heard("browser", {}, {}) is not None


def test_silence_is_named_by_its_side() -> None:
    assert "microphone" in oneway.silence("browser")[0]
    assert "far end" in oneway.silence("trunk")[0]
