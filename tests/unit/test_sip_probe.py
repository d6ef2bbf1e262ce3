"""`sip.probe`: an open port stays silent, a closed one is told."""

from __future__ import annotations

import asyncio
import socket
from typing import cast

from sip import probe
from sip.probe import Probe
from tests.harness.ports import HOST, free_port


def never(host: str, port: int, flaw: str) -> None:
    raise AssertionError(f"{host}:{port} sent no garbage: {flaw}")


class Answering(asyncio.DatagramProtocol):
    """Answers every datagram with these."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = answers

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        for answer in self._answers:
            self._transport.sendto(answer, addr)


async def test_an_answer_that_is_no_sip_is_told_and_a_proper_one_is_not() -> None:
    answers = (b"\r\n", b"SIP/2.0 400 What\r\n\r\n", b"HELLO")
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: Answering(*answers), local_addr=(HOST, 0))
    port = transport.get_extra_info("sockname")[1]
    garbage: list[tuple[str, int, str]] = []
    refused: list[str] = []
    try:
        await Probe.ask(HOST, port, refused.append, lambda *what: garbage.append(what))
    finally:
        transport.close()
    assert refused == []
    assert garbage == [(HOST, port, "5 bytes that are something else")]


async def test_a_closed_port_is_told() -> None:
    port = free_port()
    told: list[str] = []
    await Probe.ask(HOST, port, told.append, never)
    assert told == [f"Nothing listens on UDP {HOST}:{port}."]


async def test_an_open_port_gets_a_keep_alive_and_nothing_is_told() -> None:
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind((HOST, 0))
    listener.setblocking(False)
    told: list[str] = []
    asking = asyncio.create_task(Probe.ask(HOST, listener.getsockname()[1], told.append, never))
    try:
        assert await asyncio.get_running_loop().sock_recv(listener, 100) == probe.KEEP_ALIVE
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert told == []
    finally:
        listener.close()
