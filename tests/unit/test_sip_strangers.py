"""`sip.strangers`: a scanner makes one line of log a minute."""

from __future__ import annotations

from sip.strangers import LIMIT, QUIET_S, Strangers


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_first_knock_is_told_and_the_others_are_counted() -> None:
    clock = Clock()
    strangers = Strangers(clock)
    assert [strangers.knock("192.0.2.1") for _ in range(4)] == [1, 0, 0, 0]
    assert strangers.knock("192.0.2.2") == 1
    clock.now += QUIET_S
    assert strangers.knock("192.0.2.1") == 4
    assert strangers.knock("192.0.2.1") == 0


def test_many_sources_do_not_fill_the_memory() -> None:
    strangers = Strangers(Clock())
    for number in range(LIMIT + 1):
        strangers.knock(str(number))
    assert strangers.knock("0") == 1
    assert strangers.knock(str(LIMIT)) == 0
