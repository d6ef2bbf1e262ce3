"""pjsip's account of one trunk, and our registration there (RFC 3261 §10)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import pjsua2 as pj

from sip.messages import Registered, TrunkAccount

log = logging.getLogger("sip.trunkline")


class TrunkLine(pj.Account):
    """Credentials, transport, Contact; pjsip keeps the registration up, if the trunk wants one."""

    def __init__(
        self,
        settings: TrunkAccount,
        on_invite: Callable[[pj.OnIncomingCallParam], None],
        emit: Callable[[Registered], None],
    ) -> None:
        pj.Account.__init__(self)
        self.trunk = settings
        self.is_leaving = False
        """Our last REGISTER is not answered yet."""
        self._on_invite, self._emit = on_invite, emit
        self._trouble: str | None = None
        """Why we are not registered, "" if we are; None: that is not known yet."""

    def leave(self) -> None:
        """Take the registration back: the trunk shall send no calls where nobody takes them."""
        if self._trouble == "":
            self.is_leaving = True
            self.setRegistration(False)

    def onIncomingCall(self, prm: pj.OnIncomingCallParam) -> None:
        try:
            self._on_invite(prm)
        except Exception:
            log.exception("an incoming INVITE could not be handled")  # pjsua2 answers 500

    def onRegState(self, prm: pj.OnRegStateParam) -> None:
        self.is_leaving, was_leaving = False, self.is_leaving
        if was_leaving:
            return
        is_taken = 200 <= prm.code < 300
        until = time.time() + prm.expiration if is_taken else 0.0
        self._emit(Registered(self.trunk.name, prm.code, prm.reason, until))
        trouble = "" if is_taken else f"{prm.code} {prm.reason}"
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if trouble:
            log.warning("trunk %s does not register us (%s): its calls do not come here", self.trunk.name, trouble)
        else:
            log.info("trunk %s has registered us: its calls come here", self.trunk.name)
