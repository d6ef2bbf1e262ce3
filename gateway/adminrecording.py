"""The part of the admin listener that records calls."""

from __future__ import annotations

from http import HTTPStatus

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from gateway.adminbody import read_body
from gateway.admincalls import LiveCalls, find_live
from gateway.callrecording import WISHES, Wish
from gateway.problems import Refused


class RecordingRequest(BaseModel):
    """What is wanted of a call's recording."""

    model_config = ConfigDict(extra="forbid", strict=True)

    do: Wish


def recording_route(live_calls: LiveCalls) -> Route:
    """POST {"do": "start"} and so on."""

    async def record(request: Request) -> JSONResponse:
        call = find_live(live_calls(), request.path_params["call_id"])
        try:
            wish = (await read_body(request, RecordingRequest)).do
        except Refused as error:
            example = f'Expected such as {{"do": "start"}}: one of {", ".join(WISHES)}.'
            raise Refused(error.status, f"{error} {example}") from error
        if call.recording is None:
            raise Refused(HTTPStatus.CONFLICT, f"The call {call.id} is only beginning.")
        return JSONResponse({"recording": await call.recording.obey(wish)})

    return Route("/api/calls/{call_id}/recording", record, methods=["POST"])
