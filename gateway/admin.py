"""The admin listener: what operators and the command line may ask. Loopback only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from http import HTTPStatus
from typing import Any, Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from gateway.admincalls import LiveCalls, beginning_with
from gateway.adminhost import OwnNames
from gateway.adminplay import play_routes
from gateway.adminrecording import recording_route
from gateway.callrecord import CallRecord
from gateway.problems import EXPLAINED, Refused, problem
from gateway.records import Records
from gateway.sounds import Sounds

MAX_CALLS: Final = 1000
ENDPOINTS: Final[Mapping[str, str]] = {
    "GET /api/status": "calls, pages, the load, trunks with their registrations, and what the media core counts",
    "GET /api/calls?limit=50": "live and past calls, the newest first",
    "GET /api/calls/{call_id}": "one call in full; the beginning of its id is enough, as below",
    "POST /api/calls/{call_id}/play": "play a sound file into a live call (docs/sounds.md)",
    "DELETE /api/calls/{call_id}/play": "end the prompt",
    "POST /api/calls/{call_id}/recording": "start, pause, resume or stop its recording (docs/recording.md)",
}
"""For people who look around: what there is, and what it does."""


def make_admin(
    live_calls: LiveCalls,
    records: Records,
    status: Callable[[], Awaitable[dict[str, Any]]],
    sounds: Sounds,
) -> Starlette:
    """The application of the admin listener."""

    async def list_endpoints(_: Request) -> JSONResponse:
        return JSONResponse({"endpoints": ENDPOINTS})

    async def read_status(_: Request) -> JSONResponse:
        return JSONResponse(await status())

    async def list_calls(request: Request) -> JSONResponse:
        limit = _limit(request.query_params.get("limit", "50"))
        live = [live.record(with_media=False) for live in live_calls().values()]
        known = {record.id for record in live}
        past = [record for record in await asyncio.to_thread(records.recent, limit) if record.id not in known]
        newest = sorted([*live, *past], key=lambda record: record.started_at, reverse=True)
        return JSONResponse({"calls": [_summary(record) for record in newest[:limit]]})

    async def read_call(request: Request) -> JSONResponse:
        call_id = request.path_params["call_id"]
        live = beginning_with(live_calls(), call_id)
        record = live[0].record() if len(live) == 1 else await asyncio.to_thread(records.find, call_id)
        if record is None:
            return problem(HTTPStatus.NOT_FOUND, f"There is no call {call_id}, or its beginning fits several.")
        return JSONResponse(asdict(record))

    routes = [
        Route("/", list_endpoints),
        Route("/api/status", read_status),
        Route("/api/calls", list_calls),
        Route("/api/calls/{call_id}", read_call),
        *play_routes(live_calls, sounds),
        recording_route(live_calls),
    ]
    return Starlette(routes=routes, middleware=[Middleware(OwnNames)], exception_handlers=EXPLAINED)


def _limit(text: str) -> int:
    if text.isdecimal() and len(text) <= len(str(MAX_CALLS)) and 1 <= int(text) <= MAX_CALLS:
        return int(text)
    raise Refused(HTTPStatus.BAD_REQUEST, f"limit is a number from 1 to {MAX_CALLS}.")


def _summary(record: CallRecord) -> dict[str, Any]:
    return {key: value for key, value in asdict(record).items() if key not in ("journal", "media")}
