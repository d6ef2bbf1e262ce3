"""`sip.refreshes`: a refused session refresh ends no call (RFC 4028 §10)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from sip.refreshes import GUEST_WAITS_S, LEFT_TO_PJSIP, OWNER_WAITS_S, Refreshes


class Dialog:
    """Writes down what its refreshes do; time passes by `wait`."""

    def __init__(self, *, owns_call_id: bool = True) -> None:
        self.refreshes = Refreshes(self._after, self._repeat, self._end_timer, owns_call_id=owns_call_id)
        self.delays_s: list[float] = []
        self.done: list[str] = []
        self.is_busy = False
        self._action: Callable[[], None] | None = None

    def _after(self, delay_s: float, action: Callable[[], None]) -> asyncio.TimerHandle:
        self.delays_s.append(delay_s)
        self._action = action
        return asyncio.get_running_loop().call_later(3600, action)

    def _repeat(self) -> bool:
        self.done.append("busy" if self.is_busy else "repeated")
        return not self.is_busy

    def _end_timer(self) -> None:
        self.done.append("timer ended")

    def wait(self) -> None:
        assert self._action
        self._action()


@pytest.mark.parametrize(("owns", "bounds"), [(True, OWNER_WAITS_S), (False, GUEST_WAITS_S)])
async def test_a_glare_is_tried_again_after_the_time_of_its_side(owns: bool, bounds: tuple[float, float]) -> None:
    dialog = Dialog(owns_call_id=owns)
    dialog.refreshes.answered(491)
    assert bounds[0] <= dialog.delays_s[0] <= bounds[1]
    assert dialog.done == []
    dialog.wait()
    assert dialog.done == ["repeated"]
    dialog.refreshes.stop()


async def test_while_another_offer_is_on_its_way_the_refresh_waits() -> None:
    dialog = Dialog()
    dialog.refreshes.answered(491)
    dialog.is_busy = True
    dialog.wait()
    dialog.is_busy = False
    dialog.wait()
    assert dialog.done == ["busy", "repeated"]
    dialog.refreshes.stop()


async def test_a_refusal_leaves_the_end_of_the_session_to_the_peer() -> None:
    dialog = Dialog()
    dialog.refreshes.answered(488)
    assert (dialog.done, dialog.delays_s) == (["timer ended"], [])


@pytest.mark.parametrize("status", [200, *sorted(LEFT_TO_PJSIP)])
async def test_what_pjsip_acts_on_itself_is_left_to_it(status: int) -> None:
    dialog = Dialog()
    dialog.refreshes.answered(status)
    assert (dialog.done, dialog.delays_s) == ([], [])
