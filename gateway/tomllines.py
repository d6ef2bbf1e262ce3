"""Where in a TOML file a key stands, so that a mistake can be named by its line.

tomllib gives values without positions; this finds the lines of tables and keys well enough for error
messages, and falls back to the nearest table when it cannot.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

Location = tuple[str | int, ...]

_HEADER: Final = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?")
_NAME: Final = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_KEY: Final = re.compile(rf"^\s*({_NAME}(?:\s*\.\s*{_NAME})*)\s*=")
_PART: Final = re.compile(_NAME)


def line_index(text: str) -> dict[Location, int]:
    """The line (from 1) of every table header and key of a TOML document."""
    lines: dict[Location, int] = {}
    counts: dict[Location, int] = {}
    table: Location = ()
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _HEADER.match(line):
            table = _parts(header.group(2))
            if header.group(1) == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            else:
                table = _into_arrays(table, counts)
            for length in range(1, len(table) + 1):
                lines.setdefault(table[:length], number)
        elif key := _KEY.match(line):
            lines.setdefault((*table, *_parts(key.group(1))), number)
    return lines


def line_of(location: Location, lines: Mapping[Location, int]) -> int:
    """The line of `location`, or of the nearest thing around it; 1 when nothing is known."""
    for length in range(len(location), 0, -1):
        if (found := lines.get(location[:length])) is not None:
            return found
    return 1


def _parts(dotted: str) -> Location:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))


def _into_arrays(table: Location, counts: Mapping[Location, int]) -> Location:
    """[a.b] after [[a]] belongs to the newest element of a."""
    path: Location = ()
    for part in table:
        path = (*path, part)
        if path in counts and path != table:
            path = (*path, counts[path])
    return path
