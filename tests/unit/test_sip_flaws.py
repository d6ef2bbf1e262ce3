"""`sip.flaws`: what pjsip's log says about packets it drops, remembered by address."""

from __future__ import annotations

import pytest

from sip.flaws import LIFETIME_S, LIMIT, Flaws


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("line", "where", "flaw"),
    [
        (
            "Dropping 38 bytes packet from UDP 192.0.2.1:5060 : syntax error exception when parsing 'Via' header\n",
            ("192.0.2.1", 5060),
            "syntax error exception when parsing 'Via' header",
        ),
        (
            "Dropping 51 bytes packet from TCP 192.0.2.1:5060 : PJSIP syntax error exception when parsing "
            "'Request Line' header on line 1 col 5: PJSIP syntax error exception when "
            "parsing 'Via' header on line 2 col 1",
            ("192.0.2.1", 5060),
            "syntax error in line 1 (Request Line)",
        ),
        (
            "Error processing packet from 192.0.2.1:5060: Invalid/unexpected SIP status code (PJSIP_EINVALIDSTATUS)  "
            "[code 171030]:\nSIP/2.0 700 Odd",
            ("192.0.2.1", 5060),
            "Invalid/unexpected SIP status code",
        ),
        (
            "Error processing packet from 192.0.2.1:5061: Missing required header(s) Call-ID [code 171050]:\nINVITE",
            ("192.0.2.1", 5061),
            "Missing required header(s) Call-ID",
        ),
        (
            "Dropping 9 bytes packet from UDP [2001:db8::1]:5060 : x",
            ("2001:db8::1", 5060),
            "x",
        ),
    ],
)
def test_the_log_tells_who_sent_garbage(line: str, where: tuple[str, int], flaw: str) -> None:
    flaws = Flaws(Clock())
    assert flaws.note_log(line)
    assert flaws.of(frozenset((where[0], "198.51.100.1")), where[1]) == flaw
    assert flaws.of(frozenset((where[0],)), where[1] + 1) is None


def test_other_lines_are_left_alone() -> None:
    assert not Flaws(Clock()).note_log("Request verification failed: Not Acceptable Here")


def test_flaws_are_forgotten_after_a_while() -> None:
    clock = Clock()
    flaws = Flaws(clock)
    flaws.note("192.0.2.1", 5060, "bad")
    clock.now += LIFETIME_S
    assert flaws.of(frozenset(("192.0.2.1",)), 5060) is None


def test_a_flood_does_not_fill_the_memory() -> None:
    flaws = Flaws(Clock())
    for port in range(LIMIT + 10):
        flaws.note("192.0.2.1", port, "bad")
    assert flaws.of(frozenset(("192.0.2.1",)), 5) is None
    assert flaws.of(frozenset(("192.0.2.1",)), LIMIT + 9) == "bad"
