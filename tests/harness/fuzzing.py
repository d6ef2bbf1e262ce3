"""What the fuzz tests share: how long they try, damage done to real input, and the corpus."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from hypothesis import settings
from hypothesis import strategies as st

EXAMPLES: Final = int(os.environ.get("FUZZ_EXAMPLES", "100"))
"""Inputs that each test tries; `make fuzz` asks for more, again and again until its time is up."""
CORPUS: Final = Path(__file__).parents[1] / "fuzz" / "corpus"
bounded = settings(max_examples=EXAMPLES, deadline=None, print_blob=True)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=4,
)


def corpus(folder: str) -> dict[str, bytes]:
    """Inputs that are tried in every run and damaged by the fuzzers, by the names of their files."""
    found = {path.name: path.read_bytes() for path in sorted((CORPUS / folder).iterdir())}
    assert found, folder
    return found


@st.composite
def spliced(draw: st.DrawFn, samples: list[str]) -> str:
    """A real text with a piece cut out and something else put there."""
    sample = draw(st.sampled_from(samples))
    start = draw(st.integers(0, len(sample)))
    end = draw(st.integers(start, min(len(sample), start + 60)))
    return (
        sample[:start]
        + draw(st.text(max_size=30) | st.sampled_from(["\0", "\r\n", "=", ":", " ", "-1"]))
        + sample[end:]
    )


@st.composite
def crossed(draw: st.DrawFn, samples: list[str]) -> str:
    """Lines of two real texts, each kept, left out or repeated."""
    lines = [line for _ in range(2) for line in draw(st.sampled_from(samples)).splitlines(keepends=True)]
    times = draw(st.lists(st.integers(0, 2), min_size=len(lines), max_size=len(lines)))
    return "".join(line * count for line, count in zip(lines, times, strict=True))


@st.composite
def damaged(draw: st.DrawFn, real: st.SearchStrategy[dict[str, Any]]) -> dict[str, Any]:
    """A real JSON object of which a field is missing, wrong or new."""
    fields = dict(draw(real))
    if fields and draw(st.booleans()):
        fields.pop(draw(st.sampled_from(sorted(fields))))
    if draw(st.booleans()):
        fields[draw(st.sampled_from(sorted(fields) or ["type"]))] = draw(json_values)
    if draw(st.booleans()):
        fields[draw(st.text(max_size=8))] = draw(json_values)
    return fields
