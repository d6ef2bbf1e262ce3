"""Whatever a foreign party sends, a parser gives a value or a PeerError, and nothing else.

The invariant of every test here is the whole test: any other exception fails it. Each is bounded, so that
the folder runs within seconds.
"""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from call import sdes, sdp
from call.browser_sdp import read_browser_offer
from call.dialplan import clean, is_number
from call.errors import GatewayError, PeerError, UnknownDestination
from call.trunk_sdp import read_trunk_answer, read_trunk_offer, trunk_offer
from call.trunk_srtp import encrypt_offer
from gateway.auth import Gatekeeper, make_token
from gateway.config import AuthSettings, Config, ConfigError, load
from gateway.tomllines import line_index
from sip import messages
from webrtc import signalling

ROOT = Path(__file__).parents[2]
SCHEMA: dict[str, Any] = json.loads((ROOT / "docs" / "signalling.schema.json").read_text())
CLIENT_SCHEMA = Draft202012Validator(SCHEMA | {"anyOf": [{"$ref": "#/$defs/ClientMessage"}]})
SAMPLES = [path.read_bytes().decode() for path in sorted((ROOT / "tests" / "vectors" / "sdp").glob("*.sdp"))]
OURS = trunk_offer(
    address="192.0.2.1", rtp_port=20_000, rtcp_port=20_001, codecs=("opus", "PCMU"), session_id=1, version=1
)
OUR_KEYS = sdes.offer(None, lambda length: bytes(range(length)))
OURS_WITH_KEYS = encrypt_offer(OURS, OUR_KEYS, "required")
bounded = settings(max_examples=100, deadline=None)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=4,
)


@st.composite
def spliced(draw: st.DrawFn, samples: list[str]) -> str:
    """A real text with a piece cut out and something else put there."""
    sample = draw(st.sampled_from(samples))
    start = draw(st.integers(0, len(sample)))
    end = draw(st.integers(start, min(len(sample), start + 60)))
    return (
        sample[:start]
        + draw(st.text(max_size=30) | st.sampled_from(["\0", "\r\n", "=", ":", " ", "-1"]))
        + sample[end:]
    )


def message_like(types: list[str], fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """JSON objects with a real type, and fields that are often right and often not."""
    known = {name: strategy | json_values for name, strategy in fields.items()}
    return st.builds(
        lambda kind, these, others: {**others, **these, "type": kind},
        st.sampled_from(types),
        st.fixed_dictionaries({}, optional=known),
        st.dictionaries(st.text(max_size=8), json_values, max_size=2),
    )


def type_names(*classes: type) -> list[str]:
    return [vars(one)["__dataclass_fields__"]["type"].default for one in classes]


client_messages = message_like(
    type_names(
        signalling.Hello,
        signalling.CallStart,
        signalling.CallAccept,
        signalling.CallReject,
        signalling.CallOffer,
        signalling.CallDtmf,
        signalling.CallHangup,
        signalling.Goodbye,
        signalling.Ping,
    ),
    {
        "call": st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True),
        "to": st.text(min_size=1, max_size=128),
        "sdp": st.sampled_from(SAMPLES),
        "digits": st.from_regex(r"[0-9A-Da-d*#]{1,64}", fullmatch=True),
        "headers": st.dictionaries(st.from_regex(r"[Xx]-[A-Za-z0-9-]{1,20}", fullmatch=True), st.text(max_size=20)),
        "sequence": st.integers(),
        "version": st.integers(),
        "token": st.text(max_size=40),
    },
)
worker_messages = message_like(
    type_names(*messages._COMMAND_TYPES, messages.Started, messages.Incoming, messages.Ringing, messages.Answered)
    + type_names(messages.Reoffered, messages.Reanswered, messages.Ended, messages.InfoDtmf, messages.Heartbeat)
    + type_names(messages.DtmfRefused),
    {
        "leg": st.text(max_size=12),
        "trunk": st.text(max_size=12),
        "status": st.integers(100, 699),
        "sdp": st.none() | st.text(max_size=40),
        "headers": st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=3),
        "by": st.sampled_from(["peer", "us", "fault"]),
        "sequence": st.integers(),
    },
)


def read_client_message(text: str | bytes) -> signalling.ClientMessage | None:
    with suppress(PeerError):
        return signalling.decode(text)
    return None


def read_worker_message(line: bytes) -> None:
    with suppress(PeerError):
        command = messages.decode_command(line)
        assert messages.decode_command(messages.encode(command)) == command
    with suppress(PeerError):
        event = messages.decode_event(line)
        assert messages.decode_event(messages.encode(event)) == event


def read_sdp(text: str) -> None:
    with suppress(PeerError):
        description = sdp.parse(text)
        assert sdp.parse(str(description)) == description
    with suppress(PeerError):
        read_browser_offer(text)
    with suppress(PeerError):
        read_trunk_offer(text, ("PCMU", "PCMA", "opus"))
    with suppress(PeerError):
        read_trunk_answer(OURS, text)
    with suppress(PeerError):
        read_trunk_offer(text, ("PCMU", "PCMA", "opus"), "optional")
    with suppress(PeerError):
        read_trunk_answer(OURS_WITH_KEYS, text, "required")


# -- SDP ----------------------------------------------------------------------------------------------


CRYPTO_LINES = [f"{line}{extra}" for line in OUR_KEYS for extra in ("", "|2^20|1:4", " WSH=64 KDR=1", ";inline:AAAA")]


@given(st.text(max_size=200) | spliced(CRYPTO_LINES))
@bounded
def test_any_crypto_line_is_read_or_passed_over(text: str) -> None:
    if line := sdes.parse(text):
        assert sdes.parse(str(line)) == line
        assert len(line.key) == sdes.SUITES[line.suite]
        read_sdp(f"{OURS}a=crypto:{text}\r\n")


@given(st.text(max_size=400))
@bounded
def test_any_text_is_sdp_or_a_peers_mistake(text: str) -> None:
    read_sdp(text)


@given(spliced(SAMPLES))
@bounded
def test_damaged_sdp_is_sdp_or_a_peers_mistake(text: str) -> None:
    read_sdp(text)


# -- signalling ---------------------------------------------------------------------------------------


@given(st.text(max_size=200) | st.binary(max_size=200))
@bounded
def test_any_frame_is_a_message_or_a_peers_mistake(frame: str | bytes) -> None:
    read_client_message(frame)


@given(client_messages)
@bounded
def test_what_the_decoder_takes_is_what_the_schema_takes(fields: dict[str, Any]) -> None:
    text = json.dumps(fields)
    message = read_client_message(text)
    if message is not None:
        CLIENT_SCHEMA.validate(json.loads(text))
        assert message.type == fields["type"]


@given(st.builds(signalling.Error, st.text(), st.text(), st.text(), st.none() | st.text()))
@bounded
def test_whatever_we_quote_can_be_sent(message: signalling.Error) -> None:
    assert json.loads(signalling.encode(message))["message"] == message.message


# -- the worker ---------------------------------------------------------------------------------------


@given(st.binary(max_size=200))
@bounded
def test_any_bytes_are_a_worker_message_or_a_peers_mistake(line: bytes) -> None:
    read_worker_message(line)


@given(worker_messages)
@bounded
def test_any_object_is_a_worker_message_or_a_peers_mistake(fields: dict[str, Any]) -> None:
    read_worker_message(json.dumps(fields).encode())


# -- people -------------------------------------------------------------------------------------------


@given(st.text(max_size=100) | st.from_regex(r"\+?[0-9 ()/.*#-]{1,40}", fullmatch=True))
@bounded
def test_whatever_is_typed_becomes_clean_or_is_refused(typed: str) -> None:
    with suppress(UnknownDestination):
        destination = clean(typed)
        assert destination.isascii()
        assert destination.isprintable()
        assert not set(destination) & set(" @:;<>\"'/\\")
        assert clean(destination) == destination
        assert is_number(destination) or destination[0].isalnum()


KEEPER = Gatekeeper(AuthSettings(mode="jwt", key="k" * 40), {})
TOKEN = make_token("k" * 40, "alice", ttl_s=3600)


@given(st.text(max_size=200) | spliced([TOKEN]))
@bounded
def test_any_token_opens_the_door_or_is_refused(token: str) -> None:
    with suppress(GatewayError):
        identity = KEEPER.admit(signalling.Hello(token=token))
        assert identity.user == "alice"


@given(st.binary(max_size=200) | spliced([(ROOT / "config" / "demo.toml").read_text()]).map(str.encode))
@settings(max_examples=60, deadline=None)
def test_any_file_is_a_configuration_or_a_list_of_mistakes(tmp_path_factory: Any, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.toml"
    path.write_bytes(content)
    lines = len(content.splitlines()) + 1
    try:
        assert isinstance(load(path), Config)
    except ConfigError as error:
        assert error.mistakes
        assert all(1 <= mistake.line <= lines for mistake in error.mistakes)


@given(st.text(max_size=300))
@bounded
def test_any_text_has_an_index_of_lines(text: str) -> None:
    assert all(1 <= line <= text.count("\n") + 1 for line in line_index(text).values())
