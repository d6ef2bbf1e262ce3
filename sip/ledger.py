"""The gateway's book of dialogs, which outlives the worker that holds them (design: losses)."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Final

from sip.dialogstate import DialogState
from sip.farewells import LEAP
from sip.messages import DialogNote, Farewell, Parted

MAX_TRIES: Final = 3
"""A worker may die while it says goodbye; the next one tries again."""


class Ledger:
    """Live dialogs by leg, and the orphans that still need a BYE."""

    def __init__(self) -> None:
        self._live: dict[str, DialogState] = {}
        self._orphans: dict[int, DialogState] = {}
        self._tries: dict[int, int] = {}
        self._numbers = itertools.count(1)

    @property
    def is_settled(self) -> bool:
        """No orphan is left."""
        return not self._orphans

    def note(self, note: DialogNote) -> None:
        """A dialog is new or has changed."""
        self._live[note.leg] = note.dialog

    def ended(self, leg: str) -> None:
        """The worker has ended it, or the peer did."""
        self._live.pop(leg, None)

    def worker_lost(self) -> None:
        """All that lived are orphans now; their names may be used again."""
        for dialog in self._live.values():
            self._orphans[next(self._numbers)] = dialog
        self._live.clear()

    def farewells(self) -> list[Farewell]:
        """What a new worker must do, each with numbers above all that the tries before have used."""
        for number in list(self._orphans):
            self._tries[number] = self._tries.get(number, 0) + 1
            if self._tries[number] > MAX_TRIES:
                self.parted(Parted(number, 408))
        return [self._farewell(number, dialog) for number, dialog in self._orphans.items()]

    def _farewell(self, number: int, dialog: DialogState) -> Farewell:
        used = 2 * LEAP * (self._tries[number] - 1)
        return Farewell(number, dataclasses.replace(dialog, cseq=dialog.cseq + used))

    def parted(self, parted: Parted) -> None:
        """This one is settled."""
        self._orphans.pop(parted.number, None)
        self._tries.pop(parted.number, None)
