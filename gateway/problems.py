"""Refusals of the admin listener, as RFC 9457 has them: whatever is in the way, its answer is one of these."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from call.errors import GatewayError, PeerError, PolicyError, TransportError


class Refused(Exception):
    """The request cannot be served."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An answer that says what was wrong."""
    content = {"status": int(status), "title": HTTPStatus(status).phrase, "detail": detail}
    return JSONResponse(content, int(status), headers, media_type="application/problem+json")


async def explain(request: Request, error: Exception) -> JSONResponse:
    """The answer where a request met an error."""
    match error:
        case Refused(status=status):
            return problem(status, str(error))
        case GatewayError():
            return problem(_status_of(error), f"{error} {error.hint}".rstrip())
        case HTTPException(status_code=HTTPStatus.NOT_FOUND):
            return problem(HTTPStatus.NOT_FOUND, f"There is nothing at {request.url.path}.")
        case HTTPException(status_code=HTTPStatus.METHOD_NOT_ALLOWED, headers=headers):
            words = f"{request.method} does nothing at {request.url.path}."
            return problem(HTTPStatus.METHOD_NOT_ALLOWED, words, headers)
        case _:
            return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "The gateway has a fault; its log says more.")


EXPLAINED: Final[Mapping[Any, Any]] = dict.fromkeys((Refused, GatewayError, HTTPException, Exception), explain)
"""For Starlette, by the kind of error."""


def _status_of(error: GatewayError) -> HTTPStatus:
    if isinstance(error, PeerError | PolicyError):
        return HTTPStatus.CONFLICT
    is_temporary = isinstance(error, TransportError)
    return HTTPStatus.SERVICE_UNAVAILABLE if is_temporary else HTTPStatus.INTERNAL_SERVER_ERROR
