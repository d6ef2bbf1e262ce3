"""Calls that were hung up, until the far end has heard of it: pjsua forgets them at once, and pjsip tells us."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Final

from sip import siptext
from sip.dialognotes import DialogNotes

PATIENCE_S: Final = 128.0
"""Longer than pjsip takes: 64*T1 for the ACK that our BYE waits for, and for the BYE, with and without credentials."""


class Partings:
    """The notes of these calls, by the token that pjsip tells of them with."""

    def __init__(
        self, follow: Callable[[int, int], None], later: Callable[[float, Callable[[int], None], int], object]
    ) -> None:
        """`follow` has pjsip tell of a call, by pjsua's id, under a token; `later` sets an alarm."""
        self._follow, self._later = follow, later
        self._tokens = itertools.count(1)
        self._open: dict[int, DialogNotes] = {}

    @property
    def unheard(self) -> int:
        """Calls whose far end has not confirmed their end yet."""
        return sum(not notes.is_settled for notes in self._open.values())

    def begin(self, call_id: int, notes: DialogNotes) -> None:
        """This call is about to be hung up."""
        token = next(self._tokens)
        self._open[token] = notes
        self._follow(call_id, token)
        self._later(PATIENCE_S, self._end, token)

    def told(self, token: int, response: str, *, is_lost: bool) -> None:
        """A request of the call has its final response, or will have none (""): too late, or its transport failed."""
        notes = self._open.get(token)
        if notes and response:
            notes.received(siptext.parse(response))
        if notes and (notes.is_settled or not response):  # else a 2xx crossed our CANCEL, or a challenge is answered
            self._end(token, is_lost=is_lost)

    def _end(self, token: int, *, is_lost: bool = False) -> None:
        if notes := self._open.pop(token, None):
            notes.close(is_lost=is_lost)
