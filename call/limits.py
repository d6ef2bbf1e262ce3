"""Caps on what one user or one trunk may use: calls at once, calls a minute, minutes a day.

Against toll fraud: stolen credentials must not cost more than these (design, security defaults). Time is an
argument, in seconds on any clock that only goes forward.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from call.errors import LimitReached

MINUTE_S: Final = 60.0
DAY_S: Final = 86_400.0
MAX_PARTIES: Final = 10_000
"""Beyond so many, those of whom nothing is remembered are dropped."""


@dataclass(frozen=True, slots=True)
class Caps:
    """What one party may use. 0 switches a cap off."""

    concurrent: int = 0
    per_minute: int = 0
    minutes_per_day: float = 0.0


class Usage:
    """What one party has used lately."""

    def __init__(self) -> None:
        self._starts: deque[float] = deque()
        self._live: dict[str, float | None] = {}  # call id: when it was answered
        self._talked: deque[tuple[float, float]] = deque()  # of each minute: (when the last call ended, seconds)
        self._talked_s = 0.0  # of all of these: they are too many to add up at every answer

    def exceeded(self, now: float, caps: Caps) -> str:
        """Which cap one more call would break: "concurrent", "per_minute", "minutes_per_day", or ""."""
        self.forget(now)
        if caps.concurrent and len(self._live) >= caps.concurrent:
            return "concurrent"
        if caps.per_minute and len(self._starts) >= caps.per_minute:
            return "per_minute"
        if caps.minutes_per_day and self.talked_s(now) >= caps.minutes_per_day * MINUTE_S:
            return "minutes_per_day"
        return ""

    def talked_s(self, now: float) -> float:
        """Seconds of answered calls in the last 24 hours, running ones included."""
        running = sum(now - answered for answered in self._live.values() if answered is not None)
        return running + self._talked_s

    def begin(self, now: float, call_id: str) -> None:
        """A call starts to be set up."""
        self._starts.append(now)
        self._live[call_id] = None

    def answer(self, now: float, call_id: str) -> None:
        """It was answered: its minutes count from here, however often that is said."""
        if self._live.get(call_id, now) is None:
            self._live[call_id] = now

    @property
    def talking(self) -> list[str]:
        """The calls that are answered now."""
        return [call_id for call_id, answered in self._live.items() if answered is not None]

    def end(self, now: float, call_id: str) -> None:
        """It is over."""
        answered = self._live.pop(call_id, None)
        if answered is not None:
            talked_s = now - answered
            self._talked_s += talked_s
            if self._talked and self._talked[-1][0] // MINUTE_S == now // MINUTE_S:
                talked_s += self._talked.pop()[1]
            self._talked.append((now, talked_s))

    @property
    def is_idle(self) -> bool:
        """Nothing is remembered any more."""
        return not (self._starts or self._live or self._talked)

    def forget(self, now: float) -> None:
        """Drop what is too old to count."""
        while self._starts and self._starts[0] <= now - MINUTE_S:
            self._starts.popleft()
        while self._talked and self._talked[0][0] <= now - DAY_S:
            self._talked_s -= self._talked.popleft()[1]


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody with caps: a user, a trunk, or the whole gateway."""

    kind: str
    """user, trunk or gateway."""
    name: str

    def __str__(self) -> str:
        """As a sentence begins with it."""
        return "The gateway" if self.kind == "gateway" else f"{self.kind.capitalize()} {self.name}"


class Ledger:
    """The usage of all parties of a gateway."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        """`settings` says by kind and cap ("user.concurrent") which setting raises it."""
        self._settings = settings
        self._usage: dict[Party, Usage] = {}
        self._of_call: dict[str, tuple[Party, ...]] = {}
        self._most = MAX_PARTIES

    def begin(self, now: float, call_id: str, parties: Mapping[Party, Caps]) -> None:
        """Count a new call for all its parties, or for none.

        Raises:
            LimitReached: One of them may not have it; the sentence says which and what can be done.
        """
        for party, caps in parties.items():
            if broken := self._usage.setdefault(party, Usage()).exceeded(now, caps):
                raise self._refusal(party, caps, broken)
        for party in parties:
            self._usage[party].begin(now, call_id)
        self._of_call[call_id] = tuple(parties)

    def answer(self, now: float, call_id: str) -> None:
        """A call was answered."""
        for party in self._of_call.get(call_id, ()):
            self._usage[party].answer(now, call_id)

    def leave(self, now: float, call_id: str, kind: str) -> None:
        """A call is over for its parties of this kind, and not yet for the others."""
        for party in self._of_call.get(call_id, ()):
            if party.kind == kind:
                self._usage[party].end(now, call_id)

    def end(self, now: float, call_id: str) -> None:
        """A call is over; what nobody needs to know any more is forgotten."""
        for party in self._of_call.pop(call_id, ()):
            self._usage[party].end(now, call_id)
        if len(self._usage) > self._most:
            for usage in self._usage.values():
                usage.forget(now)
            self._usage = {party: usage for party, usage in self._usage.items() if not usage.is_idle}
            # Where so many call within a day, not all of them are looked at whenever a call ends.
            self._most = max(MAX_PARTIES, 2 * len(self._usage))

    def left_s(self, now: float, party: Party, caps: Caps) -> float | None:
        """For how long the answered calls of a party can all go on, since they share its minutes; None: for ever."""
        usage = self._usage.get(party)
        if not caps.minutes_per_day or usage is None or not (calls := usage.talking):
            return None
        usage.forget(now)
        return max(caps.minutes_per_day * MINUTE_S - usage.talked_s(now), 0.0) / len(calls)

    def talking(self, party: Party) -> list[str]:
        """The answered calls of a party."""
        return self._usage[party].talking if party in self._usage else []

    def used_up(self, party: Party, caps: Caps) -> LimitReached:
        """What to say when a party's minutes are."""
        return self._refusal(party, caps, "minutes_per_day")

    def _refusal(self, party: Party, caps: Caps, broken: str) -> LimitReached:
        is_user = party.kind == "user"  # who is counted for the calls that they make
        call = "outgoing call" if is_user else "call"
        words = {
            "concurrent": f"has {_counted(caps.concurrent, call)} at once already, which is the limit",
            "per_minute": f"has {'made' if is_user else 'had'} {_counted(caps.per_minute, 'call')} within a minute, "
            "which is the limit",
            "minutes_per_day": f"has used the {_counted(caps.minutes_per_day, 'minute')} of {call}s of a day",
        }
        setting = self._settings.get(f"{party.kind}.{broken}", "").replace("NAME", party.name)
        hint = f"Whoever runs the gateway can raise `{setting}`." if setting else ""
        return LimitReached(f"{party} {words[broken]}.", hint=hint)


def _counted(count: float, thing: str) -> str:
    """As a sentence says it: "1 call", "0.5 minutes"."""
    return f"{round(count, 2):g} {thing}{'' if count == 1 else 's'}" if count < 10_000 else f"{count:.0f} {thing}s"
