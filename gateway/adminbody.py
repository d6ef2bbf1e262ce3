"""Bodies of requests to the admin listener: bounded, and JSON only."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from gateway.problems import Refused

Wanted = TypeVar("Wanted", bound=BaseModel)
MAX_BODY: Final = 8192
"""Bytes; nothing that is asked for here is longer."""


async def read_body(request: Request, wanted: type[Wanted]) -> Wanted:
    """The request's body.

    A page on another site can send a form or plain text to this machine without asking; JSON it cannot (CORS).

    Raises:
        Refused: It is too long, no JSON, or asks for something else.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The request must be of type application/json.")
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A request has {MAX_BODY} bytes at most.")
    return validated(lambda: wanted.model_validate_json(body))


def validated(parse: Callable[[], Wanted]) -> Wanted:
    """What a request asks for.

    Raises:
        Refused: It asks for something else; the words are about the first mistake.
    """
    try:
        return parse()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        words = f"{where}: {first['msg']}" if where else str(first["msg"])
        raise Refused(HTTPStatus.BAD_REQUEST, f"{words}.") from error
