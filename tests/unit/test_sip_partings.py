"""`sip.partings` and `sip.dialognotes`: what the gateway keeps of a dialog until the far end knows that it is over."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sip.dialognotes import DialogNotes
from sip.messages import DialogNote, DialogOver
from sip.partings import PATIENCE_S, Partings
from sip.siptext import SipText, parse

HEAD = ["From: <sip:me@gw>;tag=ours", "Call-ID: c1", "Contact: <sip:x@pbx>"]
INVITE = "INVITE sip:4711@pbx SIP/2.0"


def text(start: str, cseq: str, tag: str = ";tag=theirs") -> str:
    return "\r\n".join([start, *HEAD, f"To: <sip:4711@pbx>{tag}", f"CSeq: {cseq}", "", ""])


def message(start: str, cseq: str, tag: str = ";tag=theirs") -> SipText:
    return parse(text(start, cseq, tag))


class Desk:
    """Keeps what the gateway is told, and the alarms."""

    def __init__(self) -> None:
        self.told: list[DialogNote | DialogOver] = []
        self.followed: list[tuple[int, int]] = []
        self.alarms: list[tuple[float, Callable[[int], None], int]] = []
        self.notes = DialogNotes("t", self.told.append)
        self.partings = Partings(lambda call, token: self.followed.append((call, token)), self._later)

    def _later(self, delay_s: float, action: Callable[[int], None], token: int) -> None:
        self.alarms.append((delay_s, action, token))

    @property
    def over(self) -> list[bool]:
        """Of each dialog that is over, whether its end was lost."""
        return [event.is_lost for event in self.told if isinstance(event, DialogOver)]

    def call(self, *statuses: int) -> int:
        """A call that has these answers is hung up; the token that it is followed by."""
        self.notes.sent(message(INVITE, "5 INVITE", tag=""))
        for status in statuses:
            self.notes.received(message(f"SIP/2.0 {status} X", "5 INVITE"))
        self.partings.begin(7, self.notes)
        ((call, token),) = self.followed
        assert call == 7
        return token


def test_a_call_is_over_when_its_bye_is_answered() -> None:
    desk = Desk()
    token = desk.call(200)
    desk.partings.told(token, text("SIP/2.0 200 OK", "6 BYE"), is_lost=False)
    assert desk.over == [False]


def test_a_bye_that_broke_with_its_connection_is_told_with_the_dialog() -> None:
    desk = Desk()
    token = desk.call(200)
    noted = desk.told[-1].dialog
    desk.partings.told(token, "", is_lost=True)
    assert desk.told[-1] == DialogOver(noted, is_lost=True)
    desk.partings.told(token, "", is_lost=True)
    assert desk.over == [True]


def test_a_bye_that_was_repeated_in_vain_was_not_lost() -> None:
    desk = Desk()
    desk.partings.told(desk.call(200), "", is_lost=False)
    assert desk.over == [False]


@pytest.mark.parametrize(("statuses", "is_lost"), [((), False), ((100,), True), ((183,), True)])
def test_a_ringing_call_is_lost_with_its_connection_if_anything_was_heard(
    statuses: tuple[int, ...], is_lost: bool
) -> None:
    desk = Desk()
    desk.partings.told(desk.call(*statuses), "", is_lost=True)
    assert desk.over == [is_lost]


def test_a_200_that_crosses_our_cancel_is_followed_by_bye() -> None:
    desk = Desk()
    token = desk.call(183)
    desk.partings.told(token, text("SIP/2.0 200 OK", "5 INVITE"), is_lost=False)
    assert desk.over == []
    desk.partings.told(token, "", is_lost=True)
    over = desk.told[-1]
    assert isinstance(over, DialogOver)
    assert (over.is_lost, over.dialog.invite) == (True, None)


def test_a_refusal_of_the_invite_ends_it() -> None:
    desk = Desk()
    desk.partings.told(desk.call(183), text("SIP/2.0 487 Terminated", "5 INVITE"), is_lost=False)
    assert desk.over == [False]


def test_a_challenge_is_no_end() -> None:
    desk = Desk()
    token = desk.call(200)
    desk.partings.told(token, text("SIP/2.0 401 Who?", "6 BYE"), is_lost=False)
    assert desk.over == []
    desk.partings.told(token, text("SIP/2.0 200 OK", "7 BYE"), is_lost=False)
    assert desk.over == [False]


def test_a_call_is_unheard_until_the_far_end_knows_of_its_end() -> None:
    desk = Desk()
    token = desk.call(200)
    assert desk.partings.unheard == 1
    desk.partings.told(token, text("SIP/2.0 200 OK", "6 BYE"), is_lost=False)
    assert desk.partings.unheard == 0


def test_a_caller_who_was_never_answered_is_not_waited_for() -> None:
    desk = Desk()
    desk.notes.received(message("INVITE sip:100@gw SIP/2.0", "1 INVITE", tag=""))
    desk.partings.begin(7, desk.notes)
    assert desk.partings.unheard == 0


def test_what_is_never_told_is_forgotten() -> None:
    desk = Desk()
    desk.call(200)
    ((delay_s, action, token),) = desk.alarms
    assert delay_s == PATIENCE_S
    action(token)
    assert desk.over == [False]


def test_the_peers_bye_leaves_nothing_to_end() -> None:
    desk = Desk()
    desk.notes.sent(message(INVITE, "5 INVITE", tag=""))
    desk.notes.received(message("SIP/2.0 200 OK", "5 INVITE"))
    desk.notes.received(message("BYE sip:me@gw SIP/2.0", "1 BYE"))
    desk.notes.close(is_lost=True)
    assert desk.over == [False]


def test_of_a_call_that_was_never_up_nothing_is_told() -> None:
    desk = Desk()
    desk.notes.received(message("INVITE sip:100@gw SIP/2.0", "1 INVITE", tag=""))
    desk.notes.close(is_lost=True)
    assert desk.told == []
