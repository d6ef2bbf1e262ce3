"""Ask an ASGI application without a network."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def get(
    app: ASGIApp, path: str, host: str = "127.0.0.1:8081", method: str = "GET", *, body: bytes = b"", content: str = ""
) -> Answer:
    """Ask an application for a path."""
    plain, _, query = path.partition("?")
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": plain,
        "raw_path": plain.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(b"host", host.encode()), *([(b"content-type", content.encode())] if content else [])],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8081),
    }
    told: list[Message] = []
    request: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if not request:
            await asyncio.Event().wait()  # the client stays
        return request.pop()

    async def send(message: Message) -> None:
        told.append(message)

    await app(scope, receive, send)
    headers = {name.decode().lower(): value.decode() for name, value in told[0]["headers"]}
    return Answer(told[0]["status"], headers, b"".join(message.get("body", b"") for message in told[1:]))
