"""However calls overlap, together they last no longer than the minutes that they share, and not much less."""

import asyncio
import selectors
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from call.causes import Ending
from gateway.admission import SOON_S, Admission
from gateway.config import LimitSettings, TrunkSettings

USER_S, TRUNK_S = 60.0, 90.0
LIMITS = LimitSettings(user_calls=0, user_minutes_per_day=USER_S / 60)
TRUNKS = {"demo": TrunkSettings(host="h", allow=("*",), max_minutes_per_day=TRUNK_S / 60)}


class Leap(selectors.SelectSelector):
    """Waits for nothing, and says that the time has passed."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += timeout or 0.0
        return super().select(0)


class LeapingLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only while everybody waits."""

    def __init__(self) -> None:
        self._leap = Leap()
        super().__init__(self._leap)

    def time(self) -> float:
        return self._leap.now


@dataclass
class Talk:
    """One call: who makes it, when it is answered, and how long both would talk, in seconds."""

    caller: str
    answered_at: float
    wanted_s: float
    lasted_s: float = 0.0
    was_cut: bool = False

    async def happen(self, name: str, door: Admission) -> None:
        clock = asyncio.get_running_loop().time
        is_over = asyncio.Event()

        def cut(_: Ending) -> None:
            self.was_cut = True
            is_over.set()

        await asyncio.sleep(self.answered_at)
        began = clock()
        door.answer(name, cut)
        try:
            async with asyncio.timeout(self.wanted_s):
                await is_over.wait()
        except TimeoutError:
            pass
        self.lasted_s = clock() - began
        door.end(name)


async def happen_all(talks: list[Talk]) -> None:
    door = Admission(LIMITS, TRUNKS, clock=asyncio.get_running_loop().time)
    for number, talk in enumerate(talks):
        door.begin(str(number), "demo", caller=talk.caller)
    await asyncio.gather(*(talk.happen(str(number), door) for number, talk in enumerate(talks)))


moment = st.floats(0.0, 100.0)
talks_of_both = st.lists(st.builds(Talk, st.sampled_from(["alice", "bob"]), moment, moment), max_size=8)


@given(talks_of_both)
def test_calls_together_never_exceed_the_minutes_that_they_share(talks: list[Talk]) -> None:
    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        runner.run(happen_all(talks))
    used_s = {
        "alice": sum(talk.lasted_s for talk in talks if talk.caller == "alice"),
        "bob": sum(talk.lasted_s for talk in talks if talk.caller == "bob"),
    }
    slack = 0.001
    assert max(used_s.values()) <= USER_S + slack
    assert sum(used_s.values()) <= TRUNK_S + slack
    nearly = len(talks) * SOON_S + slack
    for talk in talks:
        if talk.was_cut:
            assert used_s[talk.caller] >= USER_S - nearly or sum(used_s.values()) >= TRUNK_S - nearly
        else:
            assert talk.lasted_s == pytest.approx(talk.wanted_s, abs=slack)
