"""The coupling between two legs that behave: each obeys a Release by reporting Ended, sooner or later.

Commands travel to a leg while its own events travel the other way, so anything may cross anything.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from call.causes import Ending, cancelled, hung_up
from call.coupling import Call, Command, Release, Side, step
from call.leg import Answered, DialogState, Ended, Held, LegEvent, Pressed, Ringing


@dataclass
class ModelLeg:
    """A leg with its two queues: commands on their way to it, events on their way from it."""

    side: Side
    commands: deque[Command] = field(default_factory=deque)
    events: deque[LegEvent] = field(default_factory=deque)
    is_gone: bool = False
    has_answered: bool = False

    def act(self, choice: int) -> None:
        """Do something of one's own accord."""
        if self.is_gone:
            return
        can_answer = self.side is Side.CALLEE and not self.has_answered
        if choice == 0:
            self._end(hung_up(self.side.name) if self.has_answered else cancelled(self.side.name))
        elif choice == 1 and can_answer:
            self.has_answered = True
            self.events.append(Answered())
        elif choice == 2 and can_answer:
            self.events.append(Ringing(180))
        else:
            self.events.append(Pressed("5") if choice == 3 else Held(choice == 4))

    def hear(self) -> None:
        """Take one command; a Release is obeyed, and crosses whatever was on its way."""
        if not self.commands:
            return
        command = self.commands.popleft()
        if isinstance(command, Release) and not self.is_gone:
            self._end(command.ending)

    def _end(self, ending: Ending) -> None:
        self.is_gone = True
        self.events.append(Ended(ending))


@dataclass
class World:
    """One call with its two legs."""

    call: Call = field(default_factory=Call)
    legs: dict[Side, ModelLeg] = field(default_factory=lambda: {side: ModelLeg(side) for side in Side})
    ended: list[Side] = field(default_factory=list)
    released: list[Side] = field(default_factory=list)

    def deliver(self, side: Side) -> None:
        """One event of a leg reaches the call; its commands set off."""
        if not self.legs[side].events:
            return
        event = self.legs[side].events.popleft()
        self.call, commands = step(self.call, side, event)
        self.ended += [side] if isinstance(event, Ended) else []
        for target, command in commands:
            assert self.call.of(target) is not DialogState.TERMINATED
            self.legs[target].commands.append(command)
            self.released += [target] if isinstance(command, Release) else []

    def settle(self) -> None:
        """Let everything that is under way arrive."""
        while any(leg.commands or leg.events for leg in self.legs.values()):
            for side, leg in self.legs.items():
                leg.hear()
                self.deliver(side)


moves = st.tuples(st.sampled_from(["act", "hear", "deliver"]), st.sampled_from(list(Side)), st.integers(0, 5))


def play(history: list[tuple[str, Side, int]]) -> World:
    world = World()
    for kind, side, choice in history:
        if kind == "act":
            world.legs[side].act(choice)
        elif kind == "hear":
            world.legs[side].hear()
        else:
            world.deliver(side)
    return world


@given(st.lists(moves, max_size=40), st.sampled_from(list(Side)))
def test_whatever_crosses_a_call_that_one_side_leaves_is_over_on_both(
    history: list[tuple[str, Side, int]], leaver: Side
) -> None:
    world = play(history)
    world.legs[leaver].act(0)
    world.settle()
    assert world.call.is_over
    assert sorted(side.name for side in world.ended) == sorted(side.name for side in Side)


@given(st.lists(moves, max_size=40))
def test_a_call_that_nobody_leaves_goes_on(history: list[tuple[str, Side, int]]) -> None:
    world = play([(kind, side, choice or 3) for kind, side, choice in history])
    world.settle()
    assert not world.ended
    assert DialogState.TERMINATED not in (world.call.caller, world.call.callee)


@given(st.lists(moves, max_size=40), st.sampled_from(list(Side)))
def test_one_release_at_most_and_never_to_the_leg_that_left_first(
    history: list[tuple[str, Side, int]], leaver: Side
) -> None:
    world = play(history)
    world.legs[leaver].act(0)
    world.settle()
    assert world.released in ([], [world.ended[0].other])
