"""Asking listeners of this machine: ours, other people's, and none."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from call.errors import PeerError, TransportError
from gateway.localhttp import ask


@contextlib.asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """A listener that gives the same answer to everybody; its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def asked(url: str) -> tuple[int, dict[str, object]]:
    return await asyncio.to_thread(ask, url, 5.0)


@pytest.mark.parametrize("status", [200, 404])
async def test_object_comes_with_its_status(status: int) -> None:
    async with answering(b'HTTP/1.0 %d X\r\n\r\n{"a": 1}' % status) as url:
        assert await asked(url) == (status, {"a": 1})


async def test_no_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with answering(b"HTTP/1.0 200 OK\r\n\r\n{}") as url:
        assert await asked(url) == (200, {})


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200 OK\r\n\r\n<html>",
        b"HTTP/1.0 200 OK\r\n\r\n[1]",
        b"HTTP/1.0 404 Not Found\r\n\r\n\xff",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n{",
        b"HTTP/1.0 200 OK\r\n\r\n" + b"[" * 100_000,
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
        b"",
    ],
)
async def test_what_is_not_ours_is_told_apart(answer: bytes) -> None:
    async with answering(answer) as url:
        with pytest.raises((PeerError, TransportError)):
            await asked(url)


async def test_no_redirect_is_followed() -> None:
    async with answering(b'HTTP/1.0 200 OK\r\n\r\n{"title": "webtrunk"}') as ours:
        redirect = f"HTTP/1.0 302 Found\r\nLocation: {ours}\r\n\r\n".encode()
        async with answering(redirect) as url:
            with pytest.raises(PeerError):
                await asked(url)


async def test_nobody_is_told_apart() -> None:
    async with answering(b"") as url:
        pass
    with pytest.raises(TransportError, match="Nothing answers"):
        await asked(url)
