import pytest

from demo import voice
from demo.numbers import NUMBERS


@pytest.mark.parametrize("digit", "0123456789*#ABCD")
def test_every_key_has_its_word(digit: str) -> None:
    assert 1600 < len(voice.key(digit)) < 16_000


@pytest.mark.parametrize("name", ["hello", "early", "dtmf", "callback", "called-back", "unknown-caller", "music"])
def test_prompts_are_not_silent(name: str) -> None:
    recording = voice.prompt(name)
    quiet = sum(code | 0x80 > 0xF0 for code in recording)
    assert quiet < 0.9 * len(recording)


def test_the_announcement_of_early_media_ends_before_the_call_is_answered() -> None:
    assert len(voice.prompt("early")) / 8000 < 5.0


def test_one_period_of_ringback_is_five_seconds() -> None:
    tone = voice.ringback()
    assert len(tone) == 5 * 8000
    assert set(tone[8000:]) == {0xFF}


def test_the_numbers_are_those_that_the_page_offers() -> None:
    assert set(NUMBERS) == {
        "echo", "music", "hello", "early", "busy", "reject", "noanswer", "late", "dtmf", "callback"
    }  # fmt: skip
