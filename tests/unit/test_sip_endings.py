"""`sip.endings`: pjsip's last words become an end with a fault and words."""

from __future__ import annotations

import pytest

from sip import endings, siptext
from sip.endings import EXPIRED, LastWords
from sip.messages import Ended


def words(start_line: str, *headers: str, has_credentials: bool = False) -> LastWords:
    message = siptext.parse("\r\n".join([start_line, *headers, "", ""]))
    return LastWords(0, "", message, has_credentials)


def test_a_bye_and_a_cancel_are_the_peers_doing() -> None:
    assert endings.ended("a", words("BYE sip:x SIP/2.0")) == Ended("a", by="peer", status=200)
    cancelled = endings.ended("a", words("CANCEL sip:x SIP/2.0", "Reason: Q.850;cause=26"))
    assert (cancelled.by, cancelled.status, cancelled.q850) == ("peer", 487, 26)


def test_a_refusal_keeps_the_peers_words_and_headers() -> None:
    ended = endings.ended("a", words("SIP/2.0 603 Never", "X-Why: mood"))
    assert ended == Ended("a", by="peer", status=603, phrase="Never", headers=(("X-Why", "mood"),))


@pytest.mark.parametrize("status", [401, 407])
@pytest.mark.parametrize(("has_credentials", "part"), [(True, "refused"), (False, "none is configured")])
def test_a_challenge_says_whether_there_was_a_password(status: int, has_credentials: bool, part: str) -> None:
    ended = endings.ended("a", words(f"SIP/2.0 {status} No", has_credentials=has_credentials))
    assert (ended.by, ended.status, ended.fault) == ("peer", status, "auth")
    assert part in ended.detail


@pytest.mark.parametrize(
    ("last", "status", "fault"),
    [
        (LastWords(408, "Request Timeout", None), 408, "timeout"),
        (LastWords(503, "Connection refused", None), 503, "transport"),
        (LastWords(502, "Unreachable", None), 503, "transport"),
        (LastWords(408, EXPIRED, None), 408, "transport"),
        (LastWords(500, "", None, was_accepted=True), 488, "media"),
    ],
)
def test_what_nobody_said_is_a_fault(last: LastWords, status: int, fault: str) -> None:
    ended = endings.ended("a", last)
    assert (ended.by, ended.status, ended.fault) == ("fault", status, fault)


def test_the_others_speak_for_themselves() -> None:
    assert endings.by_us("a", 487) == Ended("a", by="us", status=487)
    assert endings.by_bug("a", "oops").fault == endings.by_stop("a", 503).fault == "worker"
    malformed = endings.malformed("a", "no Via")
    assert (malformed.fault, malformed.detail) == ("malformed", "not in SIP: no Via")
    assert endings.with_detail(malformed, "x").detail == "x"


def test_a_status_beyond_699_is_sip_but_not_as_it_should_be() -> None:
    assert endings.malformed("a", "Invalid/unexpected SIP status code").detail == (
        "with a status code that SIP does not have (it has 100 to 699)"
    )


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("End of file (PJ_EEOF)", "It closed the connection without an answer."),
        ("Network is unreachable", "Network is unreachable."),
        ("Unsupported transport (PJSIP_EUNSUPTRANSPORT)", "Unsupported transport."),
        ("Invalid argument", "SIP is bound to a loopback address, which leads to no other machine."),
        ("", ""),
    ],
)
def test_pjsips_words_become_words_for_people(reason: str, words: str) -> None:
    assert endings.plain(reason) == words
    assert endings.ended("a", LastWords(503, reason, None)).detail == words


INVITE = "INVITE sip:1@x SIP/2.0\r\nContact: <sip:a@y>\r\nCSeq: 1 INVITE\r\n"


@pytest.mark.parametrize(
    ("status", "invite", "words"),
    [
        (400, INVITE + "Content-Length: 9\r\n\r\nv=0", "shorter than its Content-Length"),
        (400, "INVITE sip:1@x SIP/2.0\r\n\r\n", "no Contact"),
        (400, INVITE + "Content-Type: application/sdp\r\n\r\nv=7", "SDP cannot be read"),
        (415, INVITE + "Content-Type: text/plain\r\n\r\nhello", "no SDP"),
        (420, INVITE + "Require: foo\x1b\r\n\r\n", "do not have (foo\ufffd)"),
        (480, INVITE.replace("sip:1", "SIPS:1") + "\r\n", "TLS all the way"),
        (500, INVITE.replace("1 INVITE", "1 OPTIONS") + "\r\n", "another method"),
        (480, INVITE + "\r\n", "cannot take it"),
        (500, INVITE + "\r\n", "cannot take it"),
    ],
)
def test_why_an_invite_is_refused_is_said_truly(status: int, invite: str, words: str) -> None:
    detail, fault = endings.why_refused(status, siptext.parse(invite))
    assert words in detail
    assert fault == ("media" if "SDP" in words else "")
