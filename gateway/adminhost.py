"""The part of the admin listener that serves requests to this machine's own names only."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.problems import problem

OWN_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")


class OwnNames:
    """A page on another site must not read this through a name that resolves to 127.0.0.1 (DNS rebinding)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, or refuse it."""
        if scope["type"] == "http" and _host_of(scope) not in OWN_NAMES:
            words = f"The request must name this machine: its Host is one of {', '.join(OWN_NAMES)}."
            await problem(HTTPStatus.BAD_REQUEST, words)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _host_of(scope: Scope) -> str:
    """Of the Host header, without port."""
    return re.sub(r":\d*$", "", Headers(scope=scope).get("host", "").lower())
