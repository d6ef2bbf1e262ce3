"""The time that a lost browser has to come back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum


class Loss(Enum):
    """How a browser was lost, which says what counts as its return."""

    SILENT = "silent"
    """Nothing came for a while: any valid packet, or a new offer."""
    CLOSED = "closed"
    """It ended DTLS: only a new offer."""


class Grace:
    """Ends the call when its time is up; a further loss meanwhile does not prolong it."""

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._timer: asyncio.TimerHandle | None = None
        self._loss = Loss.SILENT

    def begin(self, loss: Loss, end: Callable[[], None]) -> bool:
        """Run `end` after the grace; false if it runs already."""
        if self._timer is None:
            self._loss = loss
            self._timer = asyncio.get_running_loop().call_later(self._grace_s, end)
            return True
        if loss is Loss.CLOSED:
            self._loss = loss
        return False

    def packet_came(self) -> bool:
        """The browser shows life: whether that is its return."""
        return self._loss is Loss.SILENT and self.cancel()

    def cancel(self) -> bool:
        """Whether there was anything to cancel."""
        if self._timer is None:
            return False
        self._timer.cancel()
        self._timer = None
        return True
