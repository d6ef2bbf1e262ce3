"""Ends the dialogs of which pjsip knows nothing more, so that nobody is billed for a dead call.

A lost worker left them behind, or our BYE or CANCEL was lost with its connection. A request whose transport fails
is sent again, over a new one (RFC 3261 §18.4), with longer and longer pauses until the far end must have given up.

Answered: BYE. Our INVITE without a final response: CANCEL with its branch from the same port, which
ends every fork of it, where a BYE in an early dialog (RFC 3261 §15.1.1) would end one; the BYE follows
if the CANCEL found nothing. A 2xx that crossed is acknowledged and gets its BYE. The requests are written
here and sent as they are.
"""

from __future__ import annotations

import dataclasses
import functools
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
FIRST_PAUSE_S: Final = 1.0
"""Before a request whose transport failed is sent again; the next pause is twice as long."""


class Farewells:
    """What is being said, by its token, and the INVITEs that may still be answered, by their Call-ID."""

    def __init__(
        self,
        send: Callable[[str, str], int],
        emit: Callable[[Parted], None],
        after: Callable[[float, Callable[[], None]], object],
    ) -> None:
        """`send` puts a request on the wire by way of a trunk, and gives the token of its final response, or 0."""
        self._send = send
        self._emit = emit
        self._after = after
        self._open: dict[int, int] = {}
        """How many requests of a farewell were lost, by its number."""
        self._waiting: dict[int, tuple[Farewell, str]] = {}
        self._invites: dict[str, tuple[Farewell, OpenInvite]] = {}
        self._parted_forks: set[tuple[str, str]] = set()

    @property
    def unheard(self) -> int:
        """Calls whose far end has not confirmed their end yet."""
        return len(self._open)

    def say(self, farewell: Farewell) -> None:
        """Begin; saying it twice is the same as once."""
        if farewell.number in self._open:
            return
        self._open[farewell.number] = 0
        self._after(LINGER_S, functools.partial(self._give_up, farewell))
        if invite := farewell.dialog.invite:
            self._invites[farewell.dialog.call_id] = (farewell, invite)
        self._speak(farewell)

    def final(self, token: int, status: int, *, is_lost: bool = False) -> None:
        """The final response to something that was said; `is_lost`: its transport failed."""
        if token not in self._waiting:
            return
        farewell, method = self._waiting.pop(token)
        if is_lost:
            self._speak_again(farewell)
        elif method == "BYE":
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

    def _speak(self, farewell: Farewell) -> None:
        if invite := farewell.dialog.invite:
            bare = without_tag(farewell.dialog)
            self._request(farewell, written("CANCEL", bare, invite.uri, invite.cseq, invite.branch))
        else:
            self._bye(farewell)

    def _speak_again(self, farewell: Farewell) -> None:
        """The request did not get out, or its connection broke before the answer."""

        def act() -> None:
            if farewell.number in self._open:
                self._open[farewell.number] += 1
                self._speak(farewell)

        self._after(FIRST_PAUSE_S * 2 ** self._open.get(farewell.number, 0), act)

    def _bye(self, farewell: Farewell) -> None:
        """Each with a number of its own, and room for that of its answer to a challenge."""
        dialog, lost = farewell.dialog, self._open.get(farewell.number, 0)
        self._request(farewell, written("BYE", dialog, dialog.target, dialog.cseq + LEAP + 2 * lost))

    def _request(self, farewell: Farewell, text: str) -> None:
        token = self._send(farewell.dialog.trunk, text)
        if token:
            self._waiting[token] = (farewell, text.partition(" ")[0])
        else:
            self._speak_again(farewell)

    def _done(self, farewell: Farewell, status: int) -> None:
        if self._open.pop(farewell.number, None) is not None:
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
