import pytest

from bench.descriptions import Local, browser_offer, phone_answer, read
from bench.phone import parse, respond
from call.browser_sdp import read_browser_offer

LOCAL = Local(("127.0.0.1", 4000), "ufrag4", "password-of-22-letters", ":".join(["AB"] * 32))


def test_the_gateway_understands_what_the_browsers_of_the_bench_offer() -> None:
    offer = read_browser_offer(
        browser_offer(Local(LOCAL.address, "ufrag4", "a" * 22, LOCAL.fingerprint_sha256), ("opus",))
    )
    assert [each.codec for each in offer.codecs] == ["opus"]
    assert offer.answer_setup() == "passive"


def test_an_offer_reads_back() -> None:
    remote = read(browser_offer(LOCAL, ("PCMU",)))
    assert (remote.address, remote.ufrag, remote.pwd) == (LOCAL.address, LOCAL.ufrag, LOCAL.pwd)
    assert remote.fingerprint == ("sha-256", LOCAL.fingerprint_sha256)


def test_a_phone_has_neither_ice_nor_dtls() -> None:
    remote = read(phone_answer(("127.0.0.1", 5004), "PCMU"))
    assert (remote.address, remote.ufrag, remote.fingerprint) == (("127.0.0.1", 5004), "", ("", ""))


def test_rejected_audio_is_noticed() -> None:
    with pytest.raises(ValueError, match="no audio"):
        read(phone_answer(("127.0.0.1", 0), "PCMU"))


INVITE = (
    b"INVITE sip:+1000007@127.0.0.1:5070 SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@a>;tag=1\r\n"
    b"To: <sip:b@b>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContact: <sip:a@a>\r\n\r\nv=0\r\n"
)


def test_a_response_copies_what_the_request_must_find_again() -> None:
    response = respond(parse(INVITE), "200 OK", "<sip:phone@127.0.0.1>", "v=0\r\n").decode()
    head, _, body = response.partition("\r\n\r\n")
    assert head.splitlines() == [
        "SIP/2.0 200 OK",
        "Via: SIP/2.0/UDP a;branch=z9hG4bK1",
        "From: <sip:a@a>;tag=1",
        "To: <sip:b@b>;tag=bench",
        "Call-ID: c",
        "CSeq: 1 INVITE",
        "Contact: <sip:phone@127.0.0.1>",
        "Content-Type: application/sdp",
        "Content-Length: 5",
    ]
    assert body == "v=0\r\n"
