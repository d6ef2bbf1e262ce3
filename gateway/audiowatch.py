"""Watches whether a leg's peer is heard: at all, in the first seconds after the answer, and still, later on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from call import oneway
from call.oneway import Party

_LOOK_AGAIN_S: Final = 0.5


class AudioWatch:
    """One leg's. It speaks once of the beginning, and once of sound that stays away later.

    Hold is no fault, nor is a pause in speech.
    """

    def __init__(
        self,
        party: Party,
        *,
        stats: Callable[[], Mapping[str, Any]],
        expects_audio: Callable[[], bool],
        tell: Callable[[str, str], None],
    ) -> None:
        self._party, self._stats, self._expects_audio, self._tell = party, stats, expects_audio, tell
        self._before: Mapping[str, int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._has_told_later = False
        self._is_soundless = self._is_judged = self._has_told = False

    def answered(self) -> None:
        """The call is up from now on."""
        if self._timer is None:
            self._before = oneway.counted(self._stats())
            self._timer = asyncio.get_running_loop().call_later(oneway.PATIENCE_S, self.judge)

    def soundless(self, is_soundless: bool) -> None:
        """All that came so far is silence; or no longer."""
        self._is_soundless = is_soundless
        if self._is_judged and is_soundless:
            self._say(oneway.silence(self._party))

    def hushed(self) -> None:
        """There was sound, but for long only digital silence."""
        if self._timer is not None:
            self._say_later(oneway.hushed())

    def stalled(self) -> None:
        """No packet for some seconds."""
        if self._timer is not None and self._stall is None:
            self._judge_stall_in(oneway.STOPPED_S - oneway.STALLED_S, oneway.counted(self._stats()), oneway.STOPPED_S)

    def resumed(self) -> None:
        """Packets come again, or why they do not is known."""
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def judge_stall(self, before: Mapping[str, int], seconds: float) -> None:
        """No packet for so long, or what came since `before` says otherwise."""
        after = self._stats()
        if oneway.is_undecided(self._party, after, seconds):
            self._judge_stall_in(_LOOK_AGAIN_S, before, seconds + _LOOK_AGAIN_S)
            return
        self.resumed()
        words = oneway.stopped(self._party, before, after, seconds)
        if words:
            self._say_later(words)

    def _judge_stall_in(self, delay_s: float, before: Mapping[str, int], seconds: float) -> None:
        self._stall = asyncio.get_running_loop().call_later(delay_s, self.judge_stall, before, seconds)

    def judge(self) -> None:
        """The time is up."""
        self._is_judged = True
        if not self._expects_audio():
            return
        words = oneway.nothing_heard(self._party, self._before, self._stats())
        if words or self._is_soundless:
            self._say(words or oneway.silence(self._party))

    def cancel(self) -> None:
        """The leg ends."""
        self.resumed()
        if self._timer is not None:
            self._timer.cancel()

    def _say(self, words: oneway.Words) -> None:
        if not self._has_told and self._expects_audio():
            self._has_told = True
            self._tell(*words)

    def _say_later(self, words: oneway.Words) -> None:
        if not self._has_told_later and self._expects_audio():
            self._has_told_later = True
            self._tell(*words)
