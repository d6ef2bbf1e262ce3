"""The part of the admin listener that records calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from call.errors import GatewayError
from gateway.callrecording import WISHES, Wish
from gateway.livecall import LiveCall
from gateway.problems import problem


def recording_route(live_calls: Callable[[], Mapping[str, LiveCall]]) -> Route:
    """POST {"do": "start"} and so on."""

    async def record(request: Request) -> JSONResponse:
        call_id = request.path_params["call_id"]
        found = [call for key, call in live_calls().items() if key.startswith(call_id)]
        if len(found) != 1 or found[0].recording is None:
            words = f"There is no live call {call_id}, or its beginning fits several."
            return problem(HTTPStatus.NOT_FOUND, "no such call", words)
        if (wish := await _read(request)) is None:
            words = f'Expected JSON (application/json) such as {{"do": "start"}}: one of {", ".join(WISHES)}.'
            return problem(HTTPStatus.BAD_REQUEST, "no wish", words)
        try:
            return JSONResponse({"recording": await found[0].recording.obey(wish)})
        except GatewayError as error:
            return problem(HTTPStatus.CONFLICT, "not possible", f"{error} {error.hint}".strip())

    return Route("/api/calls/{call_id}/recording", record, methods=["POST"])


async def _read(request: Request) -> Wish | None:
    """What is wanted. Only as JSON: a page on another site can send other bodies without asking (CORS)."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return None
    try:
        body = await request.json()
    except ValueError:
        return None
    wanted = body.get("do") if isinstance(body, dict) else None
    return next((wish for wish in WISHES if wish == wanted), None)
