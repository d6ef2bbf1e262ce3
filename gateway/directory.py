"""Who is where: the sessions of this gateway's users, each a page that may lose its socket and come back."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from call.errors import LimitReached, PolicyError
from call.tokenbucket import TokenBuckets
from gateway.auth import Gatekeeper, Identity
from webrtc import signalling
from webrtc.websocket import Peer

if TYPE_CHECKING:
    from gateway.browserleg import BrowserLeg

log = logging.getLogger(__name__)

PING_S: Final = 30.0
USER_MESSAGES_PER_S = 100.0
"""Of all pages of a user together: else one login could keep the gateway busy with refusals (webrtc.websocket has
the bound of a single page)."""
USER_BURST = 400.0


class Session:
    """One page of one user: its socket, when it has one, and its calls by the names it knows them by."""

    def __init__(
        self,
        identity: Identity,
        handle: Callable[[Session, signalling.ClientMessage], None],
        may_speak: Callable[[str], bool] = lambda _user: True,
    ) -> None:
        """`may_speak` counts one more message of the user."""
        self.identity = identity
        self.key = secrets.token_urlsafe(24)
        self.legs: dict[str, BrowserLeg] = {}
        self.peer: Peer | None = None
        self.on_lost: Callable[[Session], None] = lambda _: None
        self._handle, self._may_speak = handle, may_speak

    @property
    def user(self) -> str:
        """The name of the user."""
        return self.identity.user

    def send(self, message: signalling.ServerMessage) -> None:
        """Tell the page; without a socket nothing is kept, since `welcome.calls` tells a page that comes back."""
        if self.peer is not None:
            self.peer.send(message)

    def may_speak(self) -> bool:
        """Count one more message of the user; whether it may be acted on."""
        return self._may_speak(self.user)

    def handle(self, message: signalling.ClientMessage) -> None:
        """Act on a message of the page."""
        self._handle(self, message)

    def lost(self, peer: Peer) -> None:
        """The socket is gone; a newer one of the same session may have replaced it."""
        if self.peer is peer:
            self.peer = None
            self.on_lost(self)


class Directory:
    """All sessions, by key and by user."""

    def __init__(self, gatekeeper: Gatekeeper, grace_s: float, user_pages: int = 0) -> None:
        """`user_pages`: how many sessions a user may have; 0: any number, which may say as much as they like."""
        self._gatekeeper, self._grace_s, self._user_pages = gatekeeper, grace_s, user_pages
        self._sessions: dict[str, Session] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._messages = TokenBuckets(USER_MESSAGES_PER_S, USER_BURST)
        self.handle: Callable[[Session, signalling.ClientMessage], None] = lambda _session, _message: None
        """What a message does; set by whoever wires the gateway."""

    async def open_door(self, hello: signalling.Hello, peer: Peer) -> Session:
        """Admit a page: a new session, or an earlier one that it holds the key of.

        Raises:
            PolicyError: It may not come in.
        """
        session = self._sessions.get(hello.session) if hello.session else None
        identity = self._identify(hello, session)
        if session is not None and session.user != identity.user:
            session = None
        resumed = session is not None
        session = session or self._new(identity)
        session.identity = identity
        self._attach(session, peer)
        peer.send(self._welcome(session, resumed=resumed))
        self._ring_with_the_others(session)
        return session

    def _identify(self, hello: signalling.Hello, session: Session | None) -> Identity:
        """Who says hello. The key of a session proves an earlier login: a token that expired since costs no calls."""
        if session is not None and not (hello.token or hello.user):
            return session.identity
        try:
            return self._gatekeeper.admit(hello)
        except PolicyError:
            if session is None:
                raise
            return session.identity

    def _ring_with_the_others(self, session: Session) -> None:
        """A call that rings on other pages of the user rings on this one too, though it came later."""
        others = [each for each in self._sessions.values() if each.user == session.user and each is not session]
        for leg in dict.fromkeys(leg for each in others for leg in each.legs.values()):
            leg.ring_also(session)

    def sessions_of(self, user: str) -> list[Session]:
        """The user's sessions that have a socket."""
        return [s for s in self._sessions.values() if s.user == user and s.peer is not None]

    @property
    def session_count(self) -> int:
        """How many sessions there are, with or without a socket."""
        return len(self._sessions)

    def _new(self, identity: Identity) -> Session:
        self._check_room(identity.user)
        session = Session(identity, lambda s, message: self.handle(s, message), self._may_speak)
        session.on_lost = self._start_grace
        self._sessions[session.key] = session
        return session

    def _may_speak(self, user: str) -> bool:
        return not self._user_pages or self._messages.take(user, asyncio.get_running_loop().time())

    def _check_room(self, user: str) -> None:
        """One login must not fill the memory, nor let a call ring on thousands of pages."""
        open_pages = sum(session.user == user for session in self._sessions.values())
        if self._user_pages and open_pages >= self._user_pages:
            words = f"User {user} has {open_pages} pages open already, which is the limit."
            log.warning("%s", words)
            hint = "Close some of them; whoever runs the gateway can raise `limits.user_pages`."
            raise LimitReached(words, hint=hint)

    def _attach(self, session: Session, peer: Peer) -> None:
        if session.peer is not None:
            session.peer.close(1000, "replaced by a newer connection of this session")
        if timer := self._timers.pop(session.key, None):
            timer.cancel()
        session.peer = peer

    def _start_grace(self, session: Session) -> None:
        if not session.legs:
            self.forget(session)
            return
        log.info("session of %s lost its socket; its calls wait %.0f s", session.user, self._grace_s)
        loop = asyncio.get_running_loop()
        self._timers[session.key] = loop.call_later(self._grace_s, self._expire, session)

    def _expire(self, session: Session) -> None:
        for leg in list(session.legs.values()):
            leg.page_lost("The browser's connection was lost.", session)
        self.forget(session)

    def forget(self, session: Session) -> None:
        """Drop a session for good."""
        self._sessions.pop(session.key, None)
        if timer := self._timers.pop(session.key, None):
            timer.cancel()

    def _welcome(self, session: Session, *, resumed: bool) -> signalling.Welcome:
        return signalling.Welcome(
            user=session.user,
            display=session.identity.display,
            session=session.key,
            resumed=resumed,
            grace_s=self._grace_s,
            ping_s=PING_S,
            features=("dtmf", "hold", "ice-restart", "resume"),
            calls=tuple(leg.summary(name) for name, leg in session.legs.items()),
        )
