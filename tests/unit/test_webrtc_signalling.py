import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from call.errors import PeerError
from webrtc import signalling
from webrtc.signalling import MAX_MESSAGE_BYTES, decode, encode

SCHEMA_TEXT = (Path(__file__).parents[2] / "docs" / "signalling.schema.json").read_text()
# The $ of ECMA 262, JSON Schema's dialect, matches only at the end; Python's also before a last newline.
SCHEMA = json.loads(SCHEMA_TEXT.replace('$"', r'\\Z"'))
CLIENT_SCHEMA = Draft202012Validator(SCHEMA | {"anyOf": [{"$ref": "#/$defs/ClientMessage"}]})
SERVER_SCHEMA = Draft202012Validator(SCHEMA | {"anyOf": [{"$ref": "#/$defs/ServerMessage"}]})
START = {"type": "call.start", "call": "p-1", "to": "+49 30 123", "sdp": "v=0"}


def frame(**fields: Any) -> str:
    return json.dumps(fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"type": "hello"}, signalling.Hello()),
        (
            {"type": "hello", "version": 1, "token": "t", "user": "bob", "session": "s"},
            signalling.Hello(1, "t", "bob", "s"),
        ),
        (START, signalling.CallStart("p-1", "+49 30 123", "v=0")),
        ({**START, "headers": {"X-A": "1"}}, signalling.CallStart("p-1", "+49 30 123", "v=0", {"X-A": "1"})),
        ({"type": "call.accept", "call": "c", "sdp": "v=0"}, signalling.CallAccept("c", "v=0")),
        ({"type": "call.reject", "call": "c"}, signalling.CallReject("c")),
        ({"type": "call.offer", "call": "c", "sdp": "v=0"}, signalling.CallOffer("c", "v=0")),
        ({"type": "call.dtmf", "call": "c", "digits": "0*#aD"}, signalling.CallDtmf("c", "0*#aD")),
        ({"type": "call.hangup", "call": "c"}, signalling.CallHangup("c")),
        ({"type": "goodbye"}, signalling.Goodbye()),
        ({"type": "ping", "sequence": 7}, signalling.Ping(7)),
        ({"type": "ping", "from": "the future"}, signalling.Ping()),
    ],
)
def test_message_of_a_page_becomes_a_value(fields: dict[str, Any], message: signalling.ClientMessage) -> None:
    assert decode(json.dumps(fields)) == message
    assert decode(json.dumps(fields).encode()) == message
    CLIENT_SCHEMA.validate(fields)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Invalid JSON"),
        ("{", "Invalid JSON"),
        (b"\xff\xfe", "Invalid JSON"),
        ("[" * 10_000, "recursion limit"),
        ("[]", "should be an object"),
        ('"hello"', "should be an object"),
        ("{}", "type: Field required"),
        (frame(type="call.steal", call="c"), "type: There is no message 'call.steal'"),
        (frame(type=5), "type: There is no message '5'"),
        (frame(type="welcome"), "type: There is no message 'welcome'"),
        (frame(type="call.start", call="c", sdp="v=0"), "to: Field required"),
        (frame(**START | {"call": "two words"}), "call: "),
        (frame(**START | {"call": "c" * 65}), "call: "),
        (frame(**START | {"to": ""}), "to: "),
        (frame(**START | {"to": "echo\r\nVia: x"}), "to: "),
        (frame(**START | {"sdp": "v" * 32_769}), "sdp: "),
        (frame(**START | {"headers": {"From": "me"}}), "headers.From: "),
        (frame(**START | {"headers": {"X-A": "1\r\nFrom: me"}}), "headers.X-A: "),
        (frame(**START | {"headers": {"X-A": 1}}), "headers.X-A: "),
        (frame(**START | {"headers": {f"X-{n}": "" for n in range(17)}}), "headers: "),
        (frame(type="call.dtmf", call="c", digits="12e"), "digits: "),
        (frame(type="call.dtmf", call="c", digits="1\n"), "digits: "),
        (frame(type="call.dtmf", call="c", digits=""), "digits: "),
        (frame(type="ping", sequence="1"), "sequence: "),
        (frame(type="ping", sequence=True), "sequence: "),
        (frame(type="hello", version=None), "version: "),
        (frame(type="hello", token="t" * 4097), "token: "),
    ],
)
def test_what_is_no_message_is_refused_with_the_field_that_is_wrong(text: str | bytes, sentence: str) -> None:
    with pytest.raises(PeerError) as caught:
        decode(text)
    assert sentence in str(caught.value)
    assert "signalling.md" in caught.value.hint
    assert not _is_json(text) or not CLIENT_SCHEMA.is_valid(json.loads(text))


def _is_json(text: str | bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def test_refusal_does_not_send_a_long_mistake_back() -> None:
    for text in (frame(type="x" * 60_000), frame(**START | {"headers": {"x" * 60_000: ""}})):
        with pytest.raises(PeerError) as caught:
            decode(text)
        assert len(str(caught.value)) < 300


def test_secrets_of_a_login_stay_out_of_logs() -> None:
    words = repr(decode(frame(type="hello", token="very-secret-token", session="very-secret-key")))
    assert "secret" not in words


SERVER_MESSAGES: list[tuple[signalling.ServerMessage, dict[str, Any]]] = [
    (
        signalling.Welcome("alice", "Alice", "key", False, 30.0, 15.0),
        {
            "type": "welcome",
            "version": 1,
            "user": "alice",
            "display": "Alice",
            "session": "key",
            "resumed": False,
            "grace_s": 30.0,
            "ping_s": 15.0,
            "ice_servers": [],
            "features": [],
            "calls": [],
        },
    ),
    (
        signalling.CallAnswerSdp("p-1", "v=0", "ab12", "Both speak PCMA."),
        {"type": "call.answer-sdp", "call": "p-1", "sdp": "v=0", "record": "ab12", "codec": "Both speak PCMA."},
    ),
    (
        signalling.CallIncoming("c1", "+4930", "Bob", "100", {"X-A": "1"}, "c1"),
        {
            "type": "call.incoming",
            "call": "c1",
            "remote": "+4930",
            "display": "Bob",
            "to": "100",
            "headers": {"X-A": "1"},
            "record": "c1",
        },
    ),
    (
        signalling.CallProgress("c", 183, True),
        {"type": "call.progress", "call": "c", "status": 183, "early_media": True, "headers": {}},
    ),
    (
        signalling.CallAnswered("c", "Both speak Opus."),
        {"type": "call.answered", "call": "c", "codec": "Both speak Opus.", "headers": {}},
    ),
    (
        signalling.CallRenegotiate("c", "The trunk speaks PCMA."),
        {"type": "call.renegotiate", "call": "c", "why": "The trunk speaks PCMA."},
    ),
    (signalling.CallDtmf("c", "5"), {"type": "call.dtmf", "call": "c", "digits": "5"}),
    (
        signalling.CallEnded("c", "busy", 486, "echo is busy."),
        {
            "type": "call.ended",
            "call": "c",
            "cause": "busy",
            "sip_status": 486,
            "sentence": "echo is busy.",
            "hint": "",
        },
    ),
    (
        signalling.Error("refused", "No.", call="c"),
        {"type": "error", "code": "refused", "message": "No.", "hint": "", "call": "c"},
    ),
    (signalling.Pong(7), {"type": "pong", "sequence": 7}),
]


@pytest.mark.parametrize(("message", "fields"), SERVER_MESSAGES, ids=lambda value: type(value).__name__)
def test_message_for_a_page_is_one_json_object(message: signalling.ServerMessage, fields: dict[str, Any]) -> None:
    assert json.loads(encode(message)) == fields
    SERVER_SCHEMA.validate(fields)


def test_welcome_tells_a_page_that_comes_back_its_calls() -> None:
    live = signalling.LiveCall("p-1", "outgoing", "echo", "answered")
    welcome = signalling.Welcome("alice", "Alice", "key", True, 30.0, 15.0, calls=(live,))
    assert json.loads(encode(welcome))["calls"] == [
        {
            "call": "p-1",
            "direction": "outgoing",
            "remote": "echo",
            "state": "answered",
            "held": False,
            "recorded": False,
        }
    ]


@pytest.mark.parametrize("value", ["v" * 508, "ü" * 254], ids=["ASCII", "UTF-8"])
def test_headers_that_would_fill_the_invite_are_refused_in_a_sentence_of_their_own(value: str) -> None:
    headers = {f"X-{n}": value for n in range(8)}
    decode(frame(**START | {"headers": dict(list(headers.items())[:7])}))
    with pytest.raises(PeerError, match="headers: All headers together may have 4096 bytes, and these have 41"):
        decode(frame(**START | {"headers": headers}))


def test_largest_offer_with_all_headers_fits_into_a_frame() -> None:
    headers = {f"X-{n:02}": "v" * (signalling.MAX_HEADER_BYTES // 16 - len("X-00: \r\n")) for n in range(16)}
    text = frame(**START | {"sdp": "v" * 32_768, "headers": headers})
    assert len(text.encode()) < MAX_MESSAGE_BYTES
    assert isinstance(decode(text), signalling.CallStart)


def test_parser_keeps_no_word_of_a_page() -> None:
    first, second = (decode('{"type": "call.hangup", "call": "NamedNowhereElse"}') for _ in range(2))
    assert isinstance(first, signalling.CallHangup) and isinstance(second, signalling.CallHangup)
    assert first.call is not second.call
