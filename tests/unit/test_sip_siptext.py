"""`sip.siptext`: picking status, headers, users and SDP out of SIP messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip import siptext

SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n"
INVITE = (
    "INVITE sip:%2B4930;phone-context=x@gw.example:5070;user=phone SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"
    'f: "Ann \\"A\\" Lee" <sip:ann%20lee@example.org>;tag=1\r\n'
    "t: <sip:30@gw.example>\r\n"
    "i: abc@192.0.2.1\r\n"
    "X-Long: one,\r\n  two\r\n"
    "P-Asserted-Identity: <sip:a@b>\r\n"
    "P-Asserted-Identity: <tel:+49>\r\n"
    "c: application/sdp\r\n"
    "\r\n" + SDP
)


def test_a_request_is_taken_apart() -> None:
    message = siptext.parse(INVITE)
    assert (message.status, message.phrase, message.is_ending) == (0, "", False)
    assert siptext.request_user(message) == "+4930"
    assert message.first("call-id") == "abc@192.0.2.1"
    assert siptext.name_addr(message.first("from")) == ('Ann "A" Lee', "sip:ann%20lee@example.org")
    assert message.sdp == SDP


def test_only_end_to_end_headers_pass() -> None:
    assert siptext.parse(INVITE).end_to_end == (
        ("X-Long", "one, two"),
        ("P-Asserted-Identity", "<sip:a@b>"),
        ("P-Asserted-Identity", "<tel:+49>"),
    )


@pytest.mark.parametrize(
    ("line", "status", "phrase", "is_ending"),
    [
        ("SIP/2.0 180 Ringing", 180, "Ringing", False),
        ("SIP/2.0 486 Busy Here", 486, "Busy Here", True),
        ("SIP/2.0 404 ", 404, "", True),
        ("SIP/2.0 404", 404, "", True),
        ("BYE sip:x SIP/2.0", 0, "", True),
        ("CANCEL sip:x SIP/2.0", 0, "", True),
        ("ACK sip:x SIP/2.0", 0, "", False),
    ],
)
def test_start_lines(line: str, status: int, phrase: str, is_ending: bool) -> None:
    message = siptext.parse(f"{line}\r\n\r\n")
    assert (message.status, message.phrase, message.is_ending) == (status, phrase, is_ending)


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("Q.850;cause=16;text=x", 16),
        ("q.850 ; cause = 127", 127),
        ('Q.850;text="x";cause=17', 17),
        ("SIP;cause=200, Q.850;cause=26", 26),
        ("SIP;cause=600", None),
        ("", None),
    ],
)
def test_the_q850_cause_of_a_reason(reason: str, cause: int | None) -> None:
    assert siptext.parse(f"BYE sip:x SIP/2.0\r\nReason: {reason}\r\n\r\n").q850 == cause


def test_sdp_in_a_multipart_body_is_found() -> None:
    parts = ("", "Content-Type: text/plain\r\n\r\nhi\r\n", f"Content-Type: application/sdp\r\n\r\n{SDP}\r\n", "--\r\n")
    body = "--b1\r\n".join(parts)
    message = siptext.parse(f'INVITE sip:x SIP/2.0\r\nContent-Type: multipart/mixed;boundary="b1"\r\n\r\n{body}')
    assert message.sdp == SDP


@pytest.mark.parametrize("kind", ["text/plain", "multipart/mixed", "multipart/mixed;boundary=zz"])
def test_other_bodies_are_no_sdp(kind: str) -> None:
    assert siptext.parse(f"INVITE sip:x SIP/2.0\r\nContent-Type: {kind}\r\n\r\nhello").sdp is None


@pytest.mark.parametrize(
    ("uri", "user"),
    [
        ("sip:alice@x", "alice"),
        ("sips:a%23b:password@x", "a#b"),
        ("tel:+49-30;ext=1", "+49-30"),
        ("sip:x.example", ""),
        ("mailto:a@b", ""),
    ],
)
def test_users_of_uris(uri: str, user: str) -> None:
    assert siptext.uri_user(uri) == user


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("<sip:a@Host.Example:5070;x=1>;tag=2", ("host.example", 5070)),
        ("sip:[2001:db8::1]:5061", ("2001:db8::1", 5061)),
        ("<sip:h>", ("h", None)),
        ("*", ("", None)),
    ],
)
def test_host_and_port_of_header_values(value: str, expected: tuple[str, int | None]) -> None:
    assert siptext.uri_host_port(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("sip:a@b;tag=1", ("", "sip:a@b")),
        ("Bob <sip:b@c>", ("Bob", "sip:b@c")),
        ('"" <sip:b@c>', ("", "sip:b@c")),
        ("<sip:b@c>", ("", "sip:b@c")),
    ],
)
def test_names_and_addresses(value: str, expected: tuple[str, str]) -> None:
    assert siptext.name_addr(value) == expected


@given(st.text())
def test_any_text_is_taken_apart_without_an_error(text: str) -> None:
    message = siptext.parse(text)
    assert message.status == 0 or message.start_line.startswith("SIP/2.0 ")
    assert isinstance(message.sdp, str | None)
    assert isinstance(message.q850, int | None)
    assert all("\r\n" not in value for _, value in message.end_to_end)


def test_a_header_that_hides_another_one_goes_no_further() -> None:
    message = siptext.parse("BYE sip:x SIP/2.0\r\nX-A: 1\nVia: forged\r\nX-B: two\tthree\r\n\r\n")
    assert message.end_to_end == (("X-B", "two\tthree"),)


def test_the_q850_cause_is_found_among_other_reasons() -> None:
    message = siptext.parse('BYE sip:x SIP/2.0\r\nReason: SIP;cause=200;text="a", Q.850 ;text="b"; cause = 17\r\n\r\n')
    assert message.q850 == 17


def test_control_characters_do_not_reach_a_terminal() -> None:
    assert siptext.printable("\x1b[31mr\u202eed\n\x9b") == "\ufffd[31mr\ufffded\ufffd\ufffd"
    assert siptext.printable("Zoë Ünal 日本 +49") == "Zoë Ünal 日本 +49"
    assert siptext.parse("SIP/2.0 486 Bu\x1b[2Jsy\r\n\r\n").phrase == "Bu\ufffd[2Jsy"


@pytest.mark.parametrize(
    ("length", "body", "is_cut_off"),
    [
        ("4", "v=0", True),
        ("3", "v=0", False),
        ("2", "v=0", False),
        ("3", "ü\udcff", False),
        ("", "v=0", False),
        ("9" * 5000, "", False),
    ],
)
def test_a_body_shorter_than_its_content_length_is_cut_off(length: str, body: str, is_cut_off: bool) -> None:
    assert siptext.parse(f"INVITE sip:1@x SIP/2.0\r\nl: {length}\r\n\r\n{body}").is_cut_off is is_cut_off
