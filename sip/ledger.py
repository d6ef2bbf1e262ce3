"""The gateway's book of dialogs, which outlives the worker that holds them (design: losses)."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Final

from sip.dialogstate import DialogState
from sip.farewells import LEAP
from sip.messages import DialogNote, DialogOver, Farewell, Parted

MAX_TRIES: Final = 3
"""A worker may die while it says goodbye; the next one tries again."""


class Ledger:
    """Live dialogs, and the orphans that still need a BYE."""

    def __init__(self) -> None:
        self._live: dict[tuple[str, str], DialogState] = {}
        self._orphans: dict[int, DialogState] = {}
        self._tries: dict[int, int] = {}
        self._numbers = itertools.count(1)

    def __len__(self) -> int:
        """Dialogs whose end the far end has not confirmed."""
        return len(self._live) + len(self._orphans)

    @property
    def is_settled(self) -> bool:
        """No orphan is left."""
        return not self._orphans

    def note(self, note: DialogNote) -> None:
        """A dialog is new or has changed."""
        self._live[note.dialog.key] = note.dialog

    def over(self, over: DialogOver) -> Farewell | None:
        """The worker has done with a dialog; what it must say once more if its last request was lost."""
        self._live.pop(over.dialog.key, None)
        return self._farewell(self._adopt(over.dialog)) if over.is_lost else None

    def worker_lost(self) -> None:
        """All that lived are orphans now."""
        for dialog in self._live.values():
            self._adopt(dialog)
        self._live.clear()

    def _adopt(self, dialog: DialogState) -> int:
        number = next(self._numbers)
        self._orphans[number], self._tries[number] = dialog, 0
        return number

    def farewells(self) -> list[Farewell]:
        """What a new worker must do."""
        for number in [each for each, tries in self._tries.items() if tries >= MAX_TRIES]:
            self.parted(Parted(number, 408))
        return [self._farewell(number) for number in self._orphans]

    def _farewell(self, number: int) -> Farewell:
        """With numbers above all that the tries before have used."""
        dialog, used = self._orphans[number], 2 * LEAP * self._tries[number]
        self._tries[number] += 1
        return Farewell(number, dataclasses.replace(dialog, cseq=dialog.cseq + used))

    def parted(self, parted: Parted) -> None:
        """This one is settled."""
        self._orphans.pop(parted.number, None)
        self._tries.pop(parted.number, None)
