"""Digits of one trunk leg: in which form the trunk gets them, and what becomes of those it sends."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from call import dtmf
from call.coupling import Press
from call.dtmf import DtmfChoice
from call.leg import Failed, Pressed
from call.trunk_sdp import TrunkMedia
from gateway.config import TrunkSettings
from gateway.relays import DigitHeard, Leg
from gateway.surroundings import Report
from gateway.trunkpace import TrunkPace
from sip import infodigits, messages

KEY_MS: Final = 120
"""How long a key of a page is held: pages do not say."""
MOST_KEYS: Final = 64
"""As many wait in the media core, which drops the others."""
BETWEEN_MS: Final = 130
"""From the end of a key to the next one: its gap of 80 ms, and what timers may add."""

_HEARD: Final = {"rfc4733": "digit in RTP", "info": "digit by INFO", "inband": "digit as tones"}


class TrunkDigits:
    """Chooses the form once the trunk's SDP is known, and carries digits both ways."""

    def __init__(
        self,
        leg: str,
        trunk: str,
        settings: TrunkSettings,
        *,
        media: Leg,
        post: Callable[[messages.SendDtmf], None],
        report: Report,
        pace: TrunkPace,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._leg, self._trunk, self._settings = leg, trunk, settings
        self._media, self._post, self._report, self._pace = media, post, report, pace
        self._choice: DtmfChoice | None = None
        self._takes_no_info = False
        self._queue = _Queue(clock)

    def settle(self, remote: TrunkMedia) -> None:
        """The trunk's SDP is known, or has changed."""
        choice = dtmf.choose_form(self._settings.dtmf, remote.codec, has_event=bool(remote.telephone_events))
        if choice.form == "info" and self._takes_no_info:
            return
        self._choose(choice)

    def _choose(self, choice: DtmfChoice) -> None:
        if choice != self._choice:
            self._choice = choice
            self._media.set_dtmf(choice.form, detect_inband=self._settings.detect_inband)
            self._report.note("DTMF", f"{choice.form}: {choice.reason}")

    def press(self, command: Press) -> None:
        """Send digits to the trunk."""
        choice = self._choice
        if choice is None:
            self._fail(command.digits, "the trunk has not said yet what it speaks", "Press the keys again in a moment.")
        elif not choice.is_possible:
            self._fail(command.digits, choice.reason, f'Set trunk.{self._trunk}.dtmf = "auto".')
        elif choice.form == "info":
            self._post(messages.SendDtmf(self._leg, command.digits, command.duration_ms or KEY_MS))
        elif command.in_media:
            self._queue.take(len(command.digits), command.duration_ms)  # the media core has put them there itself
        else:
            self._send(command.digits, command.duration_ms or KEY_MS)

    def _send(self, digits: str, duration_ms: int) -> None:
        if self._queue.take(len(digits), duration_ms):
            self._media.dtmf(digits, duration_ms)
        else:
            self._fail(
                digits, f"only {MOST_KEYS} can wait, and earlier ones are still being sent", "Press them again later."
            )

    def refused(self, event: messages.DtmfRefused) -> None:
        """The trunk did not take digits by INFO."""
        if event.status == infodigits.NO_ROOM:
            why = f"{infodigits.MOST_KEYS} can wait for the trunk's answers to INFO, and no more"
            self._fail(event.digits, why, "Press them again later.")
            return
        answer = f"the trunk answered INFO with {event.status}" if event.status else "the INFO could not be sent"
        if self._settings.dtmf == "auto":
            self._takes_no_info = True
            self._choose(DtmfChoice("inband", answer))
            self._send(event.digits, KEY_MS)
        else:
            self._fail(event.digits, answer, f'Set trunk.{self._trunk}.dtmf = "auto" or "inband".')

    def by_info(self, event: messages.InfoDtmf) -> None:
        """The trunk sent a digit by INFO; the media core knows whether it came in RTP as well."""
        if event.digit:
            self._media.hear_dtmf(event.digit, event.duration_ms)
        else:
            self._report.note("hook flash by INFO", "it means nothing to the other leg")

    def heard(self, event: DigitHeard) -> None:
        """The trunk pressed a key, in whatever form."""
        if not self._pace.allows():
            return
        self._report.note(_HEARD[event.form], f"{event.digit} for {event.duration_ms} ms")
        self._report.emit(Pressed(event.digit, event.duration_ms, in_media=True))

    def _fail(self, digits: str, why: str, remedy: str) -> None:
        self._report.note("digits not sent", f"{digits}: {why}. {remedy}")
        self._report.emit(
            Failed(f"The far end did not get the keys {digits}: {why}.", f"Trunk {self._trunk}: {remedy}")
        )


class _Queue:
    """The keys that wait in the media core, by the time that each of them takes: it tells nobody how many there are."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ends: list[float] = []
        """A deque would take ten times the memory of these few, for every call."""

    def take(self, count: int, duration_ms: int) -> bool:
        """Put keys behind those that wait; false, and none is taken, if there is no room for all of them."""
        now = self._clock()
        self._ends = [end for end in self._ends if end > now]
        if len(self._ends) + count > MOST_KEYS:
            return False
        begin = self._ends[-1] if self._ends else now
        self._ends.extend(begin + number * (duration_ms + BETWEEN_MS) / 1000 for number in range(1, count + 1))
        return True
