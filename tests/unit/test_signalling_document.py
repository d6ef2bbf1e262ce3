"""docs/signalling.md, its schema and the code say the same."""

import importlib
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from call.causes import Cause
from webrtc import signalling, websocket
from webrtc.signalling import SERVER, decode, encode

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "signalling.md").read_text()
SCHEMA_FILE = ROOT / "docs" / "signalling.schema.json"
SCHEMA: dict[str, Any] = json.loads(SCHEMA_FILE.read_text())
EXAMPLES: list[dict[str, Any]] = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)]


def types(side: str) -> set[str]:
    """The message types of one side, as the schema has them."""
    names = (reference["$ref"].rpartition("/")[2] for reference in SCHEMA["$defs"][side]["oneOf"])
    return {SCHEMA["$defs"][name]["properties"]["type"]["const"] for name in names}


def validator(side: str) -> Draft202012Validator:
    return Draft202012Validator(SCHEMA | {"anyOf": [{"$ref": f"#/$defs/{side}"}]})


def test_schema_is_current(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    made = importlib.import_module("chores.signalling_schema").text()
    assert SCHEMA_FILE.read_text() == made, "run scripts/make-signalling-schema"


def test_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_every_message_of_either_side_has_an_example() -> None:
    assert {example["type"] for example in EXAMPLES} == types("ClientMessage") | types("ServerMessage")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["type"])
def test_example_is_valid(example: dict[str, Any]) -> None:
    side = "ClientMessage" if example["type"] in types("ClientMessage") else "ServerMessage"
    validator(side).validate(example)
    Draft202012Validator(SCHEMA).validate(example)


@pytest.mark.parametrize(
    "example", [e for e in EXAMPLES if e["type"] in types("ClientMessage")], ids=lambda example: example["type"]
)
def test_example_of_a_page_is_understood(example: dict[str, Any]) -> None:
    assert decode(json.dumps(example)).type == example["type"]


@pytest.mark.parametrize(
    "example", [e for e in EXAMPLES if e["type"] in types("ServerMessage")], ids=lambda example: example["type"]
)
def test_example_of_the_gateway_is_what_it_sends(example: dict[str, Any]) -> None:
    assert json.loads(encode(SERVER.validate_python(example))) == example


def test_every_field_is_described() -> None:
    described = set(re.findall(r"`(\w+)`", DOCUMENT))
    for name, definition in SCHEMA["$defs"].items():
        assert set(definition.get("properties", ())) - {"type"} <= described, name


def test_every_cause_and_no_other_is_described() -> None:
    table = DOCUMENT.partition("| Cause | Meaning |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)) == {cause.value for cause in Cause}


def test_limits_are_those_of_the_code() -> None:
    text = " ".join(DOCUMENT.split())
    assert f"A frame may have {signalling.MAX_MESSAGE_BYTES} bytes" in text
    assert f"up to {signalling.MAX_HEADER_BYTES} bytes" in text
    assert f"{websocket.SEND_QUEUE} messages may wait" in text
    assert f"more than {websocket.MESSAGES_PER_S:.0f} messages a second, after a burst of {websocket.BURST:.0f}" in text
    assert f"`hello` within {websocket.HELLO_TIMEOUT_S:.0f} seconds" in text
    assert f"nothing comes for {websocket.SILENCE_S:.0f} seconds" in text


def test_every_error_code_is_described_and_used() -> None:
    """mypy holds the callers to `ErrorCode`, so that no other code can be sent."""
    codes = set(get_args(signalling.ErrorCode))
    sources = "".join((ROOT / path).read_text() for path in ("webrtc/websocket.py", "gateway/browserleg.py"))
    assert all(f'"{code}"' in sources for code in codes)
    table = DOCUMENT.partition("| Code | Meaning | Then |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)) == codes


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node to read JavaScript")
def test_javascript_example_is_javascript(tmp_path: Path) -> None:
    blocks = re.findall(r"```js\n(.*?)```", DOCUMENT, re.DOTALL)
    assert len(blocks) == 2
    for number, block in enumerate(blocks):
        path = tmp_path / f"{number}.mjs"
        path.write_text(block)
        subprocess.run(["node", "--check", str(path)], check=True, timeout=30)
