"""What people type, hand over as a token or write into a file: a value or a refusal in words, and nothing else."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from call.dialplan import clean, is_number
from call.errors import GatewayError, UnknownDestination
from gateway.auth import Gatekeeper, make_token
from gateway.config import AuthSettings, Config
from gateway.configfile import ConfigError, load
from gateway.tomllines import line_index
from tests.harness.fuzzing import bounded, spliced
from webrtc import signalling

ROOT = Path(__file__).parents[2]


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
@bounded
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
