"""The listeners: taken ports in words, and clients that take their time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from call.errors import TransportError
from gateway import doorkeeping
from gateway.listeners import Server, listen


async def hello(_: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[int]:
    socket = listen("127.0.0.1", 0, "listen.port")
    server = Server(Starlette(routes=[Route("/", hello)]))
    task = asyncio.create_task(server.serve(sockets=[socket]))
    await server.is_up.wait()
    try:
        yield socket.getsockname()[1]
    finally:
        server.should_exit = True
        await task


def test_a_taken_port_is_explained() -> None:
    with contextlib.closing(listen("127.0.0.1", 0, "listen.port")) as first:
        port = first.getsockname()[1]
        with pytest.raises(TransportError, match=f"TCP port {port} on 127.0.0.1 is taken") as taken:
            listen("127.0.0.1", port, "listen.port")
    assert "`listen.port`" in taken.value.hint


def test_an_address_that_is_not_ours_is_explained() -> None:
    with pytest.raises(TransportError, match="cannot be opened"):
        listen("203.0.113.1", 0, "listen.port")


async def test_a_punctual_client_is_served() -> None:
    async with serving() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"hello")
        writer.close()


async def test_a_client_that_sends_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorkeeping, "HEADERS_S", 0.05)
    async with serving() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()


async def test_endless_headers_are_refused() -> None:
    async with serving() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Long: " + b"a" * 100_000)
        with contextlib.suppress(ConnectionResetError):
            assert b"400 Bad Request" in await reader.read()
        writer.close()
