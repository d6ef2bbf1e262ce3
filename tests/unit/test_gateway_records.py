import logging
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from call.errors import TransportError
from gateway.records import LIVE, LOST, CallRecord, Records

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
    assert record.sentence == "The gateway stopped while the call was up."
    left.close()


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


def test_many_records_at_once_are_all_kept(tmp_path: Path) -> None:
    records = kept(tmp_path, *(replace(ENDED, id=f"c{n:04}") for n in range(450)))
    assert len(records.recent(1_000)) == 450
    records.close()
