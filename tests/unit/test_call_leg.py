import pytest

from call.causes import hung_up
from call.codecs import Format
from call.errors import ImpossibleTransition
from call.leg import (
    TRANSITIONS,
    Answered,
    DialogState,
    Ended,
    Failed,
    Held,
    LegEvent,
    Pressed,
    Ringing,
    Settled,
    next_state,
)

ENDED = Ended(hung_up("Alice"))
SETTLED = Settled(Format("PCMU", 0))
EVENTS: tuple[LegEvent, ...] = (Ringing(), Answered(), Pressed("1"), Held(True), SETTLED, Failed("no"), ENDED)


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ((), DialogState.TRYING),
        ((Ringing(),), DialogState.EARLY),
        ((Ringing(), Ringing(183, early_media=True)), DialogState.EARLY),
        ((Answered(),), DialogState.CONFIRMED),
        ((Ringing(), Answered()), DialogState.CONFIRMED),
        ((ENDED,), DialogState.TERMINATED),
        ((Ringing(), ENDED), DialogState.TERMINATED),
        ((Ringing(), Answered(), ENDED), DialogState.TERMINATED),
    ],
)
def test_dialog_follows_its_events(events: tuple[LegEvent, ...], state: DialogState) -> None:
    now = DialogState.TRYING
    for event in events:
        now = next_state(now, event)
    assert now is state


@pytest.mark.parametrize("state", DialogState)
@pytest.mark.parametrize("event", [Pressed("5"), SETTLED])
def test_digits_and_codecs_change_no_state(state: DialogState, event: LegEvent) -> None:
    assert next_state(state, event) is state


def test_ringing_that_was_overtaken_by_the_answer_changes_nothing() -> None:
    assert next_state(DialogState.CONFIRMED, Ringing()) is DialogState.CONFIRMED


def test_second_answer_of_a_dialog_is_our_bug() -> None:
    with pytest.raises(ImpossibleTransition, match="Answered while confirmed"):
        next_state(DialogState.CONFIRMED, Answered())


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_nothing_leaves_terminated(event: LegEvent) -> None:
    assert next_state(DialogState.TERMINATED, event) is DialogState.TERMINATED


def test_every_state_has_a_row_and_can_end() -> None:
    assert set(TRANSITIONS) == set(DialogState)
    assert all(row[Ended] is DialogState.TERMINATED for row in TRANSITIONS.values())
