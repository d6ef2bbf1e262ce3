"""`sip.legs` with a stack that only writes down: every leg ends once, and nothing follows its end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from call.errors import TransportError
from sip import endings, messages, siptext
from sip.legs import Legs
from sip.messages import Ended, Headers, Invite, TrunkAccount
from sip.names import Names

TRUNK = TrunkAccount("t", "192.0.2.1", 5060, "tcp", no_response_s=60)
NAMED = TrunkAccount("named", "pbx.example", 5060, "tcp")
INVITE = Invite("a1", "t", "4711", "v=0\r\n")


class FakeDialog:
    """Writes down what it is told."""

    def __init__(self, leg: str, trunk: TrunkAccount = TRUNK) -> None:
        self.leg, self.trunk = leg, trunk
        self.has_heard = False
        self.done: list[tuple[object, ...]] = []
        self.fails = self.has_glare = False

    def progress(self, status: int, sdp: str | None, headers: Headers) -> None:
        if self.fails:
            raise TransportError("pjsip said no.")
        self.done.append(("progress", status, sdp, headers))

    def accept(self, sdp: str, headers: Headers) -> None:
        self.done.append(("accept", sdp, headers))

    def discard(self, status: int, reason: str = "", headers: Headers = ()) -> None:
        self.done.append(("discard", status, reason, headers))

    def abandon(self, status: int) -> None:
        self.done.append(("abandon", status))

    def reoffer(self, sdp: str) -> bool:
        self.done.append(("reoffer", sdp))
        return not self.has_glare

    def reanswer(self, status: int, sdp: str | None) -> None:
        self.done.append(("reanswer", status, sdp))

    def press(self, digits: str, duration_ms: int) -> None:
        self.done.append(("press", digits, duration_ms))


class FakeStack:
    """Places calls nowhere."""

    def __init__(self) -> None:
        self.dialogs: list[FakeDialog] = []
        self.flaw: str | None = None
        self.garbage: str | None = None
        self.is_broken = False

    def place(self, command: Invite) -> FakeDialog:
        if self.is_broken:
            raise TransportError("The INVITE could not be sent: no route.")
        self.dialogs.append(FakeDialog(command.leg))
        return self.dialogs[-1]

    def garbage_from(self, addresses: frozenset[str], port: int) -> str | None:
        return self.garbage

    def note_garbage(self, host: str, port: int, flaw: str) -> None:
        self.garbage = flaw

    def flaw_of(self, addresses: frozenset[str], port: int) -> str | None:
        return self.flaw

    def arm(self) -> None:
        pass


class Desk:
    """Legs, their stack and what they said."""

    def __init__(self) -> None:
        self.stack = FakeStack()
        self.said: list[messages.TrunkEvent] = []
        self.work: list[Coroutine[Any, Any, None]] = []
        self.names = Names(asyncio.get_running_loop().time)
        self.legs = Legs(self.stack, self.names, self.said.append, self.work.append, (TRUNK, NAMED))

    def placed(self) -> FakeDialog:
        self.legs.carry_out(INVITE)
        return self.stack.dialogs[-1]


@pytest.fixture
async def desk() -> Desk:
    return Desk()


async def test_commands_reach_the_dialog_of_their_leg(desk: Desk) -> None:
    dialog = desk.placed()
    desk.legs.carry_out(messages.Progress("a1", 183, "sdp", (("X-A", "1"),)))
    desk.legs.carry_out(messages.Accept("a1", "sdp"))
    desk.legs.carry_out(messages.Reoffer("a1", "more"))
    desk.legs.carry_out(messages.Reanswer("a1", 488))
    desk.legs.carry_out(messages.SendDtmf("a1", "12", 120))
    assert dialog.done == [
        ("progress", 183, "sdp", (("X-A", "1"),)),
        ("accept", "sdp", ()),
        ("reoffer", "more"),
        ("reanswer", 488, None),
        ("press", "12", 120),
    ]
    assert desk.said == []


async def test_a_release_is_the_end_and_says_so_once(desk: Desk) -> None:
    dialog = desk.placed()
    desk.legs.carry_out(messages.Release("a1", 486, "Busy", (("X-A", "1"),)))
    desk.legs.carry_out(messages.Release("a1"))
    desk.legs.disconnected(dialog, endings.LastWords(487, "", None))
    desk.legs.tell(messages.Ringing("a1", 180, None, ()))
    assert desk.said == [Ended("a1", by="us", status=486)]
    assert dialog.done == [("discard", 486, "Busy", (("X-A", "1"),))]


async def test_what_pjsip_refuses_ends_that_leg_only(desk: Desk) -> None:
    dialog = desk.placed()
    dialog.fails = True
    desk.legs.carry_out(messages.Progress("a1"))
    assert [(event.type, getattr(event, "detail", "")) for event in desk.said] == [("ended", "pjsip said no.")]
    assert dialog.done == [("discard", 500, "", ())]


async def test_headers_that_break_a_message_end_the_leg(desk: Desk) -> None:
    dialog = desk.placed()
    desk.legs.carry_out(messages.Accept("a1", "sdp", (("X-A", "b\r\nc"),)))
    assert isinstance(desk.said[0], Ended)
    assert dialog.done == [("discard", 500, "", ())]


async def test_glare_is_told_as_491(desk: Desk) -> None:
    desk.placed().has_glare = True
    desk.legs.carry_out(messages.Reoffer("a1", "sdp"))
    assert desk.said == [messages.Reanswered("a1", 491, None)]


async def test_an_unsendable_invite_is_a_transport_fault(desk: Desk) -> None:
    desk.stack.is_broken = True
    desk.legs.carry_out(INVITE)
    assert desk.said == [
        Ended("a1", by="fault", status=503, fault="transport", detail="The INVITE could not be sent: no route.")
    ]


async def test_an_unknown_trunk_is_named(desk: Desk) -> None:
    desk.legs.carry_out(Invite("a1", "x", "1", "sdp"))
    assert isinstance(desk.said[0], Ended)
    assert "'x'" in desk.said[0].detail


async def test_a_leg_released_before_its_trunk_resolved_is_never_placed(desk: Desk) -> None:
    async def resolve() -> tuple[str, ...]:
        return ("192.0.2.1",)

    desk.names.lookup = lambda _: resolve()  # type: ignore[assignment, method-assign]
    desk.legs.carry_out(Invite("a1", "named", "1", "sdp"))
    desk.legs.carry_out(messages.Release("a1"))
    await desk.work[0]
    assert desk.stack.dialogs == []
    assert desk.said == [Ended("a1", by="us", status=487)]


async def test_a_trunk_that_does_not_resolve_is_a_dns_fault(desk: Desk) -> None:
    async def fail() -> tuple[str, ...]:
        raise TransportError("The name pbx.example does not resolve.")

    desk.names.lookup = lambda _: fail()  # type: ignore[assignment, method-assign]
    desk.legs.carry_out(Invite("a1", "named", "1", "sdp"))
    await desk.work[0]
    assert desk.said == [
        Ended("a1", by="fault", status=503, fault="dns", detail="The name pbx.example does not resolve.")
    ]


async def test_a_tls_flaw_explains_a_broken_transport(desk: Desk) -> None:
    desk.stack.flaw = "The certificate is not trusted."
    desk.legs.disconnected(desk.placed(), endings.LastWords(503, "Service Unavailable", None))
    assert [event.detail for event in desk.said if isinstance(event, Ended)] == ["The certificate is not trusted."]


async def test_garbage_explains_a_timeout(desk: Desk) -> None:
    desk.stack.garbage = "no Via"
    desk.legs.disconnected(desk.placed(), endings.LastWords(408, "Request Timeout", None))
    assert [event.fault for event in desk.said if isinstance(event, Ended)] == ["malformed"]


async def test_a_bug_in_a_callback_ends_the_leg_after_the_callback(desk: Desk) -> None:
    dialog = desk.placed()
    desk.legs.broken(dialog)
    assert dialog.done == []
    await asyncio.sleep(0)
    assert dialog.done == [("discard", 500, "", ())]
    assert [event.fault for event in desk.said if isinstance(event, Ended)] == ["worker"]


async def test_incoming_calls_get_names_of_their_own(desk: Desk) -> None:
    invite = siptext.parse(
        'INVITE sip:30@x SIP/2.0\r\nFrom: "Bob" <sip:b%20b@y>;tag=1\r\nCall-ID: c1\r\nX-A: 1\r\n\r\n'
    )
    for leg in ("w1", "w2"):
        dialog = FakeDialog(desk.legs.next_incoming())
        desk.legs.incoming(dialog, "192.0.2.1:5060", invite)
        assert desk.said[-1] == messages.Incoming(
            leg, "t", "30", "b b", "Bob", "c1", "192.0.2.1:5060", None, (("X-A", "1"),)
        )


async def test_everybody_is_released_at_the_end(desk: Desk) -> None:
    dialog = desk.placed()
    desk.legs.carry_out(Invite("a2", "named", "1", "sdp"))
    desk.work[0].close()
    desk.legs.release_all(503)
    assert desk.said == [endings.by_stop("a1", 503), endings.by_stop("a2", 503)]
    assert dialog.done == [("discard", 503, "", ())]


async def test_escape_sequences_of_a_caller_are_made_harmless(desk: Desk) -> None:
    invite = (
        "INVITE sip:%1b%5b31mred@gw SIP/2.0\r\n"
        'From: "A\x1b]0;x\x07nn" <sip:a%1b%5b2Jb@x>;tag=1\r\nCall-ID: c\x1bd\r\n\r\n'
    )
    desk.legs.incoming(FakeDialog("w1"), "192.0.2.1:5060", siptext.parse(invite))
    event = desk.said[0]
    assert isinstance(event, messages.Incoming)
    assert (event.number, event.from_user) == ("\ufffd[31mred", "a\ufffd[2Jb")
    assert (event.from_display, event.call_id) == ("A\ufffd]0;x\ufffdnn", "c\ufffdd")


async def test_an_invite_that_was_refused_makes_no_leg(desk: Desk) -> None:
    invite = "INVITE sip:%1b30@gw SIP/2.0\r\nFrom: <sip:a@x>;tag=1\r\nRequire: foo\r\n\r\n"
    desk.legs.refused(TRUNK, siptext.parse(invite), 420)
    (refused,) = desk.said
    assert isinstance(refused, messages.InviteRefused)
    assert (refused.trunk, refused.number, refused.from_user, refused.status) == (TRUNK.name, "\ufffd30", "a", 420)
    desk.legs.release_all(503)
    assert desk.said == [refused]
