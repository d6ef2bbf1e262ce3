"""The part of the admin listener that records calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from call.errors import GatewayError
from gateway.adminbody import Refused, read_body
from gateway.callrecording import WISHES, Wish
from gateway.livecall import LiveCall
from gateway.problems import problem


class RecordingRequest(BaseModel):
    """What is wanted of a call's recording."""

    model_config = ConfigDict(extra="forbid", strict=True)

    do: Wish


def recording_route(live_calls: Callable[[], Mapping[str, LiveCall]]) -> Route:
    """POST {"do": "start"} and so on."""

    async def record(request: Request) -> JSONResponse:
        call_id = request.path_params["call_id"]
        found = [call for key, call in live_calls().items() if key.startswith(call_id)]
        if len(found) != 1 or found[0].recording is None:
            words = f"There is no live call {call_id}, or its beginning fits several."
            return problem(HTTPStatus.NOT_FOUND, "no such call", words)
        try:
            wish = (await read_body(request, RecordingRequest)).do
            return JSONResponse({"recording": await found[0].recording.obey(wish)})
        except Refused as error:
            example = f'Expected such as {{"do": "start"}}: one of {", ".join(WISHES)}.'
            return problem(error.status, "no wish", f"{error} {example}")
        except GatewayError as error:
            return problem(HTTPStatus.CONFLICT, "not possible", f"{error} {error.hint}".strip())

    return Route("/api/calls/{call_id}/recording", record, methods=["POST"])
