"""What a dialog needs of the stack that it belongs to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from sip.dialognotes import DialogNotes
from sip.legs import Legs
from sip.partings import Partings

if TYPE_CHECKING:
    from sip.dialog import DialogCall


class Waiting(Protocol):
    """Holds offers back until the gateway has answered them."""

    answering_with: int
    """Status for the offer that is being answered right now."""

    def answer(self, token: int, status: int) -> None:
        """Let an offer go on to pjsip."""


class Desk(Protocol):
    """What a dialog needs of the stack that it belongs to."""

    legs: Legs
    partings: Partings
    dialogs: dict[int, DialogCall]

    @property
    def gate(self) -> Waiting:
        """Where offers wait."""

    def notes_for(self, trunk: str) -> DialogNotes:
        """Of a new dialog with this trunk, for the gateway."""

    def later(self, action: Callable[[int], None], argument: int) -> None:
        """Do it after pjsip's callback has returned."""

    def after(self, delay_s: float, action: Callable[[], None]) -> asyncio.TimerHandle:
        """Do it in so many seconds."""

    def forget(self, dialog: DialogCall) -> None:
        """The dialog is over."""
