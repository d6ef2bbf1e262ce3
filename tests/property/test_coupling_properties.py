"""Invariants of a call, whatever its two legs do in whatever order."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from call.causes import Ending, cancelled, hung_up, trunk_ending
from call.codecs import Format
from call.coupling import Addressed, Call, Progress, Release, Side, step
from call.errors import ImpossibleTransition
from call.leg import Answered, DialogState, Ended, Failed, Held, LegEvent, Pressed, Ringing, Settled

endings = st.sampled_from([hung_up("A"), cancelled("A"), trunk_ending(trunk="t", number="1", status=486)])
caller_events: st.SearchStrategy[LegEvent] = (
    st.builds(Pressed, st.just("1"))
    | st.builds(Held, st.booleans())
    | st.builds(Settled, st.just(Format("PCMU", 0)))
    | st.builds(Failed, st.just("no"))
    | st.builds(Ended, endings)
)
callee_events: st.SearchStrategy[LegEvent] = (
    caller_events | st.builds(Ringing, st.sampled_from([180, 183]), st.booleans()) | st.builds(Answered)
)
histories = st.lists(
    st.tuples(st.just(Side.CALLER), caller_events) | st.tuples(st.just(Side.CALLEE), callee_events), max_size=30
)


@dataclass
class Run:
    """One call and everything that it commanded, with the state in which each command found its leg."""

    call: Call = field(default_factory=Call)
    commands: list[tuple[Addressed, DialogState]] = field(default_factory=list)
    refused: int = 0

    def feed(self, side: Side, event: LegEvent) -> list[Addressed]:
        """Apply one event as the switchboard does; a second 2xx is our bug and refused as such."""
        before = self.call
        try:
            self.call, commands = step(self.call, side, event)
        except ImpossibleTransition:
            assert isinstance(event, Answered)
            assert before.of(side) is DialogState.CONFIRMED
            self.refused += 1
            return []
        self.commands += [(addressed, before.of(addressed[0])) for addressed in commands]
        return commands

    def released(self, side: Side) -> list[Ending]:
        """The endings that a leg was told."""
        return [c.ending for (target, c), _ in self.commands if target is side and isinstance(c, Release)]


def play(history: list[tuple[Side, LegEvent]]) -> Run:
    run = Run()
    for side, event in history:
        run.feed(side, event)
    return run


@given(histories)
def test_no_history_addresses_a_leg_that_is_gone(history: list[tuple[Side, LegEvent]]) -> None:
    assert all(state is not DialogState.TERMINATED for _, state in play(history).commands)


@given(histories)
def test_nothing_leaves_terminated(history: list[tuple[Side, LegEvent]]) -> None:
    run, gone = Run(), set[Side]()
    for side, event in history:
        run.feed(side, event)
        gone |= {s for s in Side if run.call.of(s) is DialogState.TERMINATED}
        assert all(run.call.of(s) is DialogState.TERMINATED for s in gone)


@given(histories)
def test_late_events_of_a_leg_that_ended_change_nothing(history: list[tuple[Side, LegEvent]]) -> None:
    run = Run()
    for side, event in history:
        before = run.call
        commands = run.feed(side, event)
        if before.of(side) is DialogState.TERMINATED:
            assert (run.call, commands) == (before, [])


@given(histories)
def test_released_leg_commands_nobody_any_more(history: list[tuple[Side, LegEvent]]) -> None:
    run = Run()
    for side, event in history:
        was_released = bool(run.released(side))
        commands = run.feed(side, event)
        if was_released:
            assert commands == []


@given(histories)
def test_call_is_over_exactly_when_both_legs_have_ended(history: list[tuple[Side, LegEvent]]) -> None:
    run, ended = Run(), set[Side]()
    for side, event in history:
        run.feed(side, event)
        ended |= {side} if isinstance(event, Ended) else set()
        assert run.call.is_over == (ended == set(Side))


@given(histories, endings)
def test_every_call_can_be_ended(history: list[tuple[Side, LegEvent]], ending: Ending) -> None:
    run = play(history)
    for side in Side:
        run.feed(side, Ended(ending))
    assert run.call.is_over


@given(histories)
def test_leg_is_released_at_most_once_and_with_the_others_reason(history: list[tuple[Side, LegEvent]]) -> None:
    run = play(history)
    for side in Side:
        others = [e.ending for s, e in history if s is side.other and isinstance(e, Ended)]
        assert run.released(side) in ([], others[:1])
    assert len(run.released(Side.CALLER) + run.released(Side.CALLEE)) <= 1


@given(histories)
@settings(max_examples=200)
def test_caller_hears_progress_only_before_the_answer(history: list[tuple[Side, LegEvent]]) -> None:
    for (side, command), state in play(history).commands:
        if isinstance(command, Progress):
            assert side is Side.CALLER
            assert state in (DialogState.TRYING, DialogState.EARLY)
