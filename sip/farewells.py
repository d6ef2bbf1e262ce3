"""Ends the dialogs that a lost worker left behind, so that nobody is billed for a dead call.

Answered: BYE. Our INVITE without a final response: CANCEL with its branch from the same port, which
ends every fork of it, where a BYE in an early dialog (RFC 3261 §15.1.1) would end one; the BYE follows
if the CANCEL found nothing. A 2xx that crossed is acknowledged and gets its BYE. pjsip knows nothing of
these dialogs, so the requests are written here and sent as they are.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from typing import Final

from sip.dialogstate import DialogState, OpenInvite
from sip.dialogtrace import answered_by
from sip.messages import Farewell, Parted
from sip.siptext import SipText, tag

log = logging.getLogger("sip.farewells")

LINGER_S: Final = 64.0
"""How long responses to an orphaned INVITE are waited for: twice 64*T1 (RFC 3261 §17.1.1.2)."""
LEAP: Final = 100
"""The lost worker may have used numbers that nobody heard of; gaps are legal (RFC 3261 §12.2.2)."""


class Farewells:
    """What is being said, by its token, and the INVITEs that may still be answered, by their Call-ID."""

    def __init__(
        self,
        send: Callable[[str, str], int],
        emit: Callable[[Parted], None],
        later: Callable[[float, Callable[[Farewell], None], Farewell], object],
    ) -> None:
        """`send` puts a request on the wire by way of a trunk, and gives the token of its final response, or 0."""
        self._send = send
        self._emit = emit
        self._later = later
        self._open: set[int] = set()
        self._waiting: dict[int, tuple[Farewell, str]] = {}
        self._invites: dict[str, tuple[Farewell, OpenInvite]] = {}
        self._parted_forks: set[tuple[str, str]] = set()

    def say(self, farewell: Farewell) -> None:
        """Begin; saying it twice is the same as once."""
        if farewell.number in self._open:
            return
        self._open.add(farewell.number)
        self._later(LINGER_S, self._give_up, farewell)
        invite = farewell.dialog.invite
        if not invite:
            self._bye(farewell)
            return
        self._invites[farewell.dialog.call_id] = (farewell, invite)
        self._request(farewell, written("CANCEL", without_tag(farewell.dialog), invite.uri, invite.cseq, invite.branch))

    def final(self, token: int, status: int) -> None:
        """The final response to something that was said."""
        if token not in self._waiting:
            return
        farewell, method = self._waiting.pop(token)
        if method == "BYE":
            self._done(farewell, status)
        elif status >= 300 and tag(farewell.dialog.remote):
            self._bye(farewell)
        elif status >= 300:
            self._done(farewell, status)

    def stray(self, message: SipText) -> bool:
        """A response to an INVITE that this worker did not send; True: to an orphaned one."""
        farewell, invite = self._invites.get(message.first("call-id"), (None, None))
        if not farewell or not invite or message.cseq[0] != invite.cseq:
            return False
        if message.status >= 300:
            refused = dataclasses.replace(farewell.dialog, remote=message.first("to"), routes=())
            self._send(refused.trunk, written("ACK", refused, invite.uri, invite.cseq, invite.branch))
            self._done(farewell, message.status)
        elif message.status >= 200:
            self._answered(dataclasses.replace(farewell, dialog=answered_by(farewell.dialog, message)), invite.cseq)
        return True

    def _answered(self, farewell: Farewell, cseq: int) -> None:
        """The 2xx crossed our CANCEL, or came while nobody was there."""
        dialog = farewell.dialog
        self._send(dialog.trunk, written("ACK", dialog, dialog.target, cseq))
        fork = (dialog.call_id, tag(dialog.remote))
        if fork not in self._parted_forks:
            self._parted_forks.add(fork)
            self._bye(farewell)

    def _bye(self, farewell: Farewell) -> None:
        dialog = farewell.dialog
        self._request(farewell, written("BYE", dialog, dialog.target, dialog.cseq + LEAP))

    def _request(self, farewell: Farewell, text: str) -> None:
        token = self._send(farewell.dialog.trunk, text)
        if token:
            self._waiting[token] = (farewell, text.partition(" ")[0])
        else:
            self._done(farewell, 503)

    def _done(self, farewell: Farewell, status: int) -> None:
        if farewell.number in self._open:
            self._open.remove(farewell.number)
            log.info("orphaned call %s ended: %d", farewell.dialog.call_id, status)
            self._emit(Parted(farewell.number, status))

    def _give_up(self, farewell: Farewell) -> None:
        call_id = farewell.dialog.call_id
        self._done(farewell, 408)
        self._invites.pop(call_id, None)
        self._parted_forks = {fork for fork in self._parted_forks if fork[0] != call_id}
        self._waiting = {key: value for key, value in self._waiting.items() if value[0].number != farewell.number}


def without_tag(dialog: DialogState) -> DialogState:
    """As the INVITE had it: without the tag of an answer, and without a route set."""
    bare = dialog.remote
    if found := tag(bare):
        head, bracket, tail = bare.rpartition(">")
        bare = head + bracket + tail.replace(f";tag={found}", "")
    return dataclasses.replace(dialog, remote=bare, routes=())


def written(method: str, dialog: DialogState, uri: str, cseq: int, branch: str = "") -> str:
    """A request as text; pjsip fills in host and port of Via, and a branch if none is given."""
    parameter = f";branch={branch}" if branch else ""
    lines = [
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/UDP 0.0.0.0{parameter}",
        "Max-Forwards: 70",
        *(f"Route: {route}" for route in dialog.routes),
        f"From: {dialog.local}",
        f"To: {dialog.remote}",
        f"Call-ID: {dialog.call_id}",
        f"CSeq: {cseq} {method}",
        "Content-Length: 0",
    ]
    return "\r\n".join([*lines, "", ""])
