import asyncio
import logging
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DataError, OperationalError

from call.errors import TransportError
from gateway.callrecord import LIVE, CallRecord
from gateway.records import LOST, Archive, Records, calls
from tests.harness.patience import eventually

FIRST = CallRecord("aa01", "outgoing", "alice", "echo", "demo", 1_000.0)
ENDED = replace(
    FIRST,
    answered_at=1_001.5,
    ended_at=1_010.0,
    cause="hangup",
    sip_status=200,
    sentence="alice hung up.",
    hint="none",
    codecs="Both speak PCMU.",
    media={"browser": {"rx_packets": 5, "rtt_ms": 1.5, "codec": None}},
    journal=({"at_ms": 0, "leg": "call", "what": "INVITE", "why": "“quoted”"},),
)

KILLED = """
import os, signal, sys, time
from gateway.callrecord import CallRecord
from gateway.records import Records

records = Records(sys.argv[1])
records.save(CallRecord("aa01", "outgoing", "alice", "echo", "demo", 1_000.0))
while records._waiting:
    time.sleep(0.01)
os.kill(os.getpid(), signal.SIGKILL)
"""

LOCKER = """
import sqlite3, sys

connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


def until(is_so: Callable[[], bool]) -> None:
    """Records are written by a thread that tells nobody."""
    asyncio.run(eventually(is_so))


def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'records.sqlite'}"


def kept(tmp_path: Path, *saved: CallRecord) -> Records:
    """Records that were written and opened again."""
    records = Records(url(tmp_path))
    for record in saved:
        records.save(record)
    records.close()
    return Records(url(tmp_path))


def test_record_comes_back_as_it_was(tmp_path: Path) -> None:
    records = kept(tmp_path, ENDED)
    assert records.find("aa01") == ENDED
    assert records.recent() == [ENDED]
    records.close()


def test_end_of_a_call_replaces_what_its_start_left(tmp_path: Path) -> None:
    records = kept(tmp_path, FIRST, ENDED)
    assert records.recent() == [ENDED]
    records.close()
    again = kept(tmp_path, replace(ENDED, sentence="corrected"))
    assert [record.sentence for record in again.recent()] == ["corrected"]
    again.close()


def test_newest_come_first_and_no_more_than_asked_for(tmp_path: Path) -> None:
    records = kept(tmp_path, *(replace(ENDED, id=f"c{n}", started_at=float(n)) for n in (2, 3, 1)))
    assert [record.id for record in records.recent(2)] == ["c3", "c2"]
    records.close()


def test_beginning_of_an_id_is_enough_when_it_is_unique(tmp_path: Path) -> None:
    records = kept(tmp_path, *(replace(ENDED, id=name) for name in ("ab12", "ab34", "ab", "cd56", "c_1")))
    found = {start: records.find(start) for start in ("ab1", "cd", "ab", "a", "c", "zz", "c_", "%")}
    assert {start: record and record.id for start, record in found.items()} == {
        "ab1": "ab12",
        "cd": "cd56",
        "ab": "ab",
        "a": None,
        "c": None,
        "zz": None,
        "c_": "c_1",
        "%": None,
    }
    records.close()


def test_call_that_a_killed_gateway_left_is_closed_at_the_next_start(tmp_path: Path) -> None:
    left = kept(tmp_path, FIRST)
    record = left.find("aa01")
    assert record is not None
    assert (FIRST.cause, record.cause) == (LIVE, LOST)
    assert record.sentence == "The call was being set up when the gateway was lost; when it ended is not known."
    assert (record.answered_at, record.ended_at) == (None, None)
    left.close()


def test_lost_call_says_since_when_it_was_up_and_names_the_files_of_its_recordings(tmp_path: Path) -> None:
    gap = {"from_s": 1.0, "to_s": 2.0, "why": "paused"}
    first = {"state": "finished", "file": "/one.ogg", "seconds": 3.0, "gaps": [gap], "why": "somebody asked for it"}
    second = {"state": "paused", "file": "/two.ogg.part", "seconds": 1.5, "gaps": [gap], "why": ""}
    up = replace(FIRST, answered_at=1_001.5, media={"recordings": {"1": first, "2": second}})
    left = kept(tmp_path, up)
    record = left.find("aa01")
    assert record is not None
    assert record.sentence == "The call was up when the gateway was lost; when it ended is not known."
    assert (record.cause, record.answered_at, record.ended_at) == (LOST, 1_001.5, None)
    cut = second | {"state": "failed", "seconds": None, "why": "the gateway was lost; the file can be played"}
    assert record.media["recordings"] == {"1": first, "2": cut}
    left.close()


def test_live_call_of_another_gateway_is_left_alone(tmp_path: Path) -> None:
    kept(tmp_path, ENDED).close()
    first = Records(url(tmp_path))
    first.save(FIRST)
    until(lambda: not first._waiting)  # `kept` writes by closing, which would end the first gateway
    second = Records(url(tmp_path))
    assert second.find("aa01") == FIRST
    second.close()
    first.close()


def test_call_of_a_killed_gateway_is_closed_once_nobody_else_is_there(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, url(tmp_path)], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    later = Records(url(tmp_path))
    found = later.find("aa01")
    assert found is not None
    assert found.cause == LOST
    later.close()


def test_reader_changes_nothing_while_the_gateway_runs_or_after(tmp_path: Path) -> None:
    gateway = Records(url(tmp_path))
    gateway.save(FIRST)
    gateway.close()
    archive = Archive(url(tmp_path))
    assert archive.recent() == [FIRST]
    assert archive.find("aa") == FIRST
    with archive._engine.connect() as connection, pytest.raises(OperationalError, match="readonly"):
        connection.execute(calls.delete())
    archive.close()


def test_reader_makes_no_database(tmp_path: Path) -> None:
    archive = Archive(url(tmp_path))
    assert archive.recent() == []
    assert archive.find("aa") is None
    archive.close()
    assert list(tmp_path.iterdir()) == []


def test_reader_of_a_database_without_calls_finds_none(tmp_path: Path) -> None:
    (tmp_path / "records.sqlite").touch()
    archive = Archive(url(tmp_path))
    assert archive.recent() == []
    archive.close()


def test_database_that_cannot_be_opened_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(TransportError, match="call records cannot be opened") as caught:
        Records(f"sqlite:///{tmp_path}/no/such/folder/records.sqlite")
    assert "records.url" in caught.value.hint


@pytest.mark.parametrize("bad", ["nonsense", "nosuchdb://host/x"])
def test_url_that_means_nothing_is_told_in_words(bad: str) -> None:
    with pytest.raises(TransportError, match="call records cannot be opened"):
        Records(bad)


def test_full_disk_costs_the_record_but_the_log_keeps_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    records = Records(url(tmp_path))
    full = OperationalError("INSERT", {}, Exception("database or disk is full"))
    with patch.object(Engine, "begin", side_effect=full):
        records.save(ENDED)
        records.close()
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert any("disk is full" in words for words in errors)
    assert any('"aa01"' in words for words in errors)


def test_database_that_somebody_locks_delays_records_and_loses_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.records.RETRY_S", 0.02)
    records = Records(f"{url(tmp_path)}?timeout=0.01")
    locker = [sys.executable, "-c", LOCKER, str(tmp_path / "records.sqlite")]
    with subprocess.Popen(locker, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"locked\n"
        records.save(FIRST)
        until(lambda: records._is_shut_out)
        records.save(ENDED)
        records.save(replace(ENDED, id="aa02"))
        assert records.find("aa01") == ENDED, "what waits can be read"
    until(lambda: not records._waiting)
    told = [record.getMessage() for record in caplog.records]
    assert told == ["call records cannot be written and wait: database is locked", "call records are written again"]
    records.close()
    archive = Archive(url(tmp_path))
    assert {record.id for record in archive.recent()} == {"aa01", "aa02"}
    assert archive.find("aa01") == ENDED
    archive.close()


def test_records_that_wait_are_bounded_and_the_log_keeps_the_oldest(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.records.MAX_WAITING", 3)
    monkeypatch.setattr("gateway.records.RETRY_S", 0.02)
    records = Records(url(tmp_path))
    with patch.object(Engine, "begin", side_effect=OperationalError("", {}, Exception("database or disk is full"))):
        for number in range(5):
            records.save(replace(ENDED, id=f"c{number}", started_at=float(number)))
        assert [record.id for record in records.recent()] == ["c4", "c3", "c2"]
    records.close()
    lost = [words for record in caplog.records if (words := record.getMessage()).startswith("lost record")]
    assert [name for words in lost for name in ("c0", "c1", "c2", "c3", "c4") if name in words] == ["c0", "c1"]
    archive = Archive(url(tmp_path))
    assert [record.id for record in archive.recent()] == ["c4", "c3", "c2"]
    archive.close()


def test_record_that_the_database_will_never_take_does_not_hold_up_the_next(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    records = Records(url(tmp_path))
    with patch.object(Engine, "begin", side_effect=DataError("INSERT", {}, Exception("value too long"))):
        records.save(FIRST)
        until(lambda: not records._waiting)
    assert any("lost record" in record.getMessage() for record in caplog.records)
    records.save(replace(ENDED, id="aa02"))
    records.close()
    archive = Archive(url(tmp_path))
    assert [record.id for record in archive.recent()] == ["aa02"]
    archive.close()


def test_record_that_cannot_be_written_costs_none_of_those_beside_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    records = Records(url(tmp_path))
    for record in (FIRST, replace(ENDED, id="aa02", remote="\ud800"), replace(ENDED, id="aa03")):
        records.save(record)
    until(lambda: not records._waiting)
    records.save(replace(ENDED, id="aa04"))
    records.close()
    lost = [words for record in caplog.records if (words := record.getMessage()).startswith("lost record")]
    assert ["aa02" in words for words in lost] == [True]
    archive = Archive(url(tmp_path))
    assert sorted(record.id for record in archive.recent()) == ["aa01", "aa03", "aa04"]
    archive.close()


def test_many_records_at_once_are_all_kept(tmp_path: Path) -> None:
    records = kept(tmp_path, *(replace(ENDED, id=f"c{n:04}") for n in range(1_200)))
    assert len(records.recent(2_000)) == 1_200
    records.close()
