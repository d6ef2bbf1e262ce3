"""The part of the admin listener that plays prompts into calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from call.errors import GatewayError, PeerError
from gateway.adminbody import Refused, read_body, words
from gateway.livecall import LiveCall, Target
from gateway.problems import problem
from gateway.sounds import Sounds

LiveCalls = Callable[[], Mapping[str, LiveCall]]


class PlayRequest(BaseModel):
    """What to play, and to whom."""

    model_config = ConfigDict(extra="forbid", strict=True)

    file: str = Field(min_length=1, max_length=4096)
    """A sound file that the gateway can read, a country whose ringback is meant ("DE"), or "silence"."""
    to: Target = "both"
    loop: bool = False


class StopRequest(BaseModel):
    """Where to end the prompt."""

    to: Target = "both"


def play_routes(live_calls: LiveCalls, sounds: Sounds) -> list[Route]:
    """POST plays, DELETE stops."""

    async def play(request: Request) -> JSONResponse:
        try:
            call = _find(live_calls(), request.path_params["call_id"])
            wish = await read_body(request, PlayRequest)
            sound = await sounds.get(wish.file)
            call.play(sound, wish.file, wish.to, repeats=wish.loop)
        except (Refused, GatewayError) as error:
            return _refusal(error)
        return JSONResponse({"playing": wish.file, "to": wish.to, "seconds": sound.duration_ms / 1000})

    async def stop(request: Request) -> JSONResponse:
        try:
            call = _find(live_calls(), request.path_params["call_id"])
            stopped = call.stop_playing(StopRequest.model_validate(dict(request.query_params)).to)
        except (Refused, GatewayError, ValidationError) as error:
            return _refusal(error)
        return JSONResponse({"stopped": stopped})

    path = "/api/calls/{call_id}/play"
    return [Route(path, play, methods=["POST"]), Route(path, stop, methods=["DELETE"])]


def _find(calls: Mapping[str, LiveCall], beginning: str) -> LiveCall:
    found = [call for call_id, call in calls.items() if call_id.startswith(beginning)]
    if len(found) != 1:
        sentence = f"There is no live call {beginning}, or its beginning fits several."
        raise Refused(HTTPStatus.NOT_FOUND, sentence)
    return found[0]


def _refusal(error: Refused | GatewayError | ValidationError) -> JSONResponse:
    if isinstance(error, Refused):
        return problem(error.status, "refused", str(error))
    if isinstance(error, ValidationError):
        return problem(HTTPStatus.BAD_REQUEST, "refused", words(error))
    status = HTTPStatus.CONFLICT if isinstance(error, PeerError) else HTTPStatus.INTERNAL_SERVER_ERROR
    return problem(status, "cannot be played", f"{error} {error.hint}".strip())
