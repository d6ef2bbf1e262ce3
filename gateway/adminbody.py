"""Bodies of requests to the admin listener: bounded, and JSON only."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

Wanted = TypeVar("Wanted", bound=BaseModel)
MAX_BODY: Final = 8192
"""Bytes; nothing that is asked for here is longer."""


class Refused(Exception):
    """The request cannot be served."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status


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
    try:
        return wanted.model_validate_json(body)
    except ValidationError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, words(error)) from error


def words(error: ValidationError) -> str:
    """The first mistake."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else str(first["msg"])
