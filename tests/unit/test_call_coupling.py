import pytest

from call.causes import cancelled, hung_up, trunk_ending
from call.codecs import Format
from call.coupling import Accept, Addressed, Call, Hold, Press, Progress, Release, Side, Suit, Warn, step
from call.errors import ImpossibleTransition
from call.leg import Answered, DialogState, Ended, Failed, Held, LegEvent, Pressed, Ringing, Settled

CALLER, CALLEE = Side.CALLER, Side.CALLEE
BUSY = trunk_ending(trunk="demo", number="busy", status=486)
HEADERS = (("X-Ticket", "42"),)

History = tuple[tuple[Side, LegEvent], ...]
ANSWERED: History = ((CALLEE, Ringing()), (CALLEE, Answered()))


def run(*history: tuple[Side, LegEvent]) -> tuple[Call, list[Addressed]]:
    """The call after a history, and what its last event commanded."""
    call, commands = Call(), list[Addressed]()
    for side, event in history:
        call, commands = step(call, side, event)
    return call, commands


def test_ringing_is_told_to_the_caller_with_its_headers() -> None:
    call, commands = run((CALLEE, Ringing(183, early_media=True, headers=HEADERS)))
    assert commands == [(CALLER, Progress(183, True, HEADERS))]
    assert call == Call(DialogState.EARLY, DialogState.EARLY)


def test_ringing_again_is_told_again_since_early_media_may_have_begun() -> None:
    _, commands = run((CALLEE, Ringing(180)), (CALLEE, Ringing(183, early_media=True)))
    assert commands == [(CALLER, Progress(183, True))]


def test_answer_is_passed_on_and_the_call_stands() -> None:
    call, commands = run((CALLEE, Ringing()), (CALLEE, Answered(HEADERS)))
    assert commands == [(CALLER, Accept(HEADERS))]
    assert call.is_answered
    assert not call.is_over


def test_answer_without_ringing_is_passed_on() -> None:
    assert run((CALLEE, Answered()))[1] == [(CALLER, Accept())]


def test_late_ringing_of_an_answered_call_says_nothing() -> None:
    call, commands = run(*ANSWERED, (CALLEE, Ringing()))
    assert commands == []
    assert call.is_answered


@pytest.mark.parametrize("side", Side)
def test_hang_up_releases_the_other_leg_with_the_same_reason(side: Side) -> None:
    ending = hung_up("Alice")
    call, commands = run(*ANSWERED, (side, Ended(ending)))
    assert commands == [(side.other, Release(ending))]
    assert not call.is_over


@pytest.mark.parametrize("side", Side)
def test_call_is_over_when_the_released_leg_confirms(side: Side) -> None:
    call, commands = run(*ANSWERED, (side, Ended(hung_up("Alice"))), (side.other, Ended(hung_up("Alice"))))
    assert commands == []
    assert call.is_over


def test_crossing_byes_command_nothing_more() -> None:
    _, first = run(*ANSWERED, (CALLER, Ended(hung_up("Alice"))))
    call, second = run(*ANSWERED, (CALLER, Ended(hung_up("Alice"))), (CALLEE, Ended(hung_up("Bob"))))
    assert first == [(CALLEE, Release(hung_up("Alice")))]
    assert second == []
    assert call.is_over


def test_refusal_reaches_the_caller_in_words() -> None:
    _, commands = run((CALLEE, Ringing()), (CALLEE, Ended(BUSY)))
    assert commands == [(CALLER, Release(BUSY))]


def test_answer_that_crosses_our_cancel_is_not_passed_on() -> None:
    call, commands = run((CALLEE, Ringing()), (CALLER, Ended(cancelled("Alice"))), (CALLEE, Answered()))
    assert commands == []
    assert call == Call(DialogState.TERMINATED, DialogState.CONFIRMED)
    assert run((CALLER, Ended(cancelled("Alice"))), (CALLEE, Answered()), (CALLEE, Ended(BUSY)))[0].is_over


def test_ringing_after_the_caller_gave_up_says_nothing() -> None:
    assert run((CALLER, Ended(cancelled("Alice"))), (CALLEE, Ringing()))[1] == []


@pytest.mark.parametrize("side", Side)
def test_digits_go_to_the_other_leg(side: Side) -> None:
    assert run(*ANSWERED, (side, Pressed("12#")))[1] == [(side.other, Press("12#"))]


def test_digits_go_into_early_media() -> None:
    assert run((CALLEE, Ringing()), (CALLER, Pressed("1")))[1] == [(CALLEE, Press("1"))]


@pytest.mark.parametrize("history", [(), (*ANSWERED, (CALLEE, Ended(BUSY)))], ids=["nobody there yet", "gone"])
def test_digits_for_nobody_are_dropped(history: History) -> None:
    assert run(*history, (CALLER, Pressed("1")))[1] == []


@pytest.mark.parametrize("side", Side)
def test_a_hold_is_told_to_the_other_leg_of_a_call_that_is_up(side: Side) -> None:
    assert run(*ANSWERED, (side, Held(True)))[1] == [(side.other, Hold(True))]
    assert run((CALLEE, Ringing()), (side, Held(True)))[1] == []


@pytest.mark.parametrize("side", Side, ids=lambda side: side.value)
def test_what_a_leg_could_not_do_is_told_to_the_other_one(side: Side) -> None:
    assert run(*ANSWERED, (side, Failed("No tones.", "Why.")))[1] == [(side.other, Warn("No tones.", "Why."))]


@pytest.mark.parametrize(
    "event",
    [Ringing(), Answered(), Pressed("1"), Held(True), Failed("no"), Ended(BUSY)],
    ids=lambda e: type(e).__name__,
)
def test_whatever_an_ended_leg_still_says_is_absorbed(event: LegEvent) -> None:
    before, _ = run((CALLEE, Ringing()), (CALLEE, Ended(BUSY)))
    after, commands = step(before, CALLEE, event)
    assert (after, commands) == (before, [])


@pytest.mark.parametrize("event", [Ringing(), Answered()], ids=lambda event: type(event).__name__)
def test_caller_that_rings_or_answers_is_our_bug(event: LegEvent) -> None:
    with pytest.raises(ImpossibleTransition, match="caller sent"):
        step(Call(), CALLER, event)


def test_each_side_is_the_others_other() -> None:
    assert [side.other for side in Side] == [CALLEE, CALLER]


def test_new_call_is_neither_answered_nor_over() -> None:
    assert (Call().is_answered, Call().is_over) == (False, False)


@pytest.mark.parametrize("side", Side)
def test_what_one_side_speaks_matters_to_the_other_once_the_call_is_answered(side: Side) -> None:
    spoken = Format("PCMA", 8)
    assert run((CALLEE, Ringing(183)), (side, Settled(spoken)))[1] == []
    assert run(*ANSWERED, (side, Settled(spoken)))[1] == [(side.other, Suit(spoken))]
    assert run(*ANSWERED, (side.other, Ended(hung_up("echo"))), (side, Settled(spoken)))[1] == []
