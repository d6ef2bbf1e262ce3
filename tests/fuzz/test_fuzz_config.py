"""Configuration files with real keys and wrong values: every mistake has its line, and no secret is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import config
from gateway.config import Config
from gateway.configfile import ConfigError, Mistake, load
from tests.harness.fuzzing import bounded

KEYS: dict[str, type[config.Settings]] = {
    "listen": config.ListenSettings,
    "admin": config.AdminSettings,
    "auth": config.AuthSettings,
    "network": config.NetworkSettings,
    "media": config.MediaSettings,
    "sip": config.SipSettings,
    "session": config.SessionSettings,
    "records": config.RecordSettings,
    "dialplan": config.DialplanSettings,
    "limits": config.LimitSettings,
    "user.alice": config.UserSettings,
    "trunk.carrier": config.TrunkSettings,
}
SECRETS = ("password", "key")
SECRET = "correct horse battery staple"

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
values: st.SearchStrategy[Any] = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
plausible = st.sampled_from(
    [
        "127.0.0.1",
        "0.0.0.0",
        "::1",
        "auto",
        "open",
        "jwt",
        "udp",
        "tls",
        "*",
        "+49",
        0,
        5060,
        70_000,
        [30_000, 30_999],
        [],
    ]
)


def literal(value: Any) -> str:
    """A JSON value as TOML, which differs in no value used here."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Some sections, each with some of its keys, now and then an unknown one."""
    lines = []
    for section in draw(st.lists(st.sampled_from(sorted(KEYS)), unique=True)):
        lines += [""] * draw(st.integers(0, 2)) + [f"[[{section}]]" if section == "network" else f"[{section}]"]
        known = sorted(KEYS[section].model_fields)
        for key in draw(st.lists(st.sampled_from([*known, "unknown"]), unique=True, max_size=6)):
            if key in SECRETS:
                value: Any = draw(st.sampled_from([SECRET, [SECRET], [[SECRET]]]))
            else:
                value = draw(plausible | values)
            lines.append(f"{key} = {literal(value)}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("config") / "fuzz.toml"


@given(document=documents())
@bounded
def test_real_keys_with_any_values_are_a_configuration_or_mistakes_with_lines(file: Path, document: str) -> None:
    file.write_text(document, encoding="utf-8")
    lines = document.split("\n")
    try:
        assert isinstance(load(file), Config)
    except ConfigError as error:
        assert error.mistakes
        assert SECRET not in str(error)
        for mistake in error.mistakes:
            assert 1 <= mistake.line <= len(lines)
            assert mistake.expected
            stands_at(mistake, lines)


def stands_at(mistake: Mistake, lines: list[str]) -> None:
    """A mistake at a key that is there names the key's line."""
    section, _, key = mistake.key.rpartition(".")
    header = f"[{section}]"
    if header in lines and key:
        following = lines[lines.index(header) + 1 :]
        end = next((at for at, line in enumerate(following) if line.startswith("[")), len(following))
        there = [at for at, line in enumerate(following[:end]) if line.startswith(f"{key} = ")]
        if there:
            assert mistake.line == lines.index(header) + 2 + there[0]
