"""Clients that take their time, or flood: each is cut off, whatever stage it is in."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from gateway import doorkeeping
from gateway.listeners import Server, listen

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
UPGRADE = (
    b"GET /socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
PING = b"\x89\xfd\0\0\0\0" + bytes(125)
EMPTY_FRAGMENT = b"\x00\x80\0\0\0\0"


async def hello(_: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def much(_: Request) -> StreamingResponse:
    """In pieces, as files are sent: the next one waits until the client has read."""
    return StreamingResponse("x" * 65_536 for _ in range(300))


async def listen_only(socket: WebSocket) -> None:
    await socket.accept()
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await socket.receive_text()


async def talk(socket: WebSocket) -> None:
    await socket.accept()
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await socket.send_text("x" * 60_000)


ROUTES: list[Route | WebSocketRoute] = [
    Route("/", hello),
    Route("/much", much),
    WebSocketRoute("/socket", listen_only),
    WebSocketRoute("/talk", talk),
]


@contextlib.asynccontextmanager
async def serving(routes: list[Route | WebSocketRoute]) -> AsyncIterator[int]:
    """A server of these routes; its port."""
    listener = listen("127.0.0.1", 0, "listen.port")
    server = Server(Starlette(routes=routes))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    await server.is_up.wait()
    yield listener.getsockname()[1]
    server.should_exit = True
    await task


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with serving(ROUTES) as port:
        yield port


@contextlib.asynccontextmanager
async def client(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    yield reader, writer
    writer.transport.abort()


async def is_cut_off(reader: asyncio.StreamReader) -> bool:
    """Read to the end."""
    with contextlib.suppress(ConnectionResetError):
        async with asyncio.timeout(10):
            await reader.read()
    return True


async def test_a_second_request_has_a_deadline_of_its_own(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorkeeping, "HEADERS_S", 0.5)
    async with client(port) as (reader, writer):
        writer.write(GET)
        assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
        writer.write(GET[:20])
        assert await is_cut_off(reader)


async def test_a_kept_connection_serves_another_request(port: int) -> None:
    async with client(port) as (reader, writer):
        for _ in range(3):
            writer.write(GET)
            await reader.readuntil(b"hello")


async def test_requests_at_once_are_served_one_after_the_other(port: int) -> None:
    async with client(port) as (reader, writer):
        writer.write(GET * 3)
        for _ in range(3):
            await reader.readuntil(b"hello")


async def test_endless_headers_of_a_second_request_are_refused(port: int) -> None:
    async with client(port) as (reader, writer):
        writer.write(GET)
        await reader.readuntil(b"hello")
        writer.write(GET[:-2] + b"X-Long: " + b"a" * 100_000)
        with contextlib.suppress(ConnectionResetError):
            assert b"400 Bad Request" in await reader.read()


async def test_a_body_that_never_comes_is_not_awaited(port: int) -> None:
    async with client(port) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 405")


async def test_a_response_that_nobody_reads_is_given_up(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorkeeping, "EXCHANGE_S", 0.2)
    async with client(port) as (reader, writer):
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(GET.replace(b"/ ", b"/much "))
        while not writer.transport.is_closing():
            writer.write(b"\r\n")  # fails once the server has cut us off
            await asyncio.sleep(0.01)
        assert await is_cut_off(reader)


async def test_a_websocket_that_does_not_read_is_cut_off(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorkeeping, "UNREAD_S", 0.1)
    with socket.create_connection(("127.0.0.1", port)) as unread:
        unread.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(unread, UPGRADE.replace(b"/socket", b"/talk"))
        async with asyncio.timeout(10):
            with pytest.raises(ConnectionError):
                while True:  # pings fail once the server has cut us off
                    await loop.sock_sendall(unread, PING)
                    await asyncio.sleep(0.05)


@pytest.mark.parametrize("frame", [PING, b"\x8a" + PING[1:], EMPTY_FRAGMENT], ids=["ping", "pong", "fragment"])
async def test_a_flood_of_frames_without_a_message_is_cut_off(port: int, frame: bytes) -> None:
    async with client(port) as (reader, writer):
        writer.write(UPGRADE + b"\x01\x80\0\0\0\0" * (frame is EMPTY_FRAGMENT))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(frame * 1000)
        assert await is_cut_off(reader)


async def test_some_pings_are_answered(port: int) -> None:
    async with client(port) as (reader, writer):
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(PING * 5)
        assert await reader.readexactly(5 * 127) == (b"\x8a\x7d" + bytes(125)) * 5


async def test_an_open_websocket_keeps_no_headers_of_its_handshake() -> None:
    sockets: list[WebSocket] = []

    async def note(socket: WebSocket) -> None:
        assert socket.headers["host"] == "x"
        sockets.append(socket)
        await listen_only(socket)

    async with serving([WebSocketRoute("/socket", note)]) as port, client(port) as (reader, writer):
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        assert not sockets[0].headers


async def test_idle_connections_of_one_address_are_bounded_and_make_room(port: int) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(doorkeeping.YARD_PER_ADDRESS):
            reader, writer = await stack.enter_async_context(client(port))
            writer.write(GET)
            await reader.readuntil(b"hello")
        one_too_many, _ = await stack.enter_async_context(client(port))
        assert await is_cut_off(one_too_many)
        writer.transport.abort()
        async with asyncio.timeout(10):
            while True:
                reader, writer = await stack.enter_async_context(client(port))
                writer.write(GET)
                if b"200" in await reader.readline():
                    break


@pytest.mark.parametrize("attempt", range(2))
async def test_a_frame_that_is_too_long_is_told_so_however_much_of_it_is_unread(port: int, attempt: int) -> None:
    async with connect(f"ws://127.0.0.1:{port}/socket", compression=None, proxy=None) as client:
        await client.send("x" * 1_000_000)
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert client.close_code == 1009
