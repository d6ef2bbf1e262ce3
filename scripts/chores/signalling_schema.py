"""The JSON Schema of signalling v1, from the classes that read and write it."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from webrtc.signalling import CLIENT, SERVER

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_SERVER_NOTE: Final = "A message of the gateway. All fields are always there; later versions may add some."
_CLIENT_NOTE: Final = "A message of the page. Fields that the gateway does not know are ignored."


def main(target: Path) -> None:
    """Write the schema to a file."""
    target.write_text(text(), encoding="utf-8")


def text() -> str:
    """The whole file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def schema() -> dict[str, Any]:
    """One schema: a value is valid when it is a message of either side; `$defs` has each side and each message."""
    client, server = CLIENT.json_schema(), SERVER.json_schema(mode="serialization")
    asked = {name: _message(message, message.get("required", ())) for name, message in client.pop("$defs").items()}
    told = {name: _message(message, message["properties"]) for name, message in server.pop("$defs").items()}
    assert all(asked[name] == told[name] for name in asked.keys() & told.keys()), "a message differs by direction"
    sides = {
        "ClientMessage": {"description": _CLIENT_NOTE, "oneOf": client["oneOf"]},
        "ServerMessage": {"description": _SERVER_NOTE, "oneOf": server["oneOf"]},
    }
    return {
        "$schema": DIALECT,
        "title": "webtrunk signalling v1",
        "anyOf": [{"$ref": f"#/$defs/{side}"} for side in sides],
        "$defs": sides | dict(sorted((asked | told).items())),
    }


def _message(definition: dict[str, Any], required: Collection[str]) -> dict[str, Any]:
    """As the decoder sees it: `type` tells messages apart, so it cannot be left out."""
    return {
        "description": definition["description"],
        "type": "object",
        "properties": {name: _field(field) for name, field in definition["properties"].items()},
        "required": [name for name in definition["properties"] if name == "type" or name in required],
    }


def _field(field: dict[str, Any]) -> dict[str, Any]:
    """A field without the titles that only repeat its name; a table of headers takes no other names."""
    kept = {key: value for key, value in field.items() if key not in ("title", "default" if "const" in field else "")}
    return kept | {"additionalProperties": False} if "patternProperties" in kept else kept


if __name__ == "__main__":
    main(Path(sys.argv[1]))
