"""The listeners: taken ports in words, and clients that take their time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NoReturn

import pytest
from cryptography.hazmat.primitives import serialization
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from call.errors import TransportError
from gateway import doorkeeping
from gateway.config import AuthSettings, ListenSettings
from gateway.listeners import Server, check_authorities, check_certificate, listen, listen_publicly
from gateway.site import make_site
from tests.harness.certificates import Authority


async def hello(_: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


@contextlib.asynccontextmanager
async def serving(app: ASGIApp | None = None, host: str = "127.0.0.1") -> AsyncIterator[int]:
    socket = listen(host, 0, "listen.port")
    server = Server(app or Starlette(routes=[Route("/", hello), Route("/settings.json", hello)]))
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


async def never(*_: object) -> NoReturn:
    raise AssertionError


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
async def test_a_webtrunk_that_runs_already_is_pointed_to(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    site = make_site(never, origins=frozenset(), auth=AuthSettings(mode="open"), users={})
    async with serving(site, host) as port:
        with pytest.raises(TransportError, match=f"webtrunk is running already: http://127.0.0.1:{port}/$"):
            await asyncio.to_thread(listen_publicly, ListenSettings(host=host, port=port))


async def test_another_server_on_the_port_is_not_called_webtrunk() -> None:
    async with serving() as port:
        with pytest.raises(TransportError, match="is taken"):
            await asyncio.to_thread(listen_publicly, ListenSettings(port=port))


def test_an_address_that_is_not_ours_is_explained() -> None:
    with pytest.raises(TransportError, match="cannot be opened"):
        listen("203.0.113.1", 0, "listen.port")


def test_certificates_that_can_be_used_pass(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("page")
    check_certificate(str(certificate), str(key), "listen")
    check_certificate("", "", "listen")
    check_authorities(str(authority.certificate), "sip.tls_ca")
    check_authorities("", "sip.tls_ca")


def test_certificate_that_is_not_pem_is_explained(tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("this is no certificate")
    with pytest.raises(TransportError, match="cannot be used for TLS: one of them is not PEM") as caught:
        check_certificate(str(nonsense), str(nonsense), "listen")
    assert str(nonsense) in str(caught.value)
    assert "`listen.tls_cert`" in caught.value.hint
    with pytest.raises(TransportError, match="holds no certificates"):
        check_authorities(str(nonsense), "sip.tls_ca")


def test_certificate_and_key_of_different_pairs_are_explained(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    (certificate, _), (_, other) = authority.issue("page"), authority.issue("other")
    with pytest.raises(TransportError, match="the key belongs to another certificate"):
        check_certificate(str(certificate), str(other), "sip")


def test_certificate_that_is_not_there_is_explained(tmp_path: Path) -> None:
    with pytest.raises(TransportError, match="No such file"):
        check_certificate(str(tmp_path / "none"), str(tmp_path / "none"), "sip")


def test_encrypted_key_is_refused_and_nobody_is_asked_for_its_password(tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path).issue("page")
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"secret")
    forms = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key.write_bytes(private.private_bytes(*forms, locked))
    with pytest.raises(TransportError, match="the key is encrypted"):
        check_certificate(str(certificate), str(key), "listen")


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
