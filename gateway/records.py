"""One record per call, kept through SQLAlchemy by a thread of its own, off the event loop."""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from sqlalchemy import (
    JSON,
    Column,
    Engine,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    insert,
    select,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from call.errors import TransportError

log = logging.getLogger(__name__)

BATCH: Final = 200
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
            self._engine: Engine = create_engine(url)
            _metadata.create_all(self._engine)
            self._close_orphans()
        except (SQLAlchemyError, ImportError) as error:
            reason = str(getattr(error, "orig", None) or error)
            raise TransportError(
                f"The call records cannot be opened: {reason}.", hint="Check `records.url`."
            ) from error
        self._queue: queue.SimpleQueue[CallRecord | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, name="records", daemon=True)
        self._thread.start()

    def save(self, record: CallRecord) -> None:
        """Store a call's record, replacing the one that its start left."""
        self._queue.put(record)

    def recent(self, limit: int = 50) -> list[CallRecord]:
        """The newest records, newest first; blocking."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(calls).order_by(calls.c.started_at.desc()).limit(limit))
            return [_record(row._mapping) for row in rows]

    def find(self, call_id: str) -> CallRecord | None:
        """One record by its id, or by the beginning of it when that is unique; blocking."""
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(calls).where(calls.c.id.startswith(call_id, autoescape=True)).order_by(calls.c.id).limit(2)
            )
            found = [_record(row._mapping) for row in rows]
        exact = [record for record in found if record.id == call_id]
        return exact[0] if exact else found[0] if len(found) == 1 else None

    def close(self) -> None:
        """Write what waits and close the database."""
        self._queue.put(None)
        self._thread.join(timeout=10)
        self._engine.dispose()

    def _close_orphans(self) -> None:
        """Calls that an earlier gateway left without an end: it was killed."""
        words = "The gateway stopped while the call was up."
        with self._engine.begin() as connection:
            orphans = update(calls).where(calls.c.cause == LIVE)
            connection.execute(orphans.values(cause=LOST, sentence=words))

    def _write_all(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, is_last = [first], False
            while not is_last and len(batch) < BATCH and not self._queue.empty():
                record = self._queue.get()
                is_last = record is None
                if record is not None:
                    batch.append(record)
            self._write(batch)
            if is_last:
                return

    def _write(self, batch: Sequence[CallRecord]) -> None:
        newest = {record.id: asdict(record) for record in batch}  # a short call's start and end may share a batch
        try:
            with self._engine.begin() as connection:
                for call_id, row in newest.items():
                    if not connection.execute(update(calls).where(calls.c.id == call_id).values(row)).rowcount:
                        connection.execute(insert(calls).values(row))
        except SQLAlchemyError as error:
            log.error("call records could not be written: %s", error)
            for row in newest.values():
                log.error("lost record: %s", json.dumps(row))


def _record(row: Any) -> CallRecord:
    values = dict(row)
    values["journal"] = tuple(values["journal"])
    return CallRecord(**values)
