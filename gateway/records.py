"""One record per call, kept through SQLAlchemy by a thread of its own, off the event loop."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    JSON,
    Column,
    Engine,
    Float,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    bindparam,
    create_engine,
    delete,
    event,
    insert,
    inspect,
    make_url,
    select,
    update,
)
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

from call.errors import TransportError
from gateway.callrecord import LIVE, OVER, CallRecord
from gateway.recordsfile import TABLE, check_columns, check_file, presence_file, unopened

log = logging.getLogger(__name__)

COLLECT_S: Final = 0.25
"""How long records wait for others to be written with; a commit costs more than a record."""
RETRY_S: Final = 1.0
"""How long to leave a database alone that cannot be written."""
BATCH: Final = 500
"""Records that are written together."""
MAX_WAITING: Final = 10_000
"""Records that wait for a database that cannot be written; beyond that only the log keeps the oldest."""
LOST: Final = "gateway-lost"

_metadata: Final = MetaData()
calls: Final = Table(
    TABLE,
    _metadata,
    Column("id", String(32), primary_key=True),
    Column("direction", String(8), nullable=False),
    Column("user", String(64), nullable=False, index=True),
    Column("remote", String(128), nullable=False),
    Column("trunk", String(64), nullable=False),
    Column("started_at", Float, nullable=False, index=True),
    Column("answered_at", Float),
    Column("ended_at", Float),
    Column("cause", String(32), nullable=False),
    Column("sip_status", Integer),
    Column("sentence", String(500), nullable=False),
    Column("hint", String(500), nullable=False),
    Column("codecs", String(500), nullable=False),
    Column("media", JSON, nullable=False),
    Column("journal", JSON, nullable=False),
)


class Archive:
    """The call records that a gateway kept, to be read and nothing else: it may still be writing them."""

    def __init__(self, url: str) -> None:
        """Open the database, which need not be there yet.

        Raises:
            TransportError: The database cannot be opened.
        """
        with _in_words():
            self._engine = self._open(url)

    def recent(self, limit: int = 50) -> list[CallRecord]:
        """The newest records, newest first; blocking."""
        found = self._read(select(calls).order_by(calls.c.started_at.desc()).limit(limit), lambda _: True)
        return sorted(found, key=lambda record: record.started_at, reverse=True)[:limit]

    def find(self, call_id: str) -> CallRecord | None:
        """One record by its id, or by the beginning of it when that is unique; blocking."""
        matches = calls.c.id.startswith(call_id, autoescape=True)
        query = select(calls).where(matches).order_by(calls.c.id).limit(2)
        found = self._read(query, lambda record: record.id.startswith(call_id))
        exact = [record for record in found if record.id == call_id]
        return exact[0] if exact else found[0] if len(found) == 1 else None

    def close(self) -> None:
        """Close the database."""
        self._engine.dispose()

    def _open(self, url: str) -> Engine:
        file = _sqlite_file(url)
        if file and not Path(file).exists():  # to connect would make it
            return self._none()
        engine = _engine(url, "PRAGMA query_only=ON")
        return engine if inspect(engine).has_table(TABLE) else self._none()

    def _none(self) -> Engine:
        """No records at all."""
        engine = create_engine("sqlite://")
        _metadata.create_all(engine)
        return engine

    def _read(self, query: Select[Any], _wanted: Callable[[CallRecord], bool]) -> list[CallRecord]:
        try:
            with self._engine.connect() as connection:
                return [_record(row._mapping) for row in connection.execute(query)]
        except SQLAlchemyError as error:
            raise TransportError(f"The call records cannot be read: {_reason(error)}.") from error


class Records(Archive):
    """The call records of this gateway. `save` never blocks; a full or locked disk delays records, not calls."""

    def __init__(self, url: str) -> None:
        """Open the database, make its table, and close what a gateway that was killed left in it.

        Raises:
            TransportError: The database cannot be opened.
        """
        self._presence: int | None = None
        super().__init__(url)
        self._waiting: dict[str, CallRecord] = {}
        self._news = threading.Condition()
        self._closing = threading.Event()
        self._is_shut_out = False
        self._thread = threading.Thread(target=self._write_all, name="records", daemon=True)
        self._thread.start()

    def save(self, record: CallRecord) -> None:
        """Store a call's record, replacing the one that its start left."""
        with self._news:
            self._waiting[record.id] = record
            if len(self._waiting) > MAX_WAITING:
                _lose(self._waiting.pop(next(iter(self._waiting))))
            self._news.notify()

    def close(self) -> None:
        """Write what waits, in a last attempt, and close the database."""
        self._closing.set()
        with self._news:
            self._news.notify()
        self._thread.join(timeout=10)
        super().close()
        self._leave()

    def _open(self, url: str) -> Engine:
        # A SQLite log beside the file: a commit costs little and readers never wait.
        engine = _engine(url, "PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL")
        _look_at(url, engine)
        _metadata.create_all(engine)
        try:
            if self._is_alone(_sqlite_file(url)):
                _close_orphans(engine)
            if self._presence is not None:
                fcntl.flock(self._presence, fcntl.LOCK_SH)
        except Exception:
            self._leave()
            raise
        return engine

    def _is_alone(self, file: str) -> bool:
        """Whether no other gateway has this database open, as far as can be told.

        Every gateway holds a shared lock on a file beside SQLite's, which the kernel takes back when one is
        killed. A database on a server is taken to be ours alone.
        """
        if not file:
            return True
        self._presence = os.open(presence_file(file), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._presence, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _leave(self) -> None:
        if self._presence is not None:
            os.close(self._presence)
            self._presence = None

    def _read(self, query: Select[Any], wanted: Callable[[CallRecord], bool]) -> list[CallRecord]:
        """The records of a query, and those that wait to be written, which are newer."""
        with self._news:
            waiting = {key: record for key, record in self._waiting.items() if wanted(record)}
        stored = {record.id: record for record in super()._read(query, wanted)}
        return list((stored | waiting).values())

    def _write_all(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._waiting or self._closing.is_set())
            self._closing.wait(RETRY_S if self._is_shut_out else COLLECT_S)
            with self._news:
                batch = dict(islice(self._waiting.items(), BATCH))
            if batch:
                self._write(list(batch.values()))
            with self._news:
                if not self._is_shut_out:
                    self._forget(batch)
                elif self._closing.is_set():
                    _lose(*self._waiting.values())
                    self._waiting.clear()
                if self._closing.is_set() and not self._waiting:
                    return

    def _forget(self, batch: Mapping[str, CallRecord]) -> None:
        for key, record in batch.items():
            if self._waiting.get(key) is record:  # else a newer one came meanwhile
                del self._waiting[key]

    def _write(self, batch: Sequence[CallRecord]) -> None:
        """Write records, or note that the database is shut; those that it will never take are lost, and no others."""
        rows = [_row(record) for record in batch]
        try:
            with self._engine.begin() as connection:
                connection.execute(delete(calls).where(calls.c.id.in_([row["id"] for row in rows])))
                connection.execute(insert(calls), rows)
        except (OperationalError, InterfaceError) as error:  # locked, full, its server gone
            if not self._is_shut_out:
                log.error("call records cannot be written and wait: %s", _reason(error))
            self._is_shut_out = True
            return
        except Exception as error:  # of the database, or of its driver, about a value
            if len(batch) > 1:
                self._write_singly(batch)
                return
            log.error("a call record could not be written: %s", error)
            _lose(*batch)
        if self._is_shut_out:
            log.warning("call records are written again")
        self._is_shut_out = False

    def _write_singly(self, batch: Sequence[CallRecord]) -> None:
        for record in batch:
            self._write([record])
            if self._is_shut_out:
                return  # all of them come again


def check(url: str) -> None:
    """Look whether a gateway could keep its records in this database; nothing is made or changed. Blocking.

    Raises:
        TransportError: It could not; the sentence says why.
    """
    with _in_words():
        engine = _engine(url)
        try:
            _look_at(url, engine)
        finally:
            engine.dispose()


def _look_at(url: str, engine: Engine) -> None:
    if file := _sqlite_file(url):
        check_file(file)
    elif (database := inspect(engine)).has_table(TABLE):
        columns = database.get_columns(TABLE)
        check_columns({each["name"]: not each["nullable"] and each["default"] is None for each in columns})


@contextlib.contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, ImportError, OSError) as error:
        raise unopened(_reason(error)) from error


def _row(record: CallRecord) -> dict[str, Any]:
    # Not `asdict`, which copies every entry of every journal: nothing of a record changes any more.
    return {column.name: getattr(record, column.name) for column in calls.columns}


def _lose(*records: CallRecord) -> None:
    """Keep them in the log at least."""
    for record in records:
        log.error("lost record: %s", json.dumps(_row(record)))


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error)


def _close_orphans(engine: Engine) -> None:
    """Calls that an earlier gateway left without an end: it was killed, nobody knows when."""
    orphans = select(calls.c.id, calls.c.answered_at, calls.c.media).where(calls.c.cause == LIVE)
    with engine.begin() as connection:
        closed = [_closed(*row) for row in connection.execute(orphans)]
        if closed:
            connection.execute(update(calls).where(calls.c.id == bindparam("orphan")), closed)


def _closed(call_id: str, answered_at: float | None, media: Mapping[str, Any]) -> dict[str, Any]:
    """What becomes of an orphan's row; of when it ended nothing is known."""
    was = "The call was up" if answered_at else "The call was being set up"
    recordings = {number: _cut_short(status) for number, status in media.get("recordings", {}).items()}
    return {
        "orphan": call_id,
        "cause": LOST,
        "sentence": f"{was} when the gateway was lost; when it ended is not known.",
        "media": {**media, "recordings": recordings} if recordings else media,
    }


def _cut_short(status: Mapping[str, Any]) -> Mapping[str, Any]:
    """A recording that was being written: its file lies there as it was, and only the file knows how long it is."""
    if status["state"] in OVER:
        return status
    return {**status, "state": "failed", "seconds": None, "why": "the gateway was lost; the file can be played"}


def _engine(url: str, *pragmas: str) -> Engine:
    """An engine whose connections begin with `pragmas` if they are SQLite's."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _tune(connection: Any, _: Any) -> None:
            for pragma in pragmas:
                connection.execute(pragma)

    return engine


def _sqlite_file(url: str) -> str:
    """The file of a SQLite database; "" for one in memory or on a server."""
    parsed = make_url(url)
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:")
    return str(parsed.database) if is_file else ""


def _record(row: Any) -> CallRecord:
    values = dict(row)
    values["journal"] = tuple(values["journal"])
    return CallRecord(**values)
