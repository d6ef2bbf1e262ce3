"""`sip.messagelines`: what goes through the socket comes out equal, and nothing else comes out at all."""

from __future__ import annotations

import dataclasses
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from call.errors import PeerError
from sip import messagelines, messages

COMMANDS = typing.get_args(typing.get_args(messages.Command)[0])
EVENTS = typing.get_args(typing.get_args(messages.Event)[0])


def any_of(kind: type) -> st.SearchStrategy[object]:
    """Values of a message class, its type tag left alone."""
    hints = typing.get_type_hints(kind)
    return st.builds(
        kind, **{f.name: st.from_type(hints[f.name]) for f in dataclasses.fields(kind) if f.name != "type"}
    )


st.register_type_strategy(str, st.text(st.characters(codec="utf-8")))
st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))  # JSON has no others


@given(st.one_of([any_of(kind) for kind in COMMANDS]))
def test_commands_survive_the_socket(command: messages.Command) -> None:
    line = messagelines.encode(command)
    assert line.count(b"\n") == 1
    assert messagelines.decode_command(line) == command


@given(st.one_of([any_of(kind) for kind in EVENTS]))
def test_events_survive_the_socket(event: messages.Event) -> None:
    line = messagelines.encode(event)
    assert line.count(b"\n") == 1
    assert messagelines.decode_event(line) == event


@given(st.binary())
def test_any_bytes_give_a_message_or_a_peer_error(line: bytes) -> None:
    for decode in (messagelines.decode_command, messagelines.decode_event):
        try:
            decode(line)
        except PeerError as error:
            assert str(error)


def test_a_password_is_not_in_the_words_of_a_trunk() -> None:
    assert "secret" not in repr(messages.TrunkAccount("t", "h", 1, password="secret"))


@pytest.mark.parametrize("kind", [*COMMANDS, *EVENTS])
def test_every_message_names_its_type_once(kind: type) -> None:
    tags = [f.default for other in (*COMMANDS, *EVENTS) for f in dataclasses.fields(other) if f.name == "type"]
    own = next(f.default for f in dataclasses.fields(kind) if f.name == "type")
    assert tags.count(own) == 1


def test_parser_keeps_no_word_of_a_message() -> None:
    line = messagelines.encode(messages.DtmfRefused("a leg that is named nowhere else", "1", 400))
    first, second = (messagelines.decode_event(line) for _ in range(2))
    assert isinstance(first, messages.DtmfRefused) and isinstance(second, messages.DtmfRefused)
    assert first.leg is not second.leg
