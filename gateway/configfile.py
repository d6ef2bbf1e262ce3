"""One TOML file, read once and checked whole: the settings, or every mistake with its line."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from call.errors import GatewayError
from gateway import configwords
from gateway.config import AdminSettings, Config, ListenSettings, MediaSettings, NetworkSettings, SipSettings
from gateway.configrules import Found, across
from gateway.tomllines import Location, line_index, line_of

_DEFAULTS: Final = {
    "listen": ListenSettings().model_dump(),
    "admin": AdminSettings().model_dump(),
    "network": NetworkSettings().model_dump(),
    "media": MediaSettings().model_dump(),
    "sip": SipSettings().model_dump(),
}

Rehearsal = Callable[[Config], list[Found]]
"""Tells what a start with a configuration would stumble over (`gateway.rehearsal`)."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong in a configuration file."""

    line: int
    key: str
    expected: str


class ConfigError(GatewayError):
    """The configuration cannot be used; `mistakes` has all of them."""

    def __init__(self, file: str, mistakes: list[Mistake]) -> None:
        self.file = file
        self.mistakes = sorted(mistakes, key=lambda mistake: mistake.line)
        lines = [f"{file}:{m.line}: {m.key + ': ' if m.key else ''}{m.expected}" for m in self.mistakes]
        super().__init__("\n".join(lines))


def load(path: Path, rehearse: Rehearsal | None = None) -> Config:
    """Read and check a configuration file; `rehearse` looks at what it names, too.

    Raises:
        ConfigError: With every mistake that was found.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors begin a file with a byte order mark
    except OSError as error:
        raise ConfigError(str(path), [Mistake(1, "", f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), [Mistake(1, "", "is not UTF-8 text")]) from error
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line, words = configwords.of_syntax(str(error), text)
        raise ConfigError(str(path), [Mistake(line, "", words)]) from error
    return check(document, text, str(path), rehearse)


def check(document: dict[str, Any], text: str, file: str, rehearse: Rehearsal | None = None) -> Config:
    """Turn a parsed document into a Config; `text` is where the lines come from.

    Raises:
        ConfigError: With every mistake that was found.
    """
    lines = line_index(text)
    config: Config | None = None
    mistakes: list[Mistake] = []
    try:
        config = Config.model_validate(document)
    except ValidationError as error:
        errors: list[dict[str, Any]] = [dict(e) for e in error.errors(include_url=False)]
        mistakes = [
            _mistake(e["loc"], configwords.of_error(e), lines) for e in errors if not _follows(e["loc"], errors)
        ]
    found = across(document, _DEFAULTS)
    if rehearse and config and not found:
        found = rehearse(config)
    mistakes += [_mistake(location, words, lines) for location, words in found]
    if mistakes or config is None:
        raise ConfigError(file, mistakes)
    return config


def _follows(location: Location, errors: Sequence[Any]) -> bool:
    """A list counts as too short only because an entry of it was wrong: one mistake, not two."""
    return any(len(e["loc"]) > len(location) and e["loc"][: len(location)] == location for e in errors)


def _mistake(location: Location, words: str, lines: dict[Location, int]) -> Mistake:
    named = [str(part) for part in location if part != "[key]"]  # pydantic's mark of a wrong name of a table
    return Mistake(line_of(location, lines), ".".join(named), words)
