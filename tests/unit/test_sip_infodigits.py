"""`sip.infodigits`: DTMF bodies of SIP INFO, and digits that leave one after the other."""

from __future__ import annotations

import pytest

from sip import infodigits
from sip.infodigits import PLAIN, RELAY, Digit, InfoDigits


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        (RELAY, "Signal=5\r\nDuration=120\r\n", Digit("5", 120)),
        ("Application/DTMF-Relay", "signal = a\nduration = 90", Digit("A", 90)),
        (RELAY, "Signal= * \r\nDuration= 160", Digit("*", 160)),
        (RELAY, "Duration=250\r\nSignal=#\r\n", Digit("#", 250)),
        (RELAY, "Signal=5\r\n", Digit("5", 160)),
        (RELAY, "Signal=5\r\nDuration=0\r\n", Digit("5", 160)),
        (RELAY, "Signal=5\r\nDuration=1\r\n", Digit("5", 40)),
        (RELAY, "Signal=5\r\nDuration=100000\r\n", Digit("5", 60_000)),
        (RELAY, "Signal=10\r\n", Digit("*", 160)),
        (RELAY, "Signal=11\r\n", Digit("#", 160)),
        (RELAY, "Signal=15\r\n", Digit("D", 160)),
        (RELAY, "Signal=16\r\nDuration=500\r\n", Digit("", 500)),
        (RELAY, "Signal=hf\r\n", Digit("", 160)),
        (PLAIN, "#", Digit("#", 160)),
        (PLAIN, " d\r\n", Digit("D", 160)),
        (PLAIN, "11", Digit("#", 160)),
        (PLAIN, "Signal=7\r\nDuration=80\r\n", Digit("7", 80)),
        (RELAY, "Signal=\r\n", 400),
        (RELAY, "Signal=17\r\n", 400),
        (RELAY, "Signal=55x\r\n", 400),
        (RELAY, "Signal=²\r\n", 400),
        (RELAY, "5", 400),
        (PLAIN, "hello", 400),
        (PLAIN, "", 400),
        ("text/plain", "5", 415),
    ],
)
def test_bodies_of_info(kind: str, body: str, expected: Digit | int) -> None:
    assert infodigits.read(kind, body) == expected


@pytest.mark.parametrize("key", infodigits.KEYS)
def test_what_we_write_we_can_read(key: str) -> None:
    assert infodigits.read(RELAY, infodigits.body_of(RELAY, key, 100)) == Digit(key, 100)
    assert infodigits.read(PLAIN, infodigits.body_of(PLAIN, key, 100)) == Digit(key, 160)


class Wire:
    """Writes down what is sent and refused."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.refused: list[tuple[str, int]] = []
        self.is_broken = False
        self.digits = InfoDigits(self.send, lambda digits, status: self.refused.append((digits, status)))

    def send(self, kind: str, body: str) -> bool:
        self.sent.append((kind, body))
        return not self.is_broken

    @property
    def keys(self) -> str:
        return "".join(body.removeprefix("Signal=")[0] for _, body in self.sent)


def test_a_digit_waits_for_the_answer_to_the_one_before() -> None:
    wire = Wire()
    wire.digits.press("12", 100)
    wire.digits.press("3", 100)
    assert wire.keys == "1"
    wire.digits.answered(200)
    assert wire.keys == "12"
    wire.digits.answered(202)
    wire.digits.answered(200)
    wire.digits.answered(200)
    wire.digits.press("4", 100)
    assert (wire.keys, wire.refused) == ("1234", [])


def test_a_peer_that_knows_no_relay_gets_the_plain_body_from_then_on() -> None:
    wire = Wire()
    wire.digits.press("12", 100)
    wire.digits.answered(415)
    wire.digits.answered(200)
    assert wire.sent == [(RELAY, "Signal=1\r\nDuration=100\r\n"), (PLAIN, "1"), (PLAIN, "2")]


@pytest.mark.parametrize("answers", [(501,), (415, 415), (401, 401)])
def test_a_refusal_is_told_with_all_that_waits(answers: tuple[int, ...]) -> None:
    wire = Wire()
    wire.digits.press("12", 100)
    for status in answers:
        wire.digits.answered(status)
    assert wire.refused == [("12", answers[-1])]
    wire.digits.press("3", 100)
    assert wire.sent[-1][1] in ("Signal=3\r\nDuration=100\r\n", "3")


def test_what_cannot_be_sent_is_told() -> None:
    wire = Wire()
    wire.is_broken = True
    wire.digits.press("1", 100)
    assert wire.refused == [("1", 0)]


def test_keys_that_a_silent_peer_leaves_no_room_for_are_told_and_the_others_wait() -> None:
    wire = Wire()
    wire.digits.press("1" * infodigits.MOST_KEYS, 100)
    wire.digits.press("23", 100)
    assert wire.refused == [("23", infodigits.NO_ROOM)]
    wire.digits.press("4", 100)
    wire.digits.press("5", 100)
    assert wire.refused[1:] == [("5", infodigits.NO_ROOM)]
    for _ in range(infodigits.MOST_KEYS):
        wire.digits.answered(200)
    assert wire.keys == "1" * infodigits.MOST_KEYS + "4"
