"""`sip.trunk`: URIs of a call, and whose an incoming request is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from call.errors import PolicyError
from sip import siptext, trunk
from sip.messages import Invite, TrunkAccount

UDP = TrunkAccount("udp", "sip.example", 5060, user="alice")
TLS = TrunkAccount("tls", "2001:db8::1", 5061, "tls")


def test_request_uris_name_host_port_and_transport() -> None:
    assert trunk.request_uri(UDP, "+4930") == "sip:+4930@sip.example:5060"
    assert trunk.request_uri(TLS, "*31#") == "sip:*31%23@[2001:db8::1]:5061;transport=tls"


def test_from_falls_back_to_the_trunks_user_then_to_anonymous() -> None:
    assert trunk.from_header(UDP, Invite("a", "udp", "1", ""), "192.0.2.9") == "<sip:alice@192.0.2.9>"
    assert trunk.from_header(TLS, Invite("a", "tls", "1", ""), "192.0.2.9") == "<sip:anonymous@192.0.2.9>"
    named = Invite("a", "udp", "1", "", from_user="bob", from_display='B "x" \\')
    assert trunk.from_header(UDP, named, "h") == '"B \\"x\\" \\\\" <sip:bob@h>'
    housed = TrunkAccount("t", "h", 1, from_host="home.example")
    assert trunk.from_header(housed, named, "h").endswith("<sip:bob@home.example>")


def test_contacts_name_what_is_not_udp() -> None:
    assert trunk.contact("alice", "192.0.2.9", 5060, "udp") == "<sip:alice@192.0.2.9:5060>"
    assert trunk.contact("alice", "192.0.2.9", None, "tcp") == "<sip:alice@192.0.2.9;transport=tcp>"
    assert trunk.contact("", "2001:db8::9", 5061, "tls") == "<sip:[2001:db8::9]:5061;transport=tls>"


@given(st.text(min_size=1))
def test_an_escaped_user_holds_no_delimiter_and_comes_back(user: str) -> None:
    escaped = trunk.escape_user(user)
    assert not set(escaped) & set('@:<>"# \r\n\t')
    if not set(user) & set(";:"):
        assert siptext.uri_user(f"sip:{escaped}@h") == user


@pytest.mark.parametrize(
    "command",
    [
        Invite("a", "t", "1\r\nVia: x", ""),
        Invite("a", "t", "1", "", from_user="a\nb"),
        Invite("a", "t", "1", "", from_display="a\rb"),
        Invite("a", "t", "1", "", headers=(("X-A", "b\r\nc"),)),
        Invite("a", "t", "1", "", headers=(("X-A", "b\0c"),)),
        Invite("a", "t", "1", "", headers=(("X A", "b"),)),
        Invite("a", "t", "1", "", headers=(("", "b"),)),
        Invite("a", "t", "1", "", headers=(("X:", "b"),)),
    ],
)
def test_nothing_that_could_break_a_message_is_sent(command: Invite) -> None:
    with pytest.raises(PolicyError):
        trunk.check(command)


def test_ordinary_calls_pass() -> None:
    trunk.check(Invite("a", "t", "*31#+49 30", "v=0\r\n", "bob", "Bob ü", (("X-A", "b, c;d"),)))


def test_sources_are_split() -> None:
    assert trunk.split_source("192.0.2.1:5060") == ("192.0.2.1", 5060)
    assert trunk.split_source("[2001:db8::1]:5060") == ("2001:db8::1", 5060)


@pytest.mark.parametrize(
    ("host", "expected"), [("192.0.2.1", True), ("::1", True), ("[::1]", True), ("localhost", False), ("1.2", False)]
)
def test_addresses_are_told_from_names(host: str, expected: bool) -> None:
    assert trunk.is_address(host) is expected


A = TrunkAccount("a", "pbx.example", 5060)
B = TrunkAccount("b", "pbx.example", 5070)
C = TrunkAccount("c", "other.example", 5060, "tcp")
ADDRESSES = {"pbx.example": frozenset(("192.0.2.1", "192.0.2.2")), "other.example": frozenset(("192.0.2.2",))}


def from_(contact: str = "", sender: str = "") -> siptext.SipText:
    return siptext.parse(f"INVITE sip:x SIP/2.0\r\nContact: {contact}\r\nFrom: {sender}\r\n\r\n")


@pytest.mark.parametrize(
    ("source", "message", "expected"),
    [
        ("192.0.2.9:5060", from_(), None),
        ("192.0.2.1:5060", from_(), A),
        ("192.0.2.1:5070", from_(), B),
        ("192.0.2.1:40000", from_("<sip:x@192.0.2.1:5070>"), B),
        ("192.0.2.2:40000", from_("<sip:x@unknown>", "<sip:x@other.example>"), C),
        ("192.0.2.2:40000", from_(), A),
    ],
)
def test_incoming_requests_find_their_trunk(
    source: str, message: siptext.SipText, expected: TrunkAccount | None
) -> None:
    assert trunk.trunk_of(source, message, (A, B, C), ADDRESSES) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [("198.51.100.7:5060", True), ("198.51.100.17:5060", False), ("[2001:db8::9]:5060", True), ("192.0.2.2:1", True)],
)
def test_a_carrier_may_call_from_more_addresses_than_its_host_has(source: str, expected: bool) -> None:
    carrier = TrunkAccount("d", "other.example", 5060, sources=("198.51.100.0/28", "2001:db8::/64"))
    assert (
        trunk.trunk_of(source, from_(), (B, carrier), {"other.example": ADDRESSES["other.example"]}) == carrier
    ) is expected


@pytest.mark.parametrize(
    ("registers", "uri", "to", "expected"),
    [
        (True, "sip:me@192.0.2.3", "<sip:493077@home>", "493077"),
        (True, "sip:4711@192.0.2.3", "<sip:493077@home>", "4711"),
        (True, "sip:me@192.0.2.3", "<sip:home>", "me"),
        (False, "sip:me@192.0.2.3", "<sip:493077@home>", "me"),
    ],
)
def test_a_call_to_the_contact_that_we_registered_is_for_whom_to_names(
    registers: bool, uri: str, to: str, expected: str
) -> None:
    account = TrunkAccount("t", "h", 1, user="me", registers=registers)
    assert trunk.called_user(account, siptext.parse(f"INVITE {uri} SIP/2.0\r\nTo: {to}\r\n\r\n")) == expected


def test_one_trunk_at_an_address_needs_no_further_proof() -> None:
    assert trunk.trunk_of("192.0.2.2:1", from_(), (C,), ADDRESSES) == C
