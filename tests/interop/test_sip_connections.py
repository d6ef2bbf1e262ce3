"""Who may connect to the SIP port over TCP and TLS: the trunks, so many times each, if they have something to say."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest

from sip.connections import LIMIT
from sip.messages import Start, TrunkAccount
from tests.harness.certificates import Authority
from tests.harness.patience import PATIENCE_S
from tests.interop.sip_line import Line
from tests.interop.sip_peer import HOST

STRANGER = "127.0.0.9"
SILENCE_S = 10
"""PJSIP_TRANSPORT_SERVER_IDLE_TIME_FIRST."""
OPTIONS = "\r\n".join(
    (
        f"OPTIONS sip:{HOST} SIP/2.0",
        f"Via: SIP/2.0/TCP {HOST};branch=z9hG4bK-hello",
        f"From: <sip:peer@{HOST}>;tag=1",
        f"To: <sip:{HOST}>",
        "Call-ID: hello",
        "CSeq: 1 OPTIONS",
        "Content-Length: 0",
        "",
        "",
    )
)


@contextlib.asynccontextmanager
async def listening(
    kind: Literal["tcp", "tls"], folder: Path, sources: tuple[str, ...] = (), **settings: object
) -> AsyncIterator[tuple[Line, int]]:
    """A worker with a trunk on HOST, and the port that it has open for it."""
    if kind == "tls":
        certificate, key = Authority(folder).issue(HOST)
        settings |= {"tls_port": 0, "tls_cert": str(certificate), "tls_key": str(key)}
    else:
        settings |= {"tcp_port": 0}
    account = TrunkAccount("peer", HOST, 1, kind, sources=sources)
    line = Line(Start(HOST, HOST, 0, trunks=(account,), **settings))  # type: ignore[arg-type]
    await line.agent.start()
    try:
        await line.agent.ping()
        yield line, line.agent.started.tcp_port or line.agent.started.tls_port or 0
    finally:
        await line.agent.stop()


@contextlib.asynccontextmanager
async def connected(port: int, source: str = HOST) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(HOST, port, local_addr=(source, 0))
    try:
        yield reader, writer
    finally:
        writer.close()


async def is_served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Whether a request is answered, not the connection closed."""
    writer.write(OPTIONS.encode())
    async with asyncio.timeout(PATIENCE_S):
        with contextlib.suppress(ConnectionError):
            return (await reader.readline()).startswith(b"SIP/2.0 200")
    return False


def listeners_of(pid: int) -> int:
    """TCP ports that a process has open (proc(5), net/tcp: state 0A)."""
    rows = [row.split() for row in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    inodes = {f"socket:[{row[9]}]" for row in rows if row[3] == "0A"}
    return sum(1 for each in descriptors_of(pid) if str(each.readlink()) in inodes)


def descriptors_of(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/fd").iterdir())


@pytest.mark.parametrize("kind", ["tcp", "tls"])
async def test_no_port_is_open_that_is_not_configured(kind: Literal["tcp", "tls"]) -> None:
    line = Line(Start(HOST, HOST, 0, trunks=(TrunkAccount("peer", HOST, 1, kind),)))
    await line.agent.start()
    try:
        assert (line.agent.started.tcp_port, line.agent.started.tls_port) == (None, None)
        assert listeners_of(line.agent.started.pid) == 0
    finally:
        await line.agent.stop()


@pytest.mark.parametrize("kind", ["tcp", "tls"])
async def test_a_stranger_is_cut_off_before_it_says_a_word(
    kind: Literal["tcp", "tls"], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening(kind, tmp_path) as (line, port):
        for _ in range(3):
            async with connected(port, STRANGER) as (reader, _):
                async with asyncio.timeout(PATIENCE_S):
                    with contextlib.suppress(ConnectionError):
                        assert await reader.read() == b""
        await line.agent.ping()
    told = [each.message for each in caplog.records if STRANGER in each.message]
    assert told == [f"worker: a connection from {STRANGER}, no trunk: closed (1 such lately)"]


@pytest.mark.parametrize("source", [HOST, STRANGER])
async def test_a_trunk_may_connect_from_all_that_are_named_its_own(source: str, tmp_path: Path) -> None:
    async with listening("tcp", tmp_path, sources=("127.0.0.8/31",)) as (_, port), connected(port, source) as end:
        assert await is_served(*end)


async def test_a_trunk_gets_so_many_connections_and_no_more(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with contextlib.AsyncExitStack() as stack:
        _, port = await stack.enter_async_context(listening("tcp", tmp_path))
        ends = [await stack.enter_async_context(connected(port)) for _ in range(LIMIT)]
        assert await is_served(*ends[-1])
        async with connected(port) as one_more:
            assert not await is_served(*one_more)
        reader, writer = ends[-1]
        writer.write_eof()
        async with asyncio.timeout(PATIENCE_S):
            await reader.read()
        async with connected(port) as next_one:
            assert await is_served(*next_one)
    assert any(f"{HOST} has {LIMIT} connections already" in each.message for each in caplog.records)


@pytest.mark.parametrize("kind", ["tcp", "tls"])
async def test_a_connection_that_says_nothing_is_closed(kind: Literal["tcp", "tls"], tmp_path: Path) -> None:
    async with listening(kind, tmp_path) as (_, port), connected(port) as (reader, _):
        async with asyncio.timeout(SILENCE_S + PATIENCE_S):
            assert await reader.read() == b""


async def test_a_connection_that_spoke_may_be_silent(tmp_path: Path) -> None:
    async with listening("tcp", tmp_path) as (_, port), connected(port) as silent, connected(port) as other:
        assert await is_served(*other)
        await silent[0].read()
        assert not other[0].at_eof()


async def test_a_flood_of_strangers_leaves_room_for_the_trunk(tmp_path: Path) -> None:
    async with listening("tcp", tmp_path) as (line, port):
        strangers = [socket.create_connection((HOST, port), source_address=(STRANGER, 0)) for _ in range(500)]
        try:
            async with connected(port) as trunk:
                assert await is_served(*trunk)
            assert len(descriptors_of(line.agent.started.pid)) < 50
        finally:
            for each in strangers:
                each.close()
