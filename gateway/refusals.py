"""Records of calls that never began: each of them, but one a minute of those that a limit refuses again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from call.causes import Cause
from gateway.callrecord import CallRecord

TOGETHER_S: Final = 60.0
"""Refusals by the same limit within so long share a record: whoever runs into it may do so many times a second."""
_BY_LIMITS: Final = frozenset((Cause.LIMIT.value, Cause.OVERLOAD.value))

_Limit = tuple[str, str, str, str, str]


class Refusals:
    """Decides which refusals are kept; a record that stands for several says so once their time is over."""

    def __init__(self, save: Callable[[CallRecord], None]) -> None:
        self._save = save
        self._more: dict[_Limit, int] = {}
        """How many followed the one that was kept."""

    def keep(self, record: CallRecord) -> None:
        """A call was refused."""
        if record.cause not in _BY_LIMITS:
            self._save(record)
            return
        # Of a refusal by the same limit the hint is the same, while the sentence may have figures of the moment.
        limit = (record.direction, record.user, record.trunk, record.cause, record.hint)
        if limit in self._more:
            self._more[limit] += 1
            return
        self._more[limit] = 0
        self._save(record)
        asyncio.get_running_loop().call_later(TOGETHER_S, self._sum_up, limit, record)

    def _sum_up(self, limit: _Limit, record: CallRecord) -> None:
        if more := self._more.pop(limit):
            calls = "call was" if more == 1 else "calls were"
            words = f"{record.sentence} {more} more {calls} refused for this within a minute."
            self._save(replace(record, sentence=words))
