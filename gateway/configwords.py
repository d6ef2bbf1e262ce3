"""What the libraries find wrong in a configuration, in words for the person who wrote it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_WORDS: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "extra_forbidden": "is not a setting; check the spelling",
    "too_short": "needs at least one entry",
    "too_long": "has too many entries",
    "string_too_long": "has more than {max_length} characters",
    "tuple_type": "expected a list in brackets, such as [1, 2]",
    "dict_type": "expected tables, such as [{key}.NAME]",
}
_EXPECTED: Final[Mapping[str, str]] = {
    "string_type": "expected a text in quotes",
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "bool_type": "expected true or false",
    "greater_than_equal": "expected at least {ge:.12g}",
    "less_than_equal": "expected at most {le:.12g}",
    "literal_error": "expected {expected}",
}
"""After these the value that was found is told, unless it is a secret."""
_SECRETS: Final = frozenset({"password", "key", "url"})

_SYNTAX: Final[Mapping[str, str]] = {
    "Cannot overwrite a value": "this key or table is there already, further up",
    "Invalid statement": "expected a [table], a key = value or a # comment",
    "Expected '=' after a key in a key/value pair": "expected = and a value after the key",
    "Invalid value": "there is no value here; texts stand in quotes, lists in brackets",
    "Expected newline or end of document after a statement": "the line goes on after its value",
}


def of_error(error: Mapping[str, Any]) -> str:
    """One error of pydantic, as a sentence without its subject."""
    kind, where = error["type"], error["loc"]
    context = {**error.get("ctx", {}), "key": where[0] if where else ""}
    if kind == "value_error":
        return str(error["msg"]).removeprefix("Value error, ")
    if kind in ("model_type", "model_attributes_type"):
        return f"expected a table, {_header(where)}"
    if kind == "tuple_type" and where == ("network",):
        return "expected tables, [[network]]"
    if kind == "missing" and isinstance(where[-1], int):
        return "the list needs another entry"
    if kind in _WORDS:
        return _WORDS[kind].format_map(context)
    told = _EXPECTED[kind].format_map(context) if kind in _EXPECTED else str(error["msg"])
    return told + _found(error.get("input"), where)


def of_syntax(message: str, text: str) -> tuple[int, str]:
    """Line and words of what tomllib says about `text`."""
    place = re.search(r"\(at line (\d+), column \d+\)", message)
    line = int(place.group(1)) if place else text.rstrip().count("\n") + 1  # "at end of document"
    bare = re.sub(r" [(]at .*[)]$", "", message, flags=re.DOTALL)
    if twice := re.fullmatch(r"Cannot declare \((.*)\) twice", bare):
        table = ".".join(part.strip("' ") for part in twice.group(1).split(",") if part)
        return line, f"not valid TOML: the table [{table}] is there already, further up"
    return line, f"not valid TOML: {_SYNTAX.get(bare, bare)}"


def _header(where: tuple[str | int, ...]) -> str:
    name = ".".join(part for part in where if isinstance(part, str))
    return f"[[{name}]]" if isinstance(where[-1], int) else f"[{name}]"


def _found(given: object, where: tuple[str | int, ...]) -> str:
    if _SECRETS & set(where) or not isinstance(given, str | int | float | bool):
        return ""
    return f", not {str(given).lower() if isinstance(given, bool) else repr(given)}"
