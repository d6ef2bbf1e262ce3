"""Whatever text stands in a SIP message, the worker's readers pick out strings and never fail.

pjsip has parsed the message before; but what it lets pass is wide, and these readers run in its one thread.
"""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sip import infodigits, siptext
from tests.harness.fuzzing import bounded

SDP = (Path(__file__).parents[2] / "tests/vectors/sdp/baresip.offer.sdp").read_bytes().decode()

NAMES = ["From", "t", "Content-Type", "c", "Reason", "X-Account", "Via", "m", ""]
VALUES = [
    '"A \\"quoted\\" name" <sip:alice:secret@Example.com:5061;transport=tcp?x=y>;tag=1',
    "sip:%E2%82%AC@[2001:db8::1]:5060;lr",
    "tel:+1-201-555-0123;phone-context=example.com",
    'Q.850;cause=17;text="busy", SIP;cause=600',
    "application/sdp",
    'multipart/mixed;boundary="b"',
    "application/dtmf-relay",
]
STARTS = ["SIP/2.0 200 OK", "SIP/2.0 487", "SIP/2.0 99999 x", "INVITE sip:100@host SIP/2.0", "BYE", ""]
SEPARATORS = ["\r\n", "\r\n\r\n", "\r\n ", ": ", "--b", "<", '"', "\\", "%", "@", ";cause="]

words = st.sampled_from([*NAMES, *VALUES, *STARTS, *SEPARATORS, SDP]) | st.text(max_size=20)
fields = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES) | words), max_size=5)
bodies = st.just(SDP) | st.just(f"--b\r\nContent-Type: application/sdp\r\n\r\n{SDP}\r\n--b--") | words


def message(start: str, fields: list[tuple[str, str]], body: str) -> str:
    return "\r\n".join([start, *(f"{name}: {value}" for name, value in fields), "", body])


messages = st.lists(words, max_size=12).map("".join) | st.builds(message, st.sampled_from(STARTS), fields, bodies)


@given(messages)
@bounded
def test_any_text_is_taken_apart_as_a_message(text: str) -> None:
    parsed = siptext.parse(text)
    assert 0 <= parsed.status <= 999
    assert parsed.q850 is None or 0 <= parsed.q850 <= 999
    assert parsed.sdp is None or parsed.sdp in text or parsed.sdp.removesuffix("\r\n") in text
    assert all(name.lower() not in siptext.DIALOG_HEADERS for name, _ in parsed.end_to_end)
    assert len(siptext.request_user(parsed)) <= len(text)


@given(st.lists(words, max_size=6).map("".join))
@bounded
def test_any_text_has_a_user_a_host_and_a_display_name(text: str) -> None:
    assert len(siptext.uri_user(text)) <= len(text)
    host, port = siptext.uri_host_port(text)
    assert host in text.lower()
    assert port is None or port >= 0
    display, uri = siptext.name_addr(text)
    assert len(display) + len(uri) <= len(text)


@given(st.sampled_from(["application/dtmf", "Application/DTMF-Relay", "text/plain"]), st.lists(words, max_size=4))
@bounded
def test_an_info_body_is_one_digit_or_a_refusal(content_type: str, parts: list[str]) -> None:
    for body in ("".join(parts), "Signal=5\r\nDuration=" + "".join(parts), "Signal= " + "".join(parts)):
        match infodigits.read(content_type, body):
            case infodigits.Digit(key, duration_ms):
                assert key in ("", *infodigits.KEYS)
                assert 40 <= duration_ms <= 60_000
            case status:
                assert status in (400, 415)
