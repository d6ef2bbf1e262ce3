"""What the gateway keeps of a dialog, so that it gets its end even if this process, or its last request, is lost."""

from __future__ import annotations

from collections.abc import Callable

from sip.dialogstate import DialogState
from sip.dialogtrace import DialogTrace
from sip.messages import DialogNote, DialogOver
from sip.siptext import SipText


class DialogNotes:
    """Follows one dialog by its messages, and tells what has changed."""

    def __init__(self, trunk: str, emit: Callable[[DialogNote | DialogOver], None]) -> None:
        """Nothing was said so far."""
        self._trace = DialogTrace(trunk)
        self._emit = emit
        self._noted: DialogState | None = None
        self._has_heard = False

    @property
    def is_settled(self) -> bool:
        """The far end knows that the dialog is over, or there was none."""
        return self._trace.state is None

    def sent(self, message: SipText) -> None:
        """We said this."""
        self._trace.sent(message)
        self._note()

    def received(self, message: SipText) -> None:
        """They said this."""
        self._has_heard = True
        self._trace.received(message)
        self._note()

    def _note(self) -> None:
        state = self._trace.state
        if state and state != self._noted:
            self._noted = state
            self._emit(DialogNote(state))

    def close(self, *, is_lost: bool) -> None:
        """pjsip has done with the dialog; `is_lost`: the transport of its last request failed.

        An INVITE that nobody has answered yet cannot be cancelled (RFC 3261 §9.1).
        """
        if self._noted:
            lives_on = not self.is_settled and (self._has_heard or not self._noted.invite)
            self._emit(DialogOver(self._noted, is_lost=is_lost and lives_on))
            self._noted = None
