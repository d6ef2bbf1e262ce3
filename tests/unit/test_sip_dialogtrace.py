"""`sip.dialogtrace`: what a dialog's messages say about how to end it from elsewhere."""

from __future__ import annotations

from sip.dialogstate import DialogState, OpenInvite
from sip.dialogtrace import DialogTrace
from sip.siptext import SipText, parse

OURS, THEIRS = "<sip:me@gw.example>;tag=ours", "<sip:4711@pbx.example>"
URI = "sip:4711@pbx.example:5060"


def message(start: str, cseq: str, *more: str, to: str = THEIRS, sender: str = OURS) -> SipText:
    lines = [start, "Via: SIP/2.0/UDP gw.example;branch=z9hG4bK7;rport", f"From: {sender}", f"To: {to}"]
    return parse("\r\n".join([*lines, "Call-ID: c1", f"CSeq: {cseq}", *more, "", ""]))


def ringing(status: int = 180, *more: str) -> SipText:
    return message(f"SIP/2.0 {status} X", "5 INVITE", *more, to=f"{THEIRS};tag=theirs")


def placed() -> DialogTrace:
    trace = DialogTrace("t")
    trace.sent(message(f"INVITE {URI} SIP/2.0", "5 INVITE"))
    return trace


def state_of(trace: DialogTrace) -> DialogState:
    assert trace.state
    return trace.state


def test_an_invite_can_be_cancelled_before_anything_came_back() -> None:
    expected = DialogState("t", "c1", OURS, THEIRS, URI, cseq=5, invite=OpenInvite(URI, "z9hG4bK7", 5))
    assert placed().state == expected


def test_a_trying_makes_no_dialog() -> None:
    trace = placed()
    trace.received(message("SIP/2.0 100 Trying", "5 INVITE"))
    assert trace.state == placed().state


def test_a_tag_makes_an_early_dialog_that_can_still_be_cancelled() -> None:
    trace = placed()
    trace.received(ringing(183, "Contact: <sip:a@192.0.2.9>"))
    state = state_of(trace)
    assert (state.remote, state.target) == (f"{THEIRS};tag=theirs", "sip:a@192.0.2.9")
    assert state.invite == OpenInvite(URI, "z9hG4bK7", 5)


def test_a_200_sets_the_route_in_reverse() -> None:
    trace = placed()
    trace.received(ringing(200, "Record-Route: <sip:p2;lr>, <sip:p1;lr>", "Contact: <sip:a@192.0.2.9>;expires=3"))
    state = state_of(trace)
    assert (state.routes, state.target, state.invite) == (("<sip:p1;lr>", "<sip:p2;lr>"), "sip:a@192.0.2.9", None)


def test_a_refused_invite_needs_no_end() -> None:
    trace = placed()
    trace.received(ringing(486))
    assert trace.state is None


def test_our_numbers_and_their_target_are_followed() -> None:
    trace = placed()
    trace.received(ringing(200, "Contact: <sip:a@192.0.2.9>"))
    trace.sent(message("INVITE sip:a@192.0.2.9 SIP/2.0", "6 INVITE", to=f"{THEIRS};tag=theirs"))
    trace.sent(message("ACK sip:a@192.0.2.9 SIP/2.0", "9 ACK", to=f"{THEIRS};tag=theirs"))
    trace.received(message("UPDATE sip:me SIP/2.0", "1 UPDATE", "Contact: <sip:b@192.0.2.9>", to=f"{OURS};tag=x"))
    assert (state_of(trace).cseq, state_of(trace).target) == (6, "sip:b@192.0.2.9")
    trace.received(message("SIP/2.0 200 OK", "6 INVITE", "Contact: <sip:c@192.0.2.9>", to=f"{THEIRS};tag=theirs"))
    assert state_of(trace).target == "sip:c@192.0.2.9"


def test_a_call_of_theirs_can_be_ended_once_we_have_answered() -> None:
    trace = DialogTrace("t")
    routes = ("Record-Route: <sip:p1;lr>", "Record-Route: <sip:p2;lr>", "Contact: <sip:them@192.0.2.9>")
    trace.received(message("INVITE sip:me@gw SIP/2.0", "1 INVITE", *routes, sender="<sip:x@y>;tag=t", to="<sip:me@gw>"))
    trace.sent(message("SIP/2.0 180 Ringing", "1 INVITE", sender="<sip:x@y>;tag=t", to="<sip:me@gw>;tag=w"))
    assert trace.state is None
    trace.sent(message("SIP/2.0 200 OK", "1 INVITE", sender="<sip:x@y>;tag=t", to="<sip:me@gw>;tag=w"))
    routes_in_order = ("<sip:p1;lr>", "<sip:p2;lr>")
    expected = DialogState("t", "c1", "<sip:me@gw>;tag=w", "<sip:x@y>;tag=t", "sip:them@192.0.2.9", routes_in_order)
    assert trace.state == expected
