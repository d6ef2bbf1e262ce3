"""Whatever comes over the socket between gateway and SIP worker is a message or a mistake of the other end."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from call.errors import PeerError
from sip import messagelines, messages
from tests.harness.fuzzing import bounded, corpus, damaged, spliced

COMMANDS = get_args(get_args(messages.Command)[0])
EVENTS = get_args(get_args(messages.Event)[0])
"""Taken from the unions, so that no message can be forgotten here."""
ODD = corpus("worker")
REAL = [line.decode() for name, line in ODD.items() if name.startswith("real")]

# JSON has no other numbers (RFC 8259 §6).
st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
commands = st.one_of(*map(st.from_type, COMMANDS))
events = st.one_of(*map(st.from_type, EVENTS))


def as_object(message: messages.Command | messages.Event) -> dict[str, Any]:
    return dict(json.loads(messagelines.encode(message)))


def read_worker_message(line: bytes) -> None:
    with suppress(PeerError):
        command = messagelines.decode_command(line)
        assert messagelines.decode_command(messagelines.encode(command)) == command
    with suppress(PeerError):
        event = messagelines.decode_event(line)
        assert messagelines.decode_event(messagelines.encode(event)) == event


@pytest.mark.parametrize("name", ODD)
def test_the_corpus_is_a_message_or_a_mistake(name: str) -> None:
    read_worker_message(ODD[name])


def test_the_corpus_has_every_message() -> None:
    kinds = {json.loads(line)["type"] for line in REAL}
    assert kinds == {vars(kind)["__dataclass_fields__"]["type"].default for kind in (*COMMANDS, *EVENTS)}


@given(commands)
@bounded
def test_every_command_arrives_as_it_was_sent(command: messages.Command) -> None:
    assert messagelines.decode_command(messagelines.encode(command)) == command


@given(events)
@bounded
def test_every_event_arrives_as_it_was_sent(event: messages.Event) -> None:
    assert messagelines.decode_event(messagelines.encode(event)) == event


@given(st.binary(max_size=200))
@bounded
def test_any_bytes_are_a_message_or_a_mistake(line: bytes) -> None:
    read_worker_message(line)


@given(damaged((commands | events).map(as_object)))
@bounded
def test_a_message_with_wrong_fields_is_one_or_a_mistake(fields: dict[str, Any]) -> None:
    read_worker_message(json.dumps(fields).encode())


@given(spliced(REAL))
@bounded
def test_a_damaged_line_is_a_message_or_a_mistake(line: str) -> None:
    read_worker_message(line.encode())
