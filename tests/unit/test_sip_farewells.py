"""`sip.farewells` and `sip.ledger`: every orphan gets its end, once, and none is forgotten."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sip.dialogstate import DialogState, OpenInvite
from sip.farewells import FIRST_PAUSE_S, LEAP, LINGER_S, Farewells
from sip.ledger import MAX_TRIES, Ledger
from sip.messages import DialogNote, DialogOver, Farewell, Parted
from sip.siptext import SipText, parse

OURS, THEIRS = "<sip:me@gw>;tag=ours", "<sip:4711@pbx>;tag=theirs"
ANSWERED = DialogState("t", "c1", OURS, THEIRS, "sip:a@pbx", ("<sip:p1;lr>",), cseq=5)
RINGING = DialogState("t", "c1", OURS, THEIRS, "sip:a@pbx", cseq=6, invite=OpenInvite("sip:4711@pbx", "z9hG4bK7", 5))
OTHER = DialogState("t", "c2", OURS, THEIRS, "sip:a@pbx", cseq=5)
UNHEARD = DialogState("t", "c1", OURS, "<sip:4711@pbx>", "sip:4711@pbx", cseq=5, invite=RINGING.invite)


class Wire:
    """Writes down what is sent and said."""

    def __init__(self) -> None:
        self.sent: list[SipText] = []
        self.parted: list[Parted] = []
        self.alarms: list[tuple[float, Callable[[], None]]] = []
        self.now_s = 0.0
        self.is_broken = False
        self.farewells = Farewells(self._send, self.parted.append, self._after)

    def _send(self, trunk: str, text: str) -> int:
        assert trunk == "t"
        self.sent.append(parse(text))
        return 0 if self.is_broken else len(self.sent)

    def _after(self, delay_s: float, action: Callable[[], None]) -> None:
        self.alarms.append((self.now_s + delay_s, action))

    def wait(self, seconds: float) -> None:
        """What is due by then is done, in its order."""
        until_s = self.now_s + seconds
        while due := [alarm for alarm in self.alarms if alarm[0] <= until_s]:
            alarm = min(due, key=lambda each: each[0])
            self.alarms.remove(alarm)
            self.now_s = alarm[0]
            alarm[1]()
        self.now_s = until_s

    def say(self, dialog: DialogState) -> None:
        self.farewells.say(Farewell(1, dialog))

    @property
    def methods(self) -> list[str]:
        return [message.method for message in self.sent]


def response(status: int, to: str = THEIRS, call_id: str = "c1", cseq: int = 5) -> SipText:
    lines = [f"SIP/2.0 {status} X", f"To: {to}", f"Call-ID: {call_id}", f"CSeq: {cseq} INVITE", "Contact: <sip:b@pbx>"]
    return parse("\r\n".join([*lines, "", ""]))


def test_an_answered_call_gets_bye_within_its_dialog() -> None:
    wire = Wire()
    wire.say(ANSWERED)
    (bye,) = wire.sent
    assert bye.start_line == "BYE sip:a@pbx SIP/2.0"
    assert (bye.first("from"), bye.first("to"), bye.first("route")) == (OURS, THEIRS, "<sip:p1;lr>")
    assert bye.cseq == (5 + LEAP, "BYE")
    wire.farewells.final(1, 481)
    assert wire.parted == [Parted(1, 481)]


def test_saying_it_twice_sends_it_once() -> None:
    wire = Wire()
    wire.say(ANSWERED)
    wire.say(ANSWERED)
    assert wire.methods == ["BYE"]


@pytest.mark.parametrize("dialog", [RINGING, UNHEARD])
def test_an_open_invite_is_cancelled_as_it_was_sent(dialog: DialogState) -> None:
    wire = Wire()
    wire.say(dialog)
    (cancel,) = wire.sent
    assert cancel.start_line == "CANCEL sip:4711@pbx SIP/2.0"
    assert (cancel.branch, cancel.cseq, cancel.first("to")) == ("z9hG4bK7", (5, "CANCEL"), "<sip:4711@pbx>")
    wire.farewells.final(1, 200)
    assert wire.parted == []
    assert wire.farewells.stray(response(487))
    assert (wire.sent[1].method, wire.sent[1].branch) == ("ACK", "z9hG4bK7")
    assert wire.parted == [Parted(1, 487)]


def test_a_cancel_that_finds_nothing_is_followed_by_bye_if_there_is_a_dialog() -> None:
    early, unheard = Wire(), Wire()
    early.say(RINGING)
    early.farewells.final(1, 481)
    assert early.methods == ["CANCEL", "BYE"]
    unheard.say(UNHEARD)
    unheard.farewells.final(1, 481)
    assert (unheard.methods, unheard.parted) == (["CANCEL"], [Parted(1, 481)])


def test_each_fork_that_answers_is_acknowledged_each_time_and_ended_once() -> None:
    wire = Wire()
    wire.say(RINGING)
    for to in (THEIRS, THEIRS, "<sip:4711@pbx>;tag=other"):
        assert wire.farewells.stray(response(200, to))
    assert wire.methods == ["CANCEL", "ACK", "BYE", "ACK", "ACK", "BYE"]
    assert [m.start_line.split(" ")[1] for m in wire.sent[1:]] == ["sip:b@pbx"] * 5


def test_responses_of_others_are_let_pass() -> None:
    wire = Wire()
    wire.say(RINGING)
    assert not wire.farewells.stray(response(200, call_id="other"))
    assert not wire.farewells.stray(response(200, cseq=4))
    assert wire.methods == ["CANCEL"]


def test_a_peer_that_is_silent_is_given_up() -> None:
    wire = Wire()
    wire.say(RINGING)
    wire.wait(LINGER_S)
    assert wire.parted == [Parted(1, 408)]
    assert not wire.farewells.stray(response(200))


def test_what_cannot_be_sent_is_tried_again_with_longer_pauses_and_given_up() -> None:
    wire = Wire()
    wire.is_broken = True
    wire.say(ANSWERED)
    wire.wait(LINGER_S)
    assert wire.methods == ["BYE"] * 7  # after 0, 1, 3, 7, 15, 31 and 63 s
    assert wire.parted == [Parted(1, 408)]
    wire.wait(LINGER_S)
    assert len(wire.sent) == 7


def test_a_bye_whose_connection_broke_is_said_again_with_a_higher_number() -> None:
    wire = Wire()
    wire.say(ANSWERED)
    wire.farewells.final(1, 503, is_lost=True)
    assert wire.parted == []
    wire.wait(FIRST_PAUSE_S)
    first, second = wire.sent
    assert second.start_line == first.start_line
    assert second.cseq[0] > first.cseq[0] + 1, "which the answer to a challenge may have used"
    wire.farewells.final(2, 200)
    assert wire.parted == [Parted(1, 200)]


def test_a_refusal_that_was_heard_is_no_loss() -> None:
    wire = Wire()
    wire.say(ANSWERED)
    wire.farewells.final(1, 503)
    assert wire.parted == [Parted(1, 503)]


def test_a_cancel_whose_connection_broke_is_said_again_as_it_was() -> None:
    wire = Wire()
    wire.say(RINGING)
    wire.farewells.final(1, 503, is_lost=True)
    wire.wait(FIRST_PAUSE_S)
    assert wire.sent[0] == wire.sent[1]


def test_the_ledger_hands_over_what_lived_with_higher_numbers_each_time() -> None:
    ledger = Ledger()
    ledger.note(DialogNote(RINGING))
    ledger.note(DialogNote(ANSWERED))
    ledger.note(DialogNote(OTHER))
    assert ledger.over(DialogOver(OTHER, is_lost=False)) is None
    assert ledger.farewells() == []
    ledger.worker_lost()
    tries = [ledger.farewells() for _ in range(MAX_TRIES + 1)]
    assert [[farewell.number for farewell in each] for each in tries] == [[1]] * MAX_TRIES + [[]]
    numbers = [each[0].dialog.cseq for each in tries[:-1]]
    assert numbers == sorted(set(numbers))
    assert ledger.is_settled


def test_the_ledger_forgets_what_is_settled() -> None:
    ledger = Ledger()
    ledger.note(DialogNote(ANSWERED))
    ledger.worker_lost()
    ledger.note(DialogNote(OTHER))
    (farewell,) = ledger.farewells()
    ledger.parted(Parted(farewell.number, 200))
    assert ledger.is_settled
    ledger.worker_lost()
    assert [each.dialog for each in ledger.farewells()] == [OTHER]


def test_the_ledger_keeps_what_was_lost_with_its_connection_until_it_is_through() -> None:
    ledger = Ledger()
    ledger.note(DialogNote(ANSWERED))
    farewell = ledger.over(DialogOver(ANSWERED, is_lost=True))
    assert farewell == Farewell(1, ANSWERED)
    ledger.worker_lost()
    (again,) = ledger.farewells()
    assert (again.number, again.dialog.cseq) == (1, ANSWERED.cseq + 2 * LEAP)
    ledger.parted(Parted(1, 200))
    assert ledger.is_settled
    assert ledger.farewells() == []
