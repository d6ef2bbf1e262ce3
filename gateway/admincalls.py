"""How the admin listener finds the live call that a request names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus

from gateway.livecall import LiveCall
from gateway.problems import Refused

LiveCalls = Callable[[], Mapping[str, LiveCall]]


def find_live(calls: Mapping[str, LiveCall], beginning: str) -> LiveCall:
    """The one call whose id begins so.

    Raises:
        Refused: There is none, or there are several.
    """
    found = beginning_with(calls, beginning)
    if not found:
        raise Refused(HTTPStatus.NOT_FOUND, f"There is no live call {beginning}.")
    if len(found) > 1:
        words = f"{len(found)} live calls begin with {beginning}: give more of the id."
        raise Refused(HTTPStatus.NOT_FOUND, words)
    return found[0]


def beginning_with(calls: Mapping[str, LiveCall], beginning: str) -> list[LiveCall]:
    """The live calls whose id begins so."""
    return [call for call_id, call in calls.items() if call_id.startswith(beginning)]
