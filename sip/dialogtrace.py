"""Follows an INVITE dialog by its messages, so that another process can end it (RFC 3261 §12)."""

from __future__ import annotations

import dataclasses

from sip.dialogstate import DialogState, OpenInvite
from sip.siptext import SipText, tag

REFRESHES = frozenset({"INVITE", "UPDATE"})
"""Methods whose Contact moves the remote target (RFC 3261 §12.2, RFC 3311 §5.1)."""
CHALLENGES = frozenset({401, 407})


class DialogTrace:
    """One dialog, from its INVITE on."""

    def __init__(self, trunk: str) -> None:
        self._trunk = trunk
        self._dialog: DialogState | None = None
        self._can_end = False

    @property
    def state(self) -> DialogState | None:
        """None while no other process could end it: nothing was sent yet, it is theirs and not yet answered, or over.

        To refuse an INVITE takes its transaction, and that dies with the process that holds it.
        """
        return self._dialog if self._can_end else None

    def sent(self, message: SipText) -> None:
        """We said this."""
        number, method = message.cseq
        if message.status:
            self._response_sent(message, method)
        elif method == "INVITE" and not tag(message.first("to")):
            self._invite_sent(message, number)
        elif self._dialog and method not in ("ACK", "CANCEL"):
            self._change(cseq=max(self._dialog.cseq, number))

    def received(self, message: SipText) -> None:
        """They said this."""
        method = message.cseq[1]
        if message.status:
            self._response_received(message)
        elif method == "INVITE" and not tag(message.first("to")):
            self._invite_received(message)
        elif method == "BYE":
            self._can_end = False
        elif self._dialog and method in REFRESHES and message.contact:
            self._change(target=message.contact)

    def _invite_sent(self, message: SipText, number: int) -> None:
        uri = message.start_line.split(" ")[1]
        self._dialog = DialogState(
            self._trunk,
            message.first("call-id"),
            message.first("from"),
            message.first("to"),
            uri,
            cseq=number,
            invite=OpenInvite(uri, message.branch, number),
        )
        self._can_end = True

    def _invite_received(self, message: SipText) -> None:
        self._dialog = DialogState(
            self._trunk,
            message.first("call-id"),
            message.first("to"),
            message.first("from"),
            message.contact,
            message.record_route,
        )

    def _response_sent(self, message: SipText, method: str) -> None:
        if self._dialog and method == "INVITE" and 200 <= message.status < 300 and not self._can_end:
            self._change(local=message.first("to"))
            self._can_end = True

    def _response_received(self, message: SipText) -> None:
        number, method = message.cseq
        if method == "BYE" and message.status >= 200 and message.status not in CHALLENGES:
            self._can_end = False
        if not self._dialog or method not in REFRESHES:
            return
        if self._dialog.invite and (number, method) == (self._dialog.invite.cseq, "INVITE"):
            self._invite_answered(self._dialog, self._dialog.invite, message)
        elif 200 <= message.status < 300 and message.contact:
            self._change(target=message.contact)

    def _invite_answered(self, dialog: DialogState, invite: OpenInvite, message: SipText) -> None:
        if message.status >= 300:  # over, or a challenge that another INVITE answers
            self._can_end = False
        elif message.status > 100 and tag(message.first("to")):
            self._dialog = answered_by(dialog, message)
            if message.status < 200:
                self._change(invite=invite)

    def _change(self, **changes: object) -> None:
        assert self._dialog
        self._dialog = dataclasses.replace(self._dialog, **changes)  # type: ignore[arg-type]


def answered_by(dialog: DialogState, message: SipText) -> DialogState:
    """The dialog that a 1xx or 2xx to our INVITE makes (RFC 3261 §12.1.2)."""
    return dataclasses.replace(
        dialog,
        remote=message.first("to"),
        target=message.contact or dialog.target,
        routes=tuple(reversed(message.record_route)),
        invite=None,
    )
