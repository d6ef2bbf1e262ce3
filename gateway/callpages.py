"""The pages that a call is on: all that ring, then the one that has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from call.causes import Ending
from gateway.directory import Session
from webrtc import signalling

if TYPE_CHECKING:
    from gateway.browserleg import BrowserLeg


class CallPages:
    """The pages of one browser leg, and the name by which they know the call."""

    def __init__(self, leg: BrowserLeg) -> None:
        self._leg = leg
        self._sessions: dict[str, Session] = {}
        self.name = ""
        """Given before the first page comes."""

    def __contains__(self, session: Session) -> bool:
        """Whether the call is on this page."""
        return session.key in self._sessions

    def __len__(self) -> int:
        """How many pages there are."""
        return len(self._sessions)

    @property
    def user(self) -> str:
        """Who they belong to, as people say it."""
        return next((session.identity.display for session in self._sessions.values()), "The browser")

    def add(self, session: Session) -> None:
        """The call is on this page, too."""
        self._sessions[session.key] = session
        session.legs[self.name] = self._leg

    def send(self, message: signalling.ServerMessage) -> None:
        """Tell them all."""
        for session in self._sessions.values():
            session.send(message)

    def remove(self, session: Session) -> None:
        """The call is on this page no more, which is not told."""
        self._sessions.pop(session.key, None)
        session.legs.pop(self.name, None)

    def clear(self) -> None:
        """It is on none any more, and none is told."""
        for session in list(self._sessions.values()):
            self.remove(session)

    def end(self, ending: Ending, *, but: Session | None = None) -> None:
        """It ends on all pages but one, and they are told why."""
        message = signalling.CallEnded(self.name, ending.cause.value, ending.sip_status, ending.sentence, ending.hint)
        for session in [each for each in self._sessions.values() if each is not but]:
            self.remove(session)
            session.send(message)
