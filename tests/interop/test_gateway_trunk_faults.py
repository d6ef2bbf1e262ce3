"""Trunks that cannot be reached, say nothing, or talk nonsense: the sentence names the trunk and the cause."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

import pytest

from tests.harness.certificates import Authority
from tests.harness.gateway import GatewayProcess, settings_for, trunk_to
from tests.harness.pagelike import Message, page_at
from tests.harness.patience import eventually
from tests.harness.ports import HOST, free_port
from tests.interop.sip_peer import Peer

pytestmark = pytest.mark.interop

GARBAGE: Final = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 4\r\n\r\nwhat"


@dataclass(frozen=True)
class Trouble:
    """A gateway whose trunks are all in trouble, and the ports where they would be."""

    gateway: GatewayProcess
    ports: dict[str, int]
    authority: Authority


@pytest.fixture(scope="module")
def trouble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trouble]:
    directory = tmp_path_factory.mktemp("trouble")
    authority, trusted = Authority(directory / "theirs"), Authority(directory / "ours")
    transports = {"closed": "udp", "silent": "udp", "babble": "udp", "shut": "tcp", "web": "tcp", "foreign": "tls"}
    ports = {name: free_port() for name in transports}
    trunks: dict[str, Any] = {
        name: trunk_to(ports[name], [name], transport=transport) for name, transport in transports.items()
    }
    trunks["nowhere"] = trunk_to(5060, ["nowhere"]) | {"host": "trunk.invalid"}
    sip = {"udp_port": free_port(), "tls_ca": trusted.certificate}
    gateway = GatewayProcess(directory, settings_for(directory, trunk=trunks, sip=sip))
    yield Trouble(gateway, ports, authority)
    gateway.stop()


async def call(trouble: Trouble, number: str) -> Message:
    """How a call to the number ends."""
    async with page_at(trouble.gateway.signal_url, user="alice") as page:
        return await (await page.call_without_audio(number)).ended()


class Datagrams(asyncio.DatagramProtocol):
    """Answers every datagram with the same bytes, or not at all."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self._answer and self._transport is not None:
            self._transport.sendto(self._answer, addr)


@asynccontextmanager
async def datagrams(port: int, answer: bytes) -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: Datagrams(answer), local_addr=(HOST, port))
    try:
        yield
    finally:
        transport.close()


async def test_a_host_that_does_not_resolve(trouble: Trouble) -> None:
    ended = await call(trouble, "nowhere")
    assert ended["cause"] == "trunk-unreachable"
    assert ended["sentence"].startswith("Trunk nowhere cannot be reached: the name trunk.invalid does not resolve")
    assert "Errno" not in ended["sentence"]
    assert "trunk.nowhere.host" in ended["hint"]


@pytest.mark.parametrize("name", ["closed", "shut"])
async def test_a_port_that_is_closed(trouble: Trouble, name: str) -> None:
    ended = await call(trouble, name)
    assert ended["cause"] == "trunk-unreachable"
    assert f"Trunk {name} cannot be reached: nothing listens" in ended["sentence"]
    assert f"trunk.{name}.host" in ended["hint"]


async def test_a_trunk_that_says_nothing_and_one_that_talks_nonsense(trouble: Trouble) -> None:
    """Both at once: each is waited for some seconds."""
    nonsense = b"\x00\xff nonsense \r\n\r\n" * 3
    async with datagrams(trouble.ports["silent"], b""), datagrams(trouble.ports["babble"], nonsense):
        nothing, babble = await asyncio.gather(call(trouble, "silent"), call(trouble, "babble"))
    assert (nothing["cause"], nothing["sentence"]) == ("trunk-unreachable", "Trunk silent does not answer at all.")
    assert "firewall" in nothing["hint"]
    assert "Trunk babble answered, but not in SIP" in babble["sentence"]


async def test_a_web_server_in_place_of_a_trunk(trouble: Trouble) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(GARBAGE)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, HOST, trouble.ports["web"]):
        ended = await call(trouble, "web")
    assert "Trunk web answered, but not in SIP" in ended["sentence"]
    assert ended["cause"] == "trunk-error"


async def test_a_certificate_that_we_do_not_trust(trouble: Trouble) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*trouble.authority.issue("foreign"))

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(never, HOST, trouble.ports["foreign"], ssl=context):
        ended = await call(trouble, "foreign")
    assert ended["cause"] == "trunk-unreachable"
    assert "Trunk foreign" in ended["sentence"]
    assert "certificate" in ended["sentence"].lower()
    assert "sip.tls_ca" in ended["hint"]


@pytest.mark.parametrize(("typed", "cause"), [("+49 30 1234567", "not-allowed"), ("what?!", "not-found")])
async def test_a_number_that_leads_nowhere(trouble: Trouble, typed: str, cause: str) -> None:
    ended = await call(trouble, typed)
    assert ended["cause"] == cause
    assert typed.replace(" ", "") in ended["sentence"]
    assert ended["hint"]


async def newest_record(trouble: Trouble, direction: str) -> Message:
    """The newest call, as soon as it is one of this direction and over."""
    newest: Message = {}

    def is_there() -> bool:
        newest.update(*trouble.gateway.ask("calls?limit=1")["calls"])
        return newest.get("direction") == direction and newest["cause"] != "live"

    await eventually(is_there)
    return newest


async def test_an_invite_with_broken_sdp_leaves_a_record(trouble: Trouble) -> None:
    async with Peer.open() as peer, page_at(trouble.gateway.signal_url, user="alice"):
        dialog = peer.dial(trouble.gateway.sip_port, number="alice", body="v=0\r\nthis is not SDP\r\n")
        await dialog.response(400)
        record = await newest_record(trouble, "incoming")
        assert (record["user"], record["remote"]) == ("alice", "peer")
        assert record["cause"] == "no-common-media"
        assert record["sentence"]
