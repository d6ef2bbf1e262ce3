"""The tee of one call: it begins with the answer and ends with the call, whatever its server does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from gateway.surroundings import Spawn
from gateway.tee import Tee

END_S: Final = 2.0
"""How long the end of a call waits for the server to take the rest."""


class CallTee:
    """One call's tee."""

    def __init__(self, make: Callable[[], Tee | None], spawn: Spawn) -> None:
        """`make` taps the legs; None while the call has not both."""
        self._make, self._spawn = make, spawn
        self._tee: Tee | None = None
        self._task: asyncio.Task[None] | None = None

    def on_answer(self) -> None:
        """Both sides can talk from now on."""
        if (tee := self._make()) is not None:
            self._tee, self._task = tee, self._spawn(tee.run())

    async def end(self) -> None:
        """The call is over: a server that does not take the rest loses it."""
        if self._tee is None or self._task is None:
            return
        self._tee.end()
        await asyncio.wait([self._task], timeout=END_S)
        self._task.cancel()
        await asyncio.wait([self._task])

    def describe(self) -> dict[str, Any]:
        """For the call's record."""
        return self._tee.describe() if self._tee is not None else {}
