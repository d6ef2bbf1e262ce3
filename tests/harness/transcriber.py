"""A WebSocket server that takes what a tee sends, as a transcriber would; it may be slow, or refuse."""

from __future__ import annotations

import asyncio
import http
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from tests.harness.patience import PATIENCE_S
from tests.harness.ports import HOST, free_port


@dataclass
class Hearing:
    """One connection of a tee."""

    authorization: str
    start: dict[str, Any]
    pcm: bytearray = field(default_factory=bytearray)
    messages: list[dict[str, Any]] = field(default_factory=list)
    is_over: bool = False


class Transcriber:
    """What came, connection by connection."""

    def __init__(self, token: str = "", port: int = 0) -> None:
        self.port = port or free_port()
        self.hearings: list[Hearing] = []
        self.reads = asyncio.Event()
        """Cleared: messages stay unread."""
        self.reads.set()
        self.closes_with = 0
        """A close code for everybody, as soon as they have begun."""
        self.refused = 0
        self.redirects_to = ""
        """Sends everybody there."""
        self._token = token
        self._news = asyncio.Condition()
        self._server: Server | None = None

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        self._server = await serve(
            self._hear, HOST, self.port, process_request=self._check, ssl=tls, max_queue=2, compression=None
        )

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def until(self, count: int = 1, *, ms: int = 0, is_over: bool = False) -> Hearing:
        """The connection of this number, once so much was heard on it."""
        async with asyncio.timeout(PATIENCE_S + ms / 1000), self._news:
            while not self._fits(count, ms, is_over):
                await self._news.wait()
        return self.hearings[count - 1]

    def _fits(self, count: int, ms: int, is_over: bool) -> bool:
        if len(self.hearings) < count:
            return False
        hearing = self.hearings[count - 1]
        bytes_per_ms = 32 * hearing.start["channels"]
        return len(hearing.pcm) >= ms * bytes_per_ms and (hearing.is_over or not is_over)

    async def refusals(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_S), self._news:
            while self.refused < count:
                await self._news.wait()

    async def _check(self, _connection: ServerConnection, request: Request) -> Response | None:
        response = None
        if self.redirects_to:
            response = _connection.respond(http.HTTPStatus.FOUND, "elsewhere\n")
            response.headers["Location"] = self.redirects_to
        elif self._token and request.headers.get("Authorization") != self._token:
            response = _connection.respond(http.HTTPStatus.UNAUTHORIZED, "no\n")
        if response is not None:
            async with self._news:
                self.refused += 1
                self._news.notify_all()
        return response

    async def _hear(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        start = json.loads(await socket.recv())
        hearing = Hearing(socket.request.headers.get("Authorization", ""), start)
        self.hearings.append(hearing)
        try:
            await self._tell()
            if self.closes_with:
                await socket.close(self.closes_with)
                return
            async for message in socket:
                await self.reads.wait()
                if isinstance(message, bytes):
                    hearing.pcm += message
                else:
                    hearing.messages.append(json.loads(message))
                await self._tell()
        finally:
            hearing.is_over = True
            await self._tell()

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()


@asynccontextmanager
async def transcribing(token: str = "", port: int = 0) -> AsyncIterator[Transcriber]:
    """A server that is up while the block runs."""
    server = Transcriber(token, port)
    await server.start()
    try:
        yield server
    finally:
        server.reads.set()
        await server.stop()
