"""The public listener: the softphone page, its settings, and the signalling WebSocket."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketClose

from call import tones
from call.tokenbucket import TokenBuckets
from call.tones import ToneName
from gateway.config import AuthSettings, ListenSettings, UserSettings
from webrtc.lobby import Lobby
from webrtc.websocket import ARRIVALS_BURST, ARRIVALS_PER_S, Door, serve_socket

WEB: Final = Path(__file__).parent.parent / "web"
SIGNAL: Final = "/signal"

_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; connect-src 'self'; img-src 'self' data:; media-src 'self' blob: mediastream:; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "microphone=(self), camera=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}

DEMO_LABELS: Final = {
    "echo": "Echo test",
    "music": "Music",
    "hello": "Spoken greeting",
    "early": "Early media",
    "busy": "Busy",
    "reject": "Declined",
    "noanswer": "No answer",
    "late": "Answers late",
    "dtmf": "Keypad test",
    "callback": "Calls you back",
}


PAGE_TONES: Final[Mapping[str, ToneName]] = {"ringback": "ringback", "busy": "busy", "failed": "congestion"}
"""What the page calls the tones that it makes itself, and what E.180 calls them."""


class _Site:
    """The signalling socket, and beside it everything over HTTP, whose responses get the headers above.

    A socket goes past the layers of Starlette: they would stay for as long as it is open, ten coroutines for each page.
    """

    def __init__(self, app: ASGIApp, signal: Callable[[WebSocket], Awaitable[None]]) -> None:
        self._app, self._signal = app, signal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._app(scope, receive, _with_headers(send))
        elif scope["path"] == SIGNAL:
            await self._signal(WebSocket(scope, receive, send))
        else:
            await WebSocketClose()(scope, receive, send)  # before accept: HTTP 403


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(_HEADERS)
        await send(message)

    return send_with_headers


def own_origins(listen: ListenSettings, port: int) -> frozenset[str]:
    """The origins that may open the WebSocket: those configured, and on loopback the listener's own."""
    if not listen.is_loopback:
        return frozenset(listen.origins)
    scheme = "https" if listen.tls_cert else "http"
    return frozenset(listen.origins) | {f"{scheme}://{host}:{port}" for host in ("127.0.0.1", "localhost", "[::1]")}


def make_site(
    door: Door,
    *,
    origins: frozenset[str],
    auth: AuthSettings,
    users: Mapping[str, UserSettings],
    demo_numbers: Sequence[str] = (),
    country: str = "",
) -> ASGIApp:
    """The application of the public listener."""
    settings: dict[str, Any] = {
        "title": "webtrunk",
        "auth": auth.mode,
        "users": list(users) if auth.mode == "open" else [],
        "tones": _page_tones(country),
        "demo": [{"to": number, "label": DEMO_LABELS.get(number, number)} for number in demo_numbers],
    }

    async def read_settings(_: Request) -> JSONResponse:
        return JSONResponse(settings)

    arrivals = TokenBuckets(ARRIVALS_PER_S, ARRIVALS_BURST)
    signal = functools.partial(serve_socket, door=door, origins=origins, lobby=Lobby(), arrivals=arrivals)
    routes = [
        Route("/settings.json", read_settings),
        Mount("/", StaticFiles(directory=WEB, html=True)),
    ]
    return _Site(Starlette(routes=routes), signal)


def _page_tones(country: str) -> dict[str, list[dict[str, Any]]]:
    """The local tones of people in a country; none of one that we do not know: the page has its own."""
    known = tones.TONES.get(country, {})
    return {
        name: [{"seconds": pulse.ms / 1000, "hertz": list(pulse.hertz)} for pulse in known[e180]]
        for name, e180 in PAGE_TONES.items()
        if e180 in known
    }
