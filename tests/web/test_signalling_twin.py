"""`web/signalling.js` and `webrtc/signalling.py` speak of the same messages: both read this folder's samples."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from webrtc import signalling

SAMPLES: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parent / "signalling-messages.json").read_text(encoding="utf-8")
)


def types_of(union: Any) -> set[str]:
    return {message.__dataclass_fields__["type"].default for message in get_args(get_args(union)[0])}


def test_there_is_a_sample_of_every_message() -> None:
    assert {sample["type"] for sample in SAMPLES["client"]} == types_of(signalling.ClientMessage)
    assert {sample["type"] for sample in SAMPLES["server"]} == types_of(signalling.ServerMessage)


@pytest.mark.parametrize("sample", SAMPLES["client"], ids=lambda sample: sample["type"])
def test_the_gateway_reads_what_the_page_sends(sample: dict[str, Any]) -> None:
    message = signalling.decode(json.dumps(sample))
    assert json.loads(signalling.CLIENT.dump_json(message)) == sample


@pytest.mark.parametrize("sample", SAMPLES["server"], ids=lambda sample: sample["type"])
def test_the_gateway_sends_what_the_page_is_tested_with(sample: dict[str, Any]) -> None:
    message = signalling.SERVER.validate_python(sample)
    assert json.loads(signalling.encode(message)) == sample
