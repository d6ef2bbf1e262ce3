"""One record per call, kept through SQLAlchemy by a thread of its own, off the event loop."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
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
    create_engine,
    delete,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from call.errors import TransportError

log = logging.getLogger(__name__)

COLLECT_S: Final = 0.25
"""How long records wait for others to be written with; a commit costs more than a record."""
LIVE: Final = "live"
LOST: Final = "gateway-lost"

_metadata: Final = MetaData()
calls: Final = Table(
    "calls",
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


@dataclass(frozen=True, slots=True)
class CallRecord:
    """What is kept of a call. Times are seconds since the epoch."""

    id: str
    direction: str
    user: str
    remote: str
    trunk: str
    started_at: float
    answered_at: float | None = None
    ended_at: float | None = None
    cause: str = LIVE
    sip_status: int | None = None
    sentence: str = "The call is up."
    hint: str = ""
    codecs: str = ""
    media: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Per leg (browser, trunk) the media core's counters."""
    journal: tuple[dict[str, Any], ...] = ()


class Records:
    """The call records of this gateway. `save` never blocks; a full disk costs records, not calls."""

    def __init__(self, url: str) -> None:
        """Open the database and make its table.

        Raises:
            TransportError: The database cannot be opened.
        """
        try:
            self._engine = _open(url)
            _metadata.create_all(self._engine)
            self._close_orphans()
        except (SQLAlchemyError, ImportError) as error:
            reason = str(getattr(error, "orig", None) or error)
            raise TransportError(
                f"The call records cannot be opened: {reason}.", hint="Check `records.url`."
            ) from error
        self._waiting: dict[str, CallRecord] = {}
        self._news = threading.Condition()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._write_all, name="records", daemon=True)
        self._thread.start()

    def save(self, record: CallRecord) -> None:
        """Store a call's record, replacing the one that its start left."""
        with self._news:
            self._waiting[record.id] = record
            self._news.notify()

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
        """Write what waits and close the database."""
        self._closing.set()
        with self._news:
            self._news.notify()
        self._thread.join(timeout=10)
        self._engine.dispose()

    def _read(self, query: Select[Any], wanted: Callable[[CallRecord], bool]) -> list[CallRecord]:
        """The records of a query, and those that wait to be written, which are newer."""
        with self._news:
            waiting = dict(self._waiting)
        with self._engine.connect() as connection:
            stored = {row.id: _record(row._mapping) for row in connection.execute(query)}
        return list((stored | {key: record for key, record in waiting.items() if wanted(record)}).values())

    def _close_orphans(self) -> None:
        """Calls that an earlier gateway left without an end: it was killed."""
        words = "The gateway stopped while the call was up."
        with self._engine.begin() as connection:
            orphans = update(calls).where(calls.c.cause == LIVE)
            connection.execute(orphans.values(cause=LOST, sentence=words))

    def _write_all(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._waiting or self._closing.is_set())
            self._closing.wait(COLLECT_S)
            with self._news:
                batch = dict(self._waiting)
            if batch:
                self._write(list(batch.values()))
            with self._news:
                for key, record in batch.items():
                    if self._waiting.get(key) is record:  # else a newer one came meanwhile
                        del self._waiting[key]
                if self._closing.is_set() and not self._waiting:
                    return

    def _write(self, batch: Sequence[CallRecord]) -> None:
        rows = [asdict(record) for record in batch]
        try:
            with self._engine.begin() as connection:
                connection.execute(delete(calls).where(calls.c.id.in_([row["id"] for row in rows])))
                connection.execute(insert(calls), rows)
        except SQLAlchemyError as error:
            log.error("call records could not be written: %s", error)
            for row in rows:
                log.error("lost record: %s", json.dumps(row))


def _open(url: str) -> Engine:
    """SQLite keeps a log beside the file, so that a commit costs little and readers never wait."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _tune(connection: Any, _: Any) -> None:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")

    return engine


def _record(row: Any) -> CallRecord:
    values = dict(row)
    values["journal"] = tuple(values["journal"])
    return CallRecord(**values)
