"""Whether a database can keep call records, without SQLAlchemy, which takes long to load."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Final
from urllib.parse import quote

from call.errors import TransportError
from gateway.callrecord import CallRecord
from gateway.config import RecordSettings

TABLE: Final = "calls"
PATIENCE_S: Final = 5.0
"""How long a writer may take; SQLAlchemy's connections wait as long."""
_CHECK: Final = "Check `records.url`."
_BUSY: Final = "Another program holds it: end that one, or name another database in `records.url`."
_OTHER: Final = "Name another database in `records.url`, or move this one away: a new one is made."


def unopened(reason: str, hint: str = _CHECK) -> TransportError:
    """The error of a database that cannot be used."""
    return TransportError(f"The call records cannot be opened: {reason}.", hint=hint)


def locate(settings: RecordSettings) -> str:
    """The URL of the database; the default one's folder is made.

    Raises:
        TransportError: It cannot be made.
    """
    try:
        return settings.resolved_url
    except OSError as error:
        hint = "Set `records.url`, or XDG_STATE_HOME to a folder that can be written."
        sentence = f"The folder for call records, {error.filename}, cannot be made: {error.strerror}."
        raise TransportError(sentence, hint=hint) from error


def presence_file(file: str) -> str:
    """The file on which every gateway that has this database open holds a lock."""
    return f"{file}.gateways"


def check_file(file: str) -> None:
    """Look whether a gateway could keep its records in this SQLite file; nothing is made or changed. Blocking.

    Raises:
        TransportError: It could not; the sentence says why.
    """
    path = Path(file).absolute()
    if path.is_dir():
        raise unopened(f"{file} is a folder")
    _check_folder(path)
    if not path.exists():
        return
    try:
        with contextlib.closing(sqlite3.connect(f"file:{quote(str(path))}?mode=rw", PATIENCE_S, uri=True)) as database:
            columns = database.execute(f"PRAGMA table_info({TABLE})").fetchall()
            database.execute("BEGIN IMMEDIATE")  # only who may write begins it; it ends with the connection
    except sqlite3.Error as error:
        is_busy = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
        raise unopened(f"{file}: {error}", _BUSY if is_busy else _CHECK) from error
    check_columns({name: bool(is_needed and default is None) for _, name, _, is_needed, default, _ in columns})


def check_columns(must_be_given: Mapping[str, bool]) -> None:
    """Look whether the table, if there is one, has a place for all that is kept, and asks for nothing else.

    Raises:
        TransportError: Another version made it.
    """
    if not must_be_given:
        return
    ours = {each.name for each in fields(CallRecord)}
    missing = sorted(ours - must_be_given.keys())
    unknown = sorted(name for name, is_needed in must_be_given.items() if is_needed and name not in ours)
    if missing or unknown:
        what = f"has no column {missing[0]}" if missing else f"wants a column {unknown[0]}"
        raise unopened(f"their table was made by another version of webtrunk, and {what}", _OTHER)


def _check_folder(path: Path) -> None:
    """SQLite keeps files of its own beside the database, and gateways the one that tells them of each other."""
    probe = path.with_name(f"{path.name}.check-{os.getpid()}")
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise unopened(f"the folder {path.parent} cannot be written: {error.strerror}") from error
    except ValueError as error:  # a NUL in the path
        raise unopened(f"{str(path)!r} is not the name of a file") from error
    try:
        os.close(os.open(presence_file(str(path)), os.O_RDWR | os.O_CLOEXEC))
    except FileNotFoundError:
        pass
    except OSError as error:
        raise unopened(f"{error.filename} cannot be written: {error.strerror}") from error
