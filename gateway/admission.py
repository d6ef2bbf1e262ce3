"""Whether one more call may begin, and how long it may last: caps and load."""

from __future__ import annotations

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


class Admission:
    """Counts the calls of users, trunks and the whole gateway."""

    def __init__(
        self, limits: LimitSettings, trunks: Mapping[str, TrunkSettings], checks: tuple[Callable[[], None], ...] = ()
    ) -> None:
        """`checks` raise Overloaded while the machine, or a part of the gateway, cannot take more."""
        self._limits, self._trunks, self._checks = limits, trunks, checks
        self._ledger = Ledger(_RAISED_BY)
        self._parties: dict[str, dict[Party, Caps]] = {}
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
        self._ledger.begin(time.monotonic(), call_id, parties)
        self._parties[call_id] = parties

    def answer(
        self, call_id: str, talked_s: float = 0.0, token_limit_s: float | None = None
    ) -> tuple[float, Ending] | None:
        """A call was answered `talked_s` ago: in how many seconds to ask again (0: it must end), with what words."""
        now = time.monotonic()
        self._ledger.answer(now, call_id)
        remaining = self._ledger.remaining_s(now, self._parties.get(call_id, {}))
        token_s = None if token_limit_s is None else max(token_limit_s - talked_s, 0.0)
        if token_s is not None and (remaining is None or token_s <= remaining[0]):
            words = f"The call reached the {token_limit_s:.0f} s that your login allows."
            return token_s, Ending(Cause.LIMIT, 200, words, "Whoever issues your tokens can raise `max_call_s`.")
        if remaining is None:
            return None
        remaining_s, used_up = remaining
        return remaining_s, Ending(Cause.LIMIT, 200, str(used_up), used_up.hint)

    def end(self, call_id: str) -> None:
        """A call is over, or never began; harmless when repeated."""
        self._ledger.end(time.monotonic(), call_id)
        self._parties.pop(call_id, None)

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
