"""Refusals of the admin listener, as RFC 9457 has them."""

from starlette.responses import JSONResponse


def problem(status: int, title: str, detail: str) -> JSONResponse:
    """An answer that says what was wrong."""
    content = {"status": int(status), "title": title, "detail": detail}
    return JSONResponse(content, int(status), media_type="application/problem+json")
