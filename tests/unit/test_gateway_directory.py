import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from call.errors import LimitReached, PolicyError
from gateway import directory as module
from gateway.auth import Gatekeeper, make_token
from gateway.browserleg import BrowserLeg
from gateway.config import AuthSettings, UserSettings
from gateway.directory import Directory, Session
from webrtc import signalling
from webrtc.signalling import Hello, LiveCall, Welcome
from webrtc.websocket import Peer

KEY = "k" * 40
USERS = {"alice": UserSettings(display="Alice"), "bob": UserSettings()}


@dataclass
class FakePeer:
    """A socket that only remembers."""

    sent: list[signalling.ServerMessage] = field(default_factory=list)
    closed: list[tuple[int, str]] = field(default_factory=list)

    def send(self, message: signalling.ServerMessage) -> None:
        self.sent.append(message)

    def close(self, code: int, reason: str) -> None:
        self.closed.append((code, reason))

    @property
    def welcome(self) -> Welcome:
        message = self.sent[-1]
        assert isinstance(message, Welcome)
        return message


@dataclass(eq=False)
class FakeLeg:
    """A call of a session."""

    lost: list[tuple[str, Session | None]] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    rung: list[Session] = field(default_factory=list)

    def summary(self, name: str) -> LiveCall:
        return LiveCall(name, "outgoing", "echo", "answered")

    def page_lost(self, sentence: str, session: Session | None = None) -> None:
        self.lost.append((sentence, session))
        self.gone.set()

    def ring_also(self, session: Session) -> None:
        self.rung.append(session)


def open_directory(grace_s: float = 30.0, user_pages: int = 0) -> Directory:
    return Directory(Gatekeeper(AuthSettings(mode="open"), USERS), grace_s, user_pages)


async def enter(directory: Directory, **hello: Any) -> tuple[Session, FakePeer]:
    peer = FakePeer()
    return await directory.open_door(Hello(**hello), cast(Peer, peer)), peer


def give_call(session: Session, name: str = "p-1") -> FakeLeg:
    leg = FakeLeg()
    session.legs[name] = cast(BrowserLeg, leg)
    return leg


async def test_page_is_welcomed_with_what_it_must_know() -> None:
    session, peer = await enter(open_directory(grace_s=12.0), user="alice")
    assert (peer.welcome.user, peer.welcome.display, peer.welcome.session) == ("alice", "Alice", session.key)
    assert (peer.welcome.resumed, peer.welcome.grace_s, peer.welcome.calls) == (False, 12.0, ())
    assert "resume" in peer.welcome.features


async def test_who_may_not_come_in_leaves_nothing_behind() -> None:
    directory = open_directory()
    with pytest.raises(PolicyError):
        await enter(directory, user="mallory")
    assert directory.session_count == 0


async def test_each_page_has_a_session_of_its_own() -> None:
    directory = open_directory()
    first, _ = await enter(directory, user="alice")
    second, _ = await enter(directory, user="alice")
    await enter(directory, user="bob")
    assert first.key != second.key
    assert directory.sessions_of("alice") == [first, second]
    assert directory.sessions_of("nobody") == []


async def test_messages_reach_whoever_wired_the_gateway_even_later() -> None:
    directory = open_directory()
    session, _ = await enter(directory, user="alice")
    heard: list[tuple[Session, signalling.ClientMessage]] = []
    directory.handle = lambda who, message: heard.append((who, message))
    session.handle(signalling.CallHangup("c"))
    assert heard == [(session, signalling.CallHangup("c"))]


async def test_session_without_calls_ends_with_its_socket() -> None:
    directory = open_directory()
    session, peer = await enter(directory, user="alice")
    session.lost(cast(Peer, peer))
    assert directory.session_count == 0


async def test_key_resumes_the_session_and_its_calls() -> None:
    directory = open_directory()
    session, peer = await enter(directory, user="alice")
    leg = give_call(session)
    session.lost(cast(Peer, peer))
    assert directory.sessions_of("alice") == []
    again, newer = await enter(directory, session=session.key)
    assert again is session
    assert newer.welcome.resumed
    assert newer.welcome.calls == (LiveCall("p-1", "outgoing", "echo", "answered"),)
    assert leg.lost == []


async def test_page_that_comes_later_is_told_once_of_each_call_of_its_user_and_of_nobody_elses() -> None:
    directory = open_directory()
    first, _ = await enter(directory, user="alice")
    second, _ = await enter(directory, user="alice")
    other, _ = await enter(directory, user="bob")
    leg, foreign = give_call(first, "c-1"), give_call(other, "c-2")
    second.legs["c-1"] = first.legs["c-1"]
    third, peer = await enter(directory, user="alice")
    assert leg.rung == [third]
    assert foreign.rung == []
    assert peer.welcome.calls == ()


async def test_nothing_is_sent_to_a_page_without_a_socket() -> None:
    directory = open_directory()
    session, peer = await enter(directory, user="alice")
    give_call(session)
    session.lost(cast(Peer, peer))
    session.send(signalling.Pong(1))
    assert [type(message) for message in peer.sent] == [Welcome]


async def test_newer_socket_replaces_the_older_one() -> None:
    directory = open_directory()
    session, old = await enter(directory, user="alice")
    leg = give_call(session)
    _, new = await enter(directory, session=session.key)
    assert [code for code, _ in old.closed] == [1000]
    session.lost(cast(Peer, old))  # the old socket's end arrives late
    session.send(signalling.Pong(1))
    assert new.sent[-1] == signalling.Pong(1)
    assert leg.lost == []


async def test_calls_end_when_the_page_does_not_come_back() -> None:
    directory = open_directory(grace_s=0.0)
    session, peer = await enter(directory, user="alice")
    leg = give_call(session)
    session.lost(cast(Peer, peer))
    async with asyncio.timeout(5):
        await leg.gone.wait()
    assert leg.lost == [("The browser's connection was lost.", session)]
    assert directory.session_count == 0
    _, later = await enter(directory, user="alice", session=session.key)
    assert not later.welcome.resumed


async def test_page_that_came_back_in_time_keeps_its_calls() -> None:
    directory = open_directory(grace_s=30.0)
    session, peer = await enter(directory, user="alice")
    leg = give_call(session)
    session.lost(cast(Peer, peer))
    (grace,) = directory._timers.values()
    await enter(directory, session=session.key)
    assert grace.cancelled()
    assert leg.lost == []


async def test_wrong_key_is_only_a_new_login() -> None:
    directory = open_directory()
    _, peer = await enter(directory, user="bob", session="stolen")
    assert (peer.welcome.resumed, peer.welcome.user) == (False, "bob")


async def test_key_of_another_users_session_opens_nothing() -> None:
    directory = open_directory()
    session, _ = await enter(directory, user="alice")
    give_call(session)
    other, peer = await enter(directory, user="bob", session=session.key)
    assert other is not session
    assert (peer.welcome.user, peer.welcome.resumed, peer.welcome.calls) == ("bob", False, ())


def closed_directory() -> Directory:
    return Directory(Gatekeeper(AuthSettings(mode="jwt", key=KEY), USERS), 30.0)


async def test_token_that_expired_meanwhile_costs_a_page_no_calls() -> None:
    directory = closed_directory()
    session, peer = await enter(directory, token=make_token(KEY, "alice", ttl_s=60))
    give_call(session)
    session.lost(cast(Peer, peer))
    expired = make_token(KEY, "alice", ttl_s=-60)
    again, newer = await enter(directory, token=expired, session=session.key)
    assert again is session
    assert newer.welcome.resumed
    with pytest.raises(PolicyError, match="expired"):
        await enter(directory, token=expired)


async def test_newer_token_brings_its_rights_into_the_session() -> None:
    directory = closed_directory()
    session, _ = await enter(directory, token=make_token(KEY, "alice", ttl_s=60, allow=("echo",)))
    await enter(directory, token=make_token(KEY, "alice", ttl_s=60, allow=("+49",)), session=session.key)
    assert session.identity.allow == ("+49",)


# -- how many pages ---------------------------------------------------------------------------------------------------


async def test_pages_of_a_user_are_bounded_and_the_refusal_says_so() -> None:
    directory = open_directory(user_pages=2)
    for _ in range(2):
        await enter(directory, user="alice")
    with pytest.raises(LimitReached, match="User alice has 2 pages open already") as caught:
        await enter(directory, user="alice")
    assert "limits.user_pages" in caught.value.hint
    assert directory.session_count == 2
    await enter(directory, user="bob")


async def test_page_that_comes_back_is_no_further_page_and_one_that_leaves_makes_room() -> None:
    directory = open_directory(user_pages=1)
    session, peer = await enter(directory, user="alice")
    again, newer = await enter(directory, session=session.key)
    assert again is session
    session.lost(cast(Peer, peer))
    session.lost(cast(Peer, newer))
    await enter(directory, user="alice")


async def test_page_in_its_grace_still_counts() -> None:
    directory = open_directory(user_pages=1)
    session, peer = await enter(directory, user="alice")
    give_call(session)
    session.lost(cast(Peer, peer))
    with pytest.raises(LimitReached):
        await enter(directory, user="alice")
    directory.forget(session)


async def test_pages_of_a_user_share_what_they_may_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "USER_BURST", 3.0)
    monkeypatch.setattr(module, "USER_MESSAGES_PER_S", 0.001)
    directory = open_directory(user_pages=5)
    pages = [(await enter(directory, user="alice"))[0] for _ in range(2)]
    assert [page.may_speak() for page in pages * 2] == [True, True, True, False]
    assert (await enter(directory, user="bob"))[0].may_speak()


async def test_user_of_any_number_of_pages_may_say_any_number_of_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "USER_BURST", 1.0)
    page, _ = await enter(open_directory(), user="alice")
    assert all(page.may_speak() for _ in range(10))
