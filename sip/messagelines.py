"""How commands and events travel between the gateway and its SIP worker: one line of JSON each, on a Unix socket."""

from __future__ import annotations

from typing import Any, Final, TypeVar, get_args

from pydantic import ConfigDict, TypeAdapter, ValidationError

from call.errors import PeerError
from sip.messages import Command, Event

MessageT = TypeVar("MessageT")

_COMMAND_TYPES: Final = get_args(get_args(Command)[0])
_PARSING: Final = ConfigDict(cache_strings="keys")  # values hardly ever come twice: 16,000 would be kept in vain
_COMMANDS: Final[TypeAdapter[Command]] = TypeAdapter(Command, config=_PARSING)
_EVENTS: Final[TypeAdapter[Event]] = TypeAdapter(Event, config=_PARSING)


def encode(message: Command | Event) -> bytes:
    """One message as a line of JSON, with its newline."""
    adapter: TypeAdapter[Any] = _COMMANDS if isinstance(message, _COMMAND_TYPES) else _EVENTS
    return adapter.dump_json(message) + b"\n"


def decode_command(line: bytes) -> Command:
    """Parse a line that the gateway sent.

    Raises:
        PeerError: It is not a command.
    """
    return _decode(_COMMANDS, line, "command")


def decode_event(line: bytes) -> Event:
    """Parse a line that the worker sent.

    Raises:
        PeerError: It is not an event.
    """
    return _decode(_EVENTS, line, "event")


def _decode(adapter: TypeAdapter[MessageT], line: bytes, what: str) -> MessageT:
    try:
        return adapter.validate_json(line)
    except ValidationError as error:
        raise PeerError(f"not a worker {what}: {error.errors()[0]['msg']}") from error
