"""What stands before pjsip's dialog layer: who may talk to us, and offers that must wait for the gateway."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Protocol

import pjsua2 as pj

from sip import siptext
from sip.dialog import DialogCall
from sip.farewells import Farewells
from sip.partings import Partings

log = logging.getLogger("sip.gate")


class Doorkeeper(Protocol):
    """Judges what belongs to no dialog."""

    def connected(self, descriptor: int, host: str) -> bool:
        """Whether a TCP or TLS connection from `host` may come in."""

    def admit(self, method: str, rdata: pj.SipRxData) -> int:
        """0: pjsip handles the request; -1: no answer; else the status of a terse one."""

    def bears(self, tag: str, host: str) -> bool:
        """Whether one more request may come in the dialog that has this tag of ours."""

    def refused(self, branch: str, status: int) -> None:
        """The request of this branch is being refused."""


class Gate(pj.RequestGate):
    """Sees every request outside a dialog first, and offers that must wait for the gateway."""

    def __init__(
        self, dialogs: Mapping[int, DialogCall], doorkeeper: Doorkeeper, partings: Partings, farewells: Farewells
    ) -> None:
        """`dialogs` by pjsua's call id."""
        pj.RequestGate.__init__(self)
        self._dialogs = dialogs
        self._doorkeeper = doorkeeper
        self._partings, self._farewells = partings, farewells
        self.answering_with = 200
        """Status for the offer that is being resumed."""

    def answer(self, token: int, status: int) -> None:
        """Let an offer that waits go on, to be answered with this status."""
        self.answering_with = status
        try:
            self.resume(token)
        finally:
            self.answering_with = 200

    def onConnection(self, descriptor: int, host: str) -> bool:
        try:
            return self._doorkeeper.connected(descriptor, host)
        except Exception:
            log.exception("a connection could not be judged")
            return False

    def onRequest(self, method: str, rdata: pj.SipRxData) -> int:
        try:
            return self._doorkeeper.admit(method, rdata)
        except Exception:
            log.exception("a %s could not be judged", method)
            return -1

    def onDialogRequest(self, tag: str, host: str) -> bool:
        return self._doorkeeper.bears(tag, host)

    def onRefused(self, branch: str, status: int) -> None:
        self._doorkeeper.refused(branch, status)

    def onOffer(self, token: int, call_id: int, offer: str) -> bool:
        dialog = self._dialogs.get(call_id)
        return dialog.offered(token, offer) if dialog else False

    def onInfo(self, call_id: int, content_type: str, body: str) -> int:
        dialog = self._dialogs.get(call_id)
        return dialog.digit(content_type, body) if dialog else 481

    def onStrayResponse(self, rdata: pj.SipRxData) -> bool:
        try:
            return self._farewells.stray(siptext.parse(rdata.wholeMsg))
        except Exception:
            log.exception("a late response could not be handled")
            return False

    def onFinal(self, token: int, status: int, lost: bool) -> None:
        try:
            self._farewells.final(token, status, is_lost=lost)
        except Exception:
            log.exception("the end of an orphaned call could not be handled")

    def onFollowed(self, token: int, response: str, lost: bool) -> None:
        try:
            self._partings.told(token, response, is_lost=lost)
        except Exception:
            log.exception("the end of a call that was hung up could not be handled")
