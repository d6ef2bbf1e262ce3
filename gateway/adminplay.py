"""The part of the admin listener that plays prompts into calls."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from gateway.adminbody import read_body, validated
from gateway.admincalls import LiveCalls, find_live
from gateway.livecall import Target
from gateway.sounds import Sounds


class PlayRequest(BaseModel):
    """What to play, and to whom."""

    model_config = ConfigDict(extra="forbid", strict=True)

    file: str = Field(min_length=1, max_length=4096)
    """A sound file that the gateway can read, a country whose ringback is meant ("DE"), or "silence"."""
    to: Target = "both"
    loop: bool = False


class StopRequest(BaseModel):
    """Where to end the prompt."""

    model_config = ConfigDict(extra="forbid")

    to: Target = "both"


def play_routes(live_calls: LiveCalls, sounds: Sounds) -> list[Route]:
    """POST plays, DELETE stops."""

    async def play(request: Request) -> JSONResponse:
        call = find_live(live_calls(), request.path_params["call_id"])
        wish = await read_body(request, PlayRequest)
        sound = await sounds.get(wish.file)
        call.play(sound, wish.file, wish.to, repeats=wish.loop)
        return JSONResponse({"playing": wish.file, "to": wish.to, "seconds": sound.duration_ms / 1000})

    async def stop(request: Request) -> JSONResponse:
        call = find_live(live_calls(), request.path_params["call_id"])
        wish = validated(lambda: StopRequest.model_validate(dict(request.query_params)))
        return JSONResponse({"stopped": call.stop_playing(wish.to)})

    path = "/api/calls/{call_id}/play"
    return [Route(path, play, methods=["POST"]), Route(path, stop, methods=["DELETE"])]
