"""Digits of one trunk leg: in which form the trunk gets them, and what becomes of those it sends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from call import dtmf
from call.coupling import Press
from call.dtmf import DtmfChoice
from call.leg import Failed, Pressed
from call.trunk_sdp import TrunkMedia
from gateway.browserleg import Report
from gateway.config import TrunkSettings
from gateway.relays import DigitHeard, Leg
from sip import messages

KEY_MS: Final = 120
"""How long a key of a page is held: pages do not say."""

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
    ) -> None:
        self._leg, self._trunk, self._settings = leg, trunk, settings
        self._media, self._post, self._report = media, post, report
        self._choice: DtmfChoice | None = None
        self._takes_no_info = False

    def settle(self, remote: TrunkMedia) -> None:
        """The trunk's SDP is known, or has changed."""
        choice = dtmf.choose_form(self._settings.dtmf, remote.codec, has_event=remote.telephone_event is not None)
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
        elif not command.in_media:
            self._media.dtmf(command.digits, command.duration_ms or KEY_MS)

    def refused(self, event: messages.DtmfRefused) -> None:
        """The trunk did not take digits by INFO."""
        answer = f"the trunk answered INFO with {event.status}" if event.status else "the INFO could not be sent"
        if self._settings.dtmf == "auto":
            self._takes_no_info = True
            self._choose(DtmfChoice("inband", answer))
            self._media.dtmf(event.digits, KEY_MS)
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
        self._report.note(_HEARD[event.form], f"{event.digit} for {event.duration_ms} ms")
        self._report.emit(Pressed(event.digit, event.duration_ms, in_media=True))

    def _fail(self, digits: str, why: str, remedy: str) -> None:
        self._report.note("digits not sent", f"{digits}: {why}. {remedy}")
        self._report.emit(
            Failed(f"The far end did not get the keys {digits}: {why}.", f"Trunk {self._trunk}: {remedy}")
        )
