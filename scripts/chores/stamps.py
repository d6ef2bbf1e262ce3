"""Stamp files: a step is current while the hash of its inputs is the one that it left behind."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

SKIPPED_DIRECTORIES = frozenset({"target", "fuzz", "__pycache__", "node_modules"})
SKIPPED_SUFFIXES = frozenset({".so", ".pyc"})


class Stamps:
    """The stamps of one virtual environment; they go when it goes."""

    def __init__(self, folder: Path) -> None:
        """Keep stamps in `folder`."""
        self._folder = folder

    def is_current(self, step: str, inputs: str) -> bool:
        """Whether `step` was last done with these inputs."""
        try:
            return (self._folder / step).read_text() == inputs
        except FileNotFoundError:
            return False

    def leave(self, step: str, inputs: str) -> None:
        """Remember that `step` is done with these inputs."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / step).write_text(inputs)

    def lift(self, step: str) -> None:
        """Forget a step before it is done again, so that one that breaks off is not taken for done."""
        (self._folder / step).unlink(missing_ok=True)


def fingerprint(paths: Iterable[Path], *facts: str) -> str:
    """Hash files, and the files under folders, with their names, and other facts such as versions."""
    digest = hashlib.sha256()
    for fact in facts:
        digest.update(fact.encode() + b"\0")
    for path in sorted(found for given in paths for found in _files(given)):
        digest.update(str(path).encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _files(path: Path) -> Iterable[Path]:
    if path.is_file():
        yield path
    elif path.is_dir() and path.name not in SKIPPED_DIRECTORIES:
        for child in path.iterdir():
            if child.suffix not in SKIPPED_SUFFIXES:
                yield from _files(child)
