"""Somebody abuses the WebSocket while others talk: they hear nothing of it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Coroutine
from typing import Any, Final

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.harness.pagelike import CHROMIUM_OFFER, page_at
from tests.harness.ports import HOST
from tests.harness.speech import Speech, hears
from tests.interop.conftest import House

pytestmark = pytest.mark.interop

HELLO: Final = json.dumps({"type": "hello", "version": 1, "user": "bob"})


async def closes(connection: ClientConnection) -> int | None:
    """Read until the gateway closes the socket; its code."""
    try:
        async with asyncio.timeout(10):
            while True:
                await connection.recv()
    except ConnectionClosed:
        return connection.close_code


async def garbage(url: str) -> None:
    async with connect(url, compression=None) as connection:
        await connection.send("\x00 not json")
        assert await closes(connection) == 1008


async def binary_garbage(url: str) -> None:
    async with connect(url, compression=None) as connection:
        await connection.send(HELLO)
        await connection.send(bytes(range(256)))
        assert await closes(connection) == 1008


async def too_much_at_once(url: str) -> None:
    async with connect(url, compression=None) as connection:
        await connection.send(HELLO)
        await connection.send(json.dumps({"type": "ping", "padding": "x" * 100_000}))
        assert await closes(connection) == 1009


async def too_many_messages(url: str) -> None:
    async with connect(url, compression=None) as connection:
        await connection.send(HELLO)
        try:
            for number in range(2000):
                await connection.send(json.dumps({"type": "ping", "sequence": number}))
        except ConnectionClosed:
            pass
        assert await closes(connection) == 1008


async def calls_that_are_none(url: str) -> None:
    """Offers without audio, without ICE, cut short: each is refused, and the socket lives on."""
    offers = ["v=0\r\n", "rubbish", CHROMIUM_OFFER.replace("m=audio", "m=video"), CHROMIUM_OFFER[:400]]
    offers.append(CHROMIUM_OFFER.replace("a=fingerprint", "a=x-fingerprint"))
    async with page_at(url, user="bob") as page:
        for offer in offers:
            ended = await (await page.call_without_audio("echo", offer)).ended()
            assert ended["cause"] == "no-common-media", ended
            assert ended["sentence"]


async def half_a_handshake(url: str) -> None:
    """A TCP connection that never becomes a WebSocket."""
    port = int(url.rpartition(":")[2].partition("/")[0])
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(b"GET /signal HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n")
    await writer.drain()
    writer.transport.abort()
    assert await reader.read() == b""


async def packets_at_random(media_port: int) -> None:
    """Noise at the browsers' media port: STUN, DTLS and RTP that belong to nobody."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as noise:
        for first in range(256):
            noise.sendto(bytes([first]) + bytes(range(120)), (HOST, media_port))
            await asyncio.sleep(0)


async def test_a_running_call_hears_nothing_of_abuse(house: House, speech: Speech) -> None:
    abuses: list[Callable[[str], Coroutine[Any, Any, None]]] = [
        garbage,
        binary_garbage,
        too_much_at_once,
        too_many_messages,
        calls_that_are_none,
        half_a_handshake,
    ]
    url = house.gateway.signal_url
    async with page_at(url, user="alice") as page:
        call = await page.call("echo", speech)
        await call.answered()
        async with asyncio.TaskGroup() as tasks:
            for abuse in abuses:
                tasks.create_task(abuse(url))
            tasks.create_task(packets_at_random(house.gateway.settings["media"]["browser_port"]))
            tasks.create_task(hears(speech, call.listen))
        await call.hang_up()
    record = await house.gateway.record(await call.record_id())
    assert record["media"]["browser"]["rx_lost"] == 0
    assert record["cause"] == "hangup"


@pytest.mark.parametrize(
    "message",
    [
        {"type": "call.hangup", "call": "nobody"},
        {"type": "call.accept", "call": "nobody", "sdp": "v=0"},
        {"type": "call.start", "call": "a b", "to": "echo", "sdp": "v=0"},
        {"type": "call.start", "call": "a", "to": "echo\r\nX-Evil: 1", "sdp": "v=0"},
        {"type": "call.start", "call": "a", "to": "echo", "sdp": "v=0", "headers": {"X-A": "1\r\nX-Evil: 1"}},
        {"type": "call.start", "call": "a", "to": "echo", "sdp": "v=0", "headers": {"Route": "<sip:evil>"}},
        {"type": "call.dtmf", "call": "a", "digits": "12;drop"},
        {"type": "hello", "version": 1, "user": "alice"},
        {"type": "no.such.thing"},
    ],
    ids=lambda message: message["type"],
)
async def test_a_wrong_message_costs_an_error_and_nothing_else(house: House, message: dict[str, Any]) -> None:
    async with page_at(house.gateway.signal_url, user="alice") as page:
        await page.send(message)
        error = await page.error()
        assert error["type"] == "error"
        assert error["message"]
        await page.send({"type": "ping", "sequence": 7})
        assert (await page.error()) == {"type": "pong", "sequence": 7}
