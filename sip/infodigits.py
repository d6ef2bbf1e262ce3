"""DTMF in SIP INFO (RFC 6086), both ways: `application/dtmf-relay` and `application/dtmf`.

No RFC describes the two bodies; vendors do. A relay body has lines `Signal=5` and `Duration=160` (ms), the other one is
the signal alone. Signals are the keys themselves, or their RFC 4733 event codes (10 is *, 11 is #, 16 is a hook flash).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

RELAY: Final = "application/dtmf-relay"
PLAIN: Final = "application/dtmf"

DEFAULT_MS: Final = 160
SHORTEST_MS: Final = 40
"""What a receiver must take for a key (ITU-T Q.24)."""
LONGEST_MS: Final = 60_000

KEYS: Final = "0123456789*#ABCD"
"""In the order of their event codes (RFC 4733 §3.2)."""
_FLASH: Final = frozenset(("16", "hf", "flash", "!"))
_CHALLENGES: Final = (401, 407)
MOST_KEYS: Final = 64
"""As many wait for the peer's answers, which may never come; as many as wait in the media core for RTP."""
NO_ROOM: Final = 1
"""In the place of a status: these digits did not even get into the queue."""

# Linear in what they read: a body of 8 kB must not hold up the worker.
_SIGNAL: Final = re.compile(r"^[ \t]*Signal[ \t]*=[ \t]*([^\s;,]{1,8})[ \t]*\r?$", re.I | re.M)
_DURATION: Final = re.compile(r"^[ \t]*Duration[ \t]*=[ \t]*(\d{1,9})[ \t]*\r?$", re.I | re.M)
_ALONE: Final = re.compile(r"\s*([^\s;,=]{1,8})\s*")


@dataclass(frozen=True, slots=True)
class Digit:
    """One key press; `key` is "" for a hook flash, which has no place on another leg."""

    key: str
    duration_ms: int


def read(content_type: str, body: str) -> Digit | int:
    """What an INFO body says; or the status to refuse it with: 415 is no DTMF, 400 cannot be read."""
    kind = content_type.lower()
    if kind not in (RELAY, PLAIN):
        return 415
    found = _SIGNAL.search(body) or (_ALONE.fullmatch(body) if kind == PLAIN else None)
    key = _key(found.group(1)) if found else None
    if key is None:
        return 400
    duration = _DURATION.search(body)
    duration_ms = int(duration.group(1)) if duration else 0
    return Digit(key, min(max(duration_ms, SHORTEST_MS), LONGEST_MS) if duration_ms else DEFAULT_MS)


def _key(signal: str) -> str | None:
    if signal.lower() in _FLASH:
        return ""
    if signal.isascii() and signal.isdecimal():
        return KEYS[int(signal)] if int(signal) < len(KEYS) else None
    return signal.upper() if len(signal) == 1 and signal.upper() in KEYS else None


def body_of(content_type: str, key: str, duration_ms: int) -> str:
    """The body that `read` reads."""
    return f"Signal={key}\r\nDuration={duration_ms}\r\n" if content_type == RELAY else key


class InfoDigits:
    """Sends digits by INFO, each when the one before is answered, so that they arrive in order.

    A peer that refuses dtmf-relay with 415 gets `application/dtmf` from then on.
    """

    def __init__(self, send: Callable[[str, str], bool], refused: Callable[[str, int], None]) -> None:
        """`send` takes type and body, and says if it could.

        `refused` is told digits and a status (0: not sent, or `NO_ROOM`).
        """
        self._send, self._refused = send, refused
        self._waiting: list[Digit] = []
        self._on_its_way: Digit | None = None
        self._is_challenged = False
        self._kind = RELAY

    def press(self, keys: str, duration_ms: int) -> None:
        """Send these keys, or none of them if not all of them may wait."""
        if len(self._waiting) + len(keys) > MOST_KEYS:
            self._refused(keys, NO_ROOM)
            return
        self._waiting.extend(Digit(key, duration_ms) for key in keys)
        if self._on_its_way is None:
            self._next()

    def answered(self, status: int) -> None:
        """The peer's final answer to an INFO of ours."""
        digit = self._on_its_way
        if digit is None:
            return
        if status in _CHALLENGES and not self._is_challenged:
            self._is_challenged = True  # pjsip repeats it with credentials
        elif status == 415 and self._kind == RELAY:
            self._kind = PLAIN
            self._transmit(digit)
        elif status >= 300:
            self._give_up(status)
        else:
            self._next()

    def _next(self) -> None:
        self._on_its_way = None
        if self._waiting:
            self._transmit(self._waiting.pop(0))

    def _transmit(self, digit: Digit) -> None:
        self._on_its_way, self._is_challenged = digit, False
        if not self._send(self._kind, body_of(self._kind, digit.key, digit.duration_ms)):
            self._give_up(0)

    def _give_up(self, status: int) -> None:
        """What refuses one digit refuses all that wait."""
        digits = [self._on_its_way] if self._on_its_way else []
        digits += self._waiting
        self._on_its_way = None
        self._waiting.clear()
        self._refused("".join(digit.key for digit in digits), status)
