import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp

from gateway.admin import make_admin
from gateway.callrecord import CallRecord
from gateway.livecall import LiveCall
from gateway.problems import explain
from gateway.records import Records
from tests.unit.asgi import get
from tests.unit.recorders import SOUNDS

PAST = CallRecord("aa11", "outgoing", "alice", "echo", "demo", 1_000.0, ended_at=1_001.0, cause="busy")
LIVE = CallRecord("bb22", "incoming", "bob", "+49", "demo", 2_000.0)


class Live:
    """A call that is up."""

    def record(self, *, with_media: bool = True) -> CallRecord:
        return LIVE


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    opened = Records(f"sqlite:///{tmp_path}/records.sqlite")
    for record in (PAST, replace(PAST, id="aa12"), replace(LIVE, sentence="as it began")):
        opened.save(record)
    opened.close()
    yield opened


async def status() -> dict[str, Any]:
    return {"calls": 1}


@pytest.fixture
def admin(records: Records) -> ASGIApp:
    return make_admin(lambda: {LIVE.id: cast(LiveCall, Live())}, records, status, SOUNDS)


async def test_live_calls_come_before_past_ones_and_once(admin: ASGIApp) -> None:
    calls = (await get(admin, "/api/calls")).json["calls"]
    assert calls[0]["id"] == "bb22"
    assert sorted(call["id"] for call in calls) == ["aa11", "aa12", "bb22"]
    assert calls[0]["sentence"] == LIVE.sentence
    assert "journal" not in calls[0]
    assert len((await get(admin, "/api/calls?limit=1")).json["calls"]) == 1


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "many", "", "1e3", "\u0663", "9" * 5000])
async def test_limit_that_is_none_is_a_problem_in_words(admin: ASGIApp, limit: str) -> None:
    answer = await get(admin, f"/api/calls?limit={limit}")
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert "number from 1" in answer.json["detail"]


async def test_one_call_is_shown_in_full_live_or_past(admin: ASGIApp) -> None:
    past, live = await get(admin, "/api/calls/aa11"), await get(admin, "/api/calls/bb")
    assert past.json == json.loads(json.dumps(asdict(PAST)))
    assert live.json["sentence"] == LIVE.sentence


@pytest.mark.parametrize("call_id", ["zz", "aa1"])
async def test_unknown_or_ambiguous_call_is_a_problem_in_words(admin: ASGIApp, call_id: str) -> None:
    answer = await get(admin, f"/api/calls/{call_id}")
    assert answer.status == 404
    assert call_id in answer.json["detail"]


async def test_status_is_what_the_gateway_says(admin: ASGIApp) -> None:
    assert (await get(admin, "/api/status")).json == {"calls": 1}


async def test_root_lists_all_that_can_be_asked_and_the_readme_does_too(admin: ASGIApp) -> None:
    listed = set((await get(admin, "/")).json["endpoints"])
    routes = [route for route in cast(Starlette, admin).routes if isinstance(route, Route)]
    there = {f"{method} {route.path}" for route in routes for method in route.methods or () if method != "HEAD"}
    assert {endpoint.partition("?")[0] for endpoint in listed} == there - {"GET /"}
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    assert [endpoint for endpoint in listed if endpoint.replace("{call_id}", "ID") not in readme] == []


@pytest.mark.parametrize("host", ["localhost:8081", "127.0.0.1", "[::1]:8081"])
async def test_this_machine_may_ask(admin: ASGIApp, host: str) -> None:
    assert (await get(admin, "/api/status", host)).status == 200


@pytest.mark.parametrize("host", ["evil.example.com", "127.0.0.1.evil.example", ""])
async def test_name_that_was_rebound_to_this_machine_may_not(admin: ASGIApp, host: str) -> None:
    answer = await get(admin, "/api/status", host)
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert "must name this machine" in answer.json["detail"]


async def test_nothing_can_be_changed(admin: ASGIApp) -> None:
    answer = await get(admin, "/api/calls", method="POST")
    assert (answer.status, answer.json["detail"]) == (405, "POST does nothing at /api/calls.")
    assert "GET" in answer.headers["allow"]


async def test_path_at_which_there_is_nothing_is_a_problem_in_words(admin: ASGIApp) -> None:
    answer = await get(admin, "/api/call/aa11")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json == {"status": 404, "title": "Not Found", "detail": "There is nothing at /api/call/aa11."}


@pytest.mark.parametrize("path", ["/api/calls", "/api/calls/aa11"])
async def test_records_that_cannot_be_read_are_a_problem_in_words(admin: ASGIApp, path: str) -> None:
    locked = OperationalError("SELECT", {}, Exception("database is locked"))
    with patch.object(Engine, "connect", side_effect=locked):
        answer = await get(admin, path)
    assert answer.status == 503
    assert answer.json["detail"] == "The call records cannot be read: database is locked."


async def test_mistake_of_ours_is_a_problem_in_words_too() -> None:
    answer = await explain(Request({"type": "http"}), ZeroDivisionError())
    assert answer.status_code == 500
    assert "its log says more" in bytes(answer.body).decode()
