"""The door of a listener: whoever is silent before TLS is bounded and cut off; no free descriptor is no disaster."""

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from gateway import accepting
from gateway.accepting import Door
from gateway.listeners import Server, listen
from tests.harness.certificates import Authority
from webrtc.lobby import PER_ADDRESS, Lobby

HOST, OTHER = "127.0.0.1", "127.0.0.2"
GET = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


async def hello(_: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


class Site:
    """A listener over TLS and what its clients need."""

    def __init__(self, authority: Authority) -> None:
        certificate, key = authority.issue("page")
        self.listener = listen(HOST, 0, "listen.port")
        self.port = self.listener.getsockname()[1]
        self.server = Server(Starlette(routes=[Route("/", hello)]), str(certificate), str(key))
        self.trust = ssl.create_default_context(cafile=authority.certificate)

    async def get(self, source: str = OTHER) -> bytes:
        """The page, asked for as a browser does."""
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection(HOST, self.port, ssl=self.trust, local_addr=(source, 0))
            writer.write(GET)
            page = await reader.read()
            writer.close()
            return page


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    made = Site(Authority(tmp_path))
    task = asyncio.create_task(made.server.serve(sockets=[made.listener]))
    await made.server.is_up.wait()
    yield made
    made.server.should_exit = True
    await task


async def silent(port: int, stack: contextlib.AsyncExitStack, source: str = HOST) -> asyncio.StreamReader:
    """A connection that says nothing until the test is over."""
    reader, writer = await asyncio.open_connection(HOST, port, local_addr=(source, 0))
    stack.callback(lambda: writer.transport.abort())  # holds the writer, which would close when forgotten
    return reader


async def is_cut_off(reader: asyncio.StreamReader) -> bool:
    with contextlib.suppress(ConnectionResetError):
        async with asyncio.timeout(10):
            assert await reader.read() == b""
    return True


async def test_silent_connections_before_tls_are_bounded_by_address(site: Site) -> None:
    async with contextlib.AsyncExitStack() as stack:
        readers = [await silent(site.port, stack) for _ in range(PER_ADDRESS + 5)]
        assert all([await is_cut_off(reader) for reader in readers[PER_ADDRESS:]])
        assert (await site.get()).endswith(b"hello")
        assert not any(reader.at_eof() for reader in readers[:PER_ADDRESS])
    async with asyncio.timeout(10):
        while site.server._porch.waiting:  # noqa: ASYNC110 - the sockets' ends have no event of ours
            await asyncio.sleep(0.01)
    assert (await site.get(HOST)).endswith(b"hello"), "those that went made room"


async def test_a_tls_handshake_has_a_deadline(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accepting, "HANDSHAKE_S", 0.05)
    async with contextlib.AsyncExitStack() as stack:
        assert await is_cut_off(await silent(site.port, stack))


async def test_what_is_no_tls_is_closed_without_a_word(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    reader, writer = await asyncio.open_connection(HOST, site.port)
    writer.write(GET)
    with contextlib.suppress(ConnectionResetError):
        assert b"hello" not in await reader.read()
    writer.close()
    assert (await site.get()).endswith(b"hello")
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]


async def test_a_stranger_takes_the_place_of_one_of_the_crowd(tmp_path: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*Authority(tmp_path).issue("page"))
    with contextlib.closing(listen(HOST, 0, "listen.port")) as listener:
        door = Door(listener, asyncio.Protocol, tls, Lobby(per_address=2, in_all=2))
        async with contextlib.AsyncExitStack() as stack:
            port = listener.getsockname()[1]
            first, second = await silent(port, stack), await silent(port, stack)
            stranger = await silent(port, stack, OTHER)
            assert await is_cut_off(first)
            assert not second.at_eof()
            door.close()
            assert await is_cut_off(second)
            assert await is_cut_off(stranger)


class Exhausted(socket.socket):
    """A listener for whose connections there is no descriptor at first."""

    failures = 3

    def accept(self) -> tuple[socket.socket, Any]:
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


async def test_no_free_descriptor_is_waited_out_and_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(accepting, "PAUSE_S", 0.01)
    with Exhausted() as listener:
        listener.bind((HOST, 0))
        listener.listen()
        listener.setblocking(False)
        taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        class Taking(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                taken.set_result(None)
                transport.close()

        door = Door(listener, Taking, None, Lobby())
        async with contextlib.AsyncExitStack() as stack:
            await silent(listener.getsockname()[1], stack)
            async with asyncio.timeout(10):
                await taken
        door.close()
    assert [record.message.split(";")[0] for record in caplog.records] == [
        "no new connections for now: Too many open files"
    ]
