"""What becomes of a session refresh that the peer refuses (RFC 4028 §10): pjsip sends it, and looks no further."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Final

PENDING: Final = 491
LEFT_TO_PJSIP: Final = frozenset((401, 407, 408, 422, 481))
"""It answers the challenge, takes the longer interval, or ends the call."""
OWNER_WAITS_S: Final = (2.1, 4.0)
GUEST_WAITS_S: Final = (0.0, 2.0)
"""Before another try after 491, for the side that chose the Call-ID and for the other (RFC 3261 §14.1)."""


class Refreshes:
    """The refreshes of one dialog."""

    def __init__(
        self,
        after: Callable[[float, Callable[[], None]], asyncio.TimerHandle],
        repeat: Callable[[], bool],
        end_timer: Callable[[], None],
        *,
        owns_call_id: bool,
    ) -> None:
        """`repeat` sends a re-INVITE and says if it could; `end_timer` lets the session go on without an end."""
        self._after, self._repeat, self._end_timer = after, repeat, end_timer
        self._waits_s = OWNER_WAITS_S if owns_call_id else GUEST_WAITS_S
        self._next_try: asyncio.TimerHandle | None = None

    def answered(self, status: int) -> None:
        """The peer's final response to a refresh.

        A peer that refuses is there: the session goes on, and it may end it if it misses the refresh. The same
        request again would get the same answer (RFC 4028 §10), but for a glare.
        """
        self.stop()
        if status == PENDING:
            self._next_try = self._after(random.uniform(*self._waits_s), self._try_again)
        elif status >= 300 and status not in LEFT_TO_PJSIP:
            self._end_timer()

    def stop(self) -> None:
        """Try no more."""
        if self._next_try:
            self._next_try.cancel()
            self._next_try = None

    def _try_again(self) -> None:
        if not self._repeat():  # another offer is on its way
            self.answered(PENDING)
