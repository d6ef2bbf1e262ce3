"""Whatever a page sends, it is a message that the published schema takes too, or the page's mistake."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from call.errors import PeerError
from tests.harness.fuzzing import bounded, corpus, json_values, spliced
from webrtc import signalling

ROOT = Path(__file__).parents[2]
SCHEMA: dict[str, Any] = json.loads((ROOT / "docs" / "signalling.schema.json").read_text())
CLIENT_SCHEMA = Draft202012Validator(SCHEMA | {"anyOf": [{"$ref": "#/$defs/ClientMessage"}]})
CHROMIUM = (ROOT / "tests/vectors/sdp/chromium.offer.sdp").read_bytes().decode()
REAL = [json.dumps(each) for each in json.loads((ROOT / "tests/web/signalling-messages.json").read_text())["client"]]
ODD = corpus("signalling")
KINDS = [vars(kind)["__dataclass_fields__"]["type"].default for kind in get_args(get_args(signalling.ClientMessage)[0])]


def message_like(types: list[str], fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """JSON objects with a real type, and fields that are often right and often not."""
    known = {name: strategy | json_values for name, strategy in fields.items()}
    return st.builds(
        lambda kind, these, others: {**others, **these, "type": kind},
        st.sampled_from(types),
        st.fixed_dictionaries({}, optional=known),
        st.dictionaries(st.text(max_size=8), json_values, max_size=2),
    )


client_messages = message_like(
    KINDS,
    {
        "call": st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True),
        "to": st.text(min_size=1, max_size=128),
        "sdp": st.sampled_from([CHROMIUM, "", "v=0\r\n"]),
        "digits": st.from_regex(r"[0-9A-Da-d*#]{1,64}", fullmatch=True),
        "headers": st.dictionaries(st.from_regex(r"[Xx]-[A-Za-z0-9-]{1,20}", fullmatch=True), st.text(max_size=20)),
        "sequence": st.integers(),
        "version": st.integers(),
        "token": st.text(max_size=40),
    },
)


def read_client_message(text: str | bytes) -> signalling.ClientMessage | None:
    with suppress(PeerError):
        return signalling.decode(text)
    return None


def taken_by_both(text: str) -> None:
    message = read_client_message(text)
    if message is not None:
        CLIENT_SCHEMA.validate(json.loads(text))
        assert message.type in KINDS


@pytest.mark.parametrize("name", ODD)
def test_the_corpus_is_a_message_or_a_pages_mistake(name: str) -> None:
    read_client_message(ODD[name])
    read_client_message(ODD[name].decode(errors="replace"))


@given(st.text(max_size=200) | st.binary(max_size=200))
@bounded
def test_any_frame_is_a_message_or_a_pages_mistake(frame: str | bytes) -> None:
    read_client_message(frame)


@given(client_messages)
@bounded
def test_what_the_decoder_takes_is_what_the_schema_takes(fields: dict[str, Any]) -> None:
    taken_by_both(json.dumps(fields))


@given(spliced(REAL))
@bounded
def test_a_damaged_message_is_one_or_a_pages_mistake(text: str) -> None:
    taken_by_both(text)


@given(st.builds(signalling.Error, st.just("refused"), st.text(), st.text(), st.none() | st.text()))
@bounded
def test_whatever_we_quote_can_be_sent(message: signalling.Error) -> None:
    assert json.loads(signalling.encode(message))["message"] == message.message
