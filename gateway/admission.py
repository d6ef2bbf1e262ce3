"""Whether one more call may begin, and how long it may last: caps and load."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final

from call.causes import Cause, Ending
from call.errors import Overloaded
from call.limits import Caps, Ledger, Party
from gateway.config import LimitSettings, TrunkSettings

_RAISED_BY: Final = {
    "gateway.concurrent": "limits.calls",
    "user.concurrent": "limits.user_calls",
    "user.per_minute": "limits.user_calls_per_minute",
    "user.minutes_per_day": "limits.user_minutes_per_day",
    "trunk.concurrent": "trunk.NAME.max_calls",
    "trunk.per_minute": "trunk.NAME.max_calls_per_minute",
    "trunk.minutes_per_day": "trunk.NAME.max_minutes_per_day",
}
SOON_S: Final = 0.05
"""Less is not worth another look."""


class Admission:
    """Counts the calls of users, trunks and the whole gateway, and ends them when their minutes are used up."""

    def __init__(
        self,
        limits: LimitSettings,
        trunks: Mapping[str, TrunkSettings],
        checks: tuple[Callable[[], None], ...] = (),
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`checks` raise Overloaded while the machine, or a part of the gateway, cannot take more."""
        self._limits, self._trunks, self._checks, self._clock = limits, trunks, checks, clock
        self._ledger = Ledger(_RAISED_BY)
        self._parties: dict[str, dict[Party, Caps]] = {}
        self._ends: dict[str, Callable[[Ending], None]] = {}
        self._timers: dict[Party, asyncio.TimerHandle] = {}
        self._is_stopping = False

    def stop(self) -> None:
        """From now on nothing begins."""
        self._is_stopping = True

    def check(self) -> None:
        """Whether the gateway can take another call at all.

        Raises:
            Overloaded: It cannot.
        """
        if self._is_stopping:
            raise Overloaded("The gateway is about to stop and takes no new calls.", hint="Try again in a minute.")
        for check in self._checks:
            check()

    def begin(self, call_id: str, trunk: str, *, caller: str = "") -> None:
        """Count a call that begins; one that comes in has no `caller`.

        Whoever is called pays nothing: else strangers could use up what a user may call.

        Raises:
            LimitReached: The user, the trunk or the gateway has used up what it may.
        """
        parties = self._caps(trunk, caller)
        self._ledger.begin(self._clock(), call_id, parties)
        self._parties[call_id] = parties

    def answer(self, call_id: str, end: Callable[[Ending], None]) -> None:
        """A call was answered; `end` is for when the minutes of its user or its trunk are used up."""
        self._ledger.answer(self._clock(), call_id)
        self._ends[call_id] = end
        self._watch_all(self._parties.get(call_id, {}))

    def leave(self, call_id: str) -> None:
        """A call is over for the user who made it; its trunk has yet to be told."""
        self._ledger.leave(self._clock(), call_id, "user")
        parties = self._parties.get(call_id, {})
        self._watch_all({party: caps for party, caps in parties.items() if party.kind == "user"})

    def end(self, call_id: str) -> None:
        """A call is over, or never began; harmless when repeated."""
        self._ledger.end(self._clock(), call_id)
        self._ends.pop(call_id, None)
        self._watch_all(self._parties.pop(call_id, {}))

    def _watch_all(self, parties: Mapping[Party, Caps]) -> None:
        for party, caps in parties.items():
            self._watch(party, caps)

    def _watch(self, party: Party, caps: Caps) -> None:
        """Set the one timer of a party anew: the more of its calls talk, the sooner its minutes are used up."""
        if timer := self._timers.pop(party, None):
            timer.cancel()
        left_s = self._ledger.left_s(self._clock(), party, caps)
        if left_s is None:
            return
        if left_s < SOON_S:
            self._end_all(party, caps)
        else:
            self._timers[party] = asyncio.get_running_loop().call_later(left_s, self._watch, party, caps)

    def _end_all(self, party: Party, caps: Caps) -> None:
        used_up = self._ledger.used_up(party, caps)
        ending = Ending(Cause.LIMIT, 200, str(used_up), used_up.hint)
        for call_id in self._ledger.talking(party):
            if end := self._ends.pop(call_id, None):  # once: until its legs have said goodbye it still counts
                end(ending)

    @property
    def counted(self) -> int:
        """How many calls count now."""
        return len(self._parties)

    def _caps(self, trunk: str, caller: str) -> dict[Party, Caps]:
        limits, settings = self._limits, self._trunks[trunk]
        of_user = Caps(limits.user_calls, limits.user_calls_per_minute, limits.user_minutes_per_day)
        of_trunk = Caps(settings.max_calls, settings.max_calls_per_minute, settings.max_minutes_per_day)
        users = {Party("user", caller): of_user} if caller else {}
        return {Party("gateway", ""): Caps(limits.calls), **users, Party("trunk", trunk): of_trunk}
