"""`sip.names`: host names become addresses without blocking, and are remembered for a while."""

from __future__ import annotations

import asyncio
import socket

import pytest

from call.errors import TransportError
from sip import dns, names
from sip.names import KnownTrunks, Names


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the system's resolver says next; every question takes one."""
    queue: list[str] = []

    async def getaddrinfo(*_: object, **__: object) -> list[tuple[object, ...]]:
        answer = queue.pop(0)
        if answer == "never":
            await asyncio.Event().wait()
        if not answer:
            raise socket.gaierror(-2, "Name or service not known")
        return [(0, 0, 0, "", (address, 0)) for address in answer.split()]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return queue


async def test_literals_need_no_question(answers: list[str]) -> None:
    known = Names(Clock())
    assert known.known("192.0.2.1") == ("192.0.2.1",)
    assert known.known("[2001:db8::1]") == ("2001:db8::1",)
    assert await known.lookup("::1") == ("::1",)


async def test_an_answer_is_used_until_it_is_old_and_then_only_for_recognition(answers: list[str]) -> None:
    clock = Clock()
    known = Names(clock)
    answers += ["192.0.2.1 192.0.2.2 192.0.2.1", "192.0.2.3"]
    assert known.known("pbx.example") is None
    assert known.last("pbx.example") == ()
    assert await known.lookup("pbx.example") == ("192.0.2.1", "192.0.2.2")
    assert await known.lookup("pbx.example") == known.known("pbx.example")
    clock.now += names.LIFETIME_S
    assert known.known("pbx.example") is None
    assert known.last("pbx.example") == ("192.0.2.1", "192.0.2.2")
    assert await known.lookup("pbx.example") == ("192.0.2.3",)


async def test_a_name_that_does_not_resolve_is_named(answers: list[str]) -> None:
    answers.append("")
    with pytest.raises(TransportError, match=r"pbx\.example does not resolve"):
        await Names(Clock()).lookup("pbx.example")


async def test_a_resolver_that_hangs_is_given_up(answers: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "TIMEOUT_S", 0.01)
    answers.append("never")
    with pytest.raises(TransportError, match=r"pbx\.example did not resolve within"):
        await Names(Clock()).lookup("pbx.example")


async def test_configured_name_servers_are_asked_instead_of_the_system(
    answers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lookup(host: str, servers: object, family: object) -> tuple[str, ...]:
        assert (host, servers, family) == ("pbx.example", (("192.0.2.53", 53),), socket.AF_INET)
        return ("192.0.2.7",)

    monkeypatch.setattr(dns, "lookup", lookup)
    known = Names(Clock(), socket.AF_INET, [("192.0.2.53", 53)])
    assert await known.lookup("pbx.example") == ("192.0.2.7",)
    assert await known.lookup("localhost") == ("127.0.0.1",)


async def test_a_trunk_without_an_address_is_mentioned_once_until_that_changes(
    answers: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    clock = Clock()
    trunks = KnownTrunks(Names(clock))
    answers += ["", "", "192.0.2.1", ""]
    for _ in range(4):
        await trunks.look_up("far", "pbx.example")
        clock.now += names.LIFETIME_S
    assert [(record.levelname, "trunk far" in record.message) for record in caplog.records] == [
        ("WARNING", True),
        ("INFO", True),
        ("WARNING", True),
    ]
