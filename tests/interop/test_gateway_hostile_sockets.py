"""Hostile clients at the public listener: each is bounded and refused; a call and a new login notice nothing."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from gateway.config import LimitSettings
from gateway.doorkeeping import CLOSE_REPLY_S
from tests.harness.certificates import Authority
from tests.harness.gateway import GatewayProcess, demo_settings
from tests.harness.memory import MIB, resident
from tests.harness.pagelike import CHROMIUM_OFFER, PageLike, page_at
from tests.harness.patience import eventually
from tests.harness.ports import HOST
from tests.harness.rawsocket import ATTACKER, UPGRADE, frame, is_closed, port_of, raw, upgraded
from tests.harness.speech import Speech, hears
from webrtc.lobby import IN_ALL, PER_ADDRESS
from webrtc.websocket import MESSAGES_PER_S

pytestmark = pytest.mark.interop

MEMORY: Final = 32 * MIB
LOGIN_S: Final = 5.0
"""A login among attackers takes no longer, on a busy machine; on a quiet one it takes milliseconds."""
CALL_S: Final = 5.0
"""Likewise the set-up of a call; until somebody is told that the gateway is full it takes no second."""
CUT_OFF: Final = "cut off, it sends more than"
"""What the log says of who floods with frames."""
HELLO: Final = json.dumps({"type": "hello", "version": 1, "user": "bob"})


@pytest.fixture(scope="module")
def besieged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway of this file's own, whose memory and descriptors can be watched."""
    directory = tmp_path_factory.mktemp("besieged")
    settings = demo_settings(directory, session={"grace_s": 1}, limits={"user_calls": 10})
    gateway = GatewayProcess(directory, settings, demo=True)
    yield gateway
    gateway.stop()


@pytest.fixture(scope="module")
def besieged_over_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GatewayProcess, ssl.SSLContext]]:
    """Another one that speaks TLS, and what its clients trust."""
    directory = tmp_path_factory.mktemp("besieged-over-tls")
    authority = Authority(directory)
    certificate, key = authority.issue("page")
    tls = {"tls_cert": certificate, "tls_key": key}
    gateway = GatewayProcess(directory, demo_settings(directory, listen=tls, session={"grace_s": 1}), demo=True)
    yield gateway, ssl.create_default_context(cafile=authority.certificate)
    gateway.stop()


@asynccontextmanager
async def attack(gateway: GatewayProcess, speech: Speech, trust: ssl.SSLContext | None = None) -> AsyncIterator[None]:
    """Within the block a call goes on and hears well; afterwards one can log in at once, and nothing is left."""
    descriptors, memory = gateway.program.descriptors(), resident(gateway.program.pid)
    async with page_at(gateway.signal_url, user="alice", trust=trust) as page:
        call = await page.call("echo", speech)
        await call.answered()
        listener = asyncio.create_task(hears(speech, call.listen))
        yield
        await login(gateway, trust)
        await listener
        await call.hang_up()
        record = await gateway.record(await call.record_id())
    assert record["cause"] == "hangup"
    assert record["media"]["browser"]["rx_lost"] == 0
    await gateway.is_idle()
    assert resident(gateway.program.pid) - memory < MEMORY
    # what is cut off is closed within 10 s
    await eventually(lambda: gateway.program.descriptors() <= descriptors + 8, timeout_s=30)


async def login(gateway: GatewayProcess, trust: ssl.SSLContext | None = None) -> None:
    """Somebody else logs in; that must be quick."""
    began = time.monotonic()
    async with page_at(gateway.signal_url, user="alice", trust=trust):
        assert time.monotonic() - began < LOGIN_S


async def visit(gateway: GatewayProcess) -> ClientConnection:
    """The attacker's WebSocket."""
    return await connect(gateway.signal_url, compression=None, local_addr=(ATTACKER, 0))


def calls_of(gateway: GatewayProcess, user: str) -> set[str]:
    """The newest calls of a user, by the names of their records."""
    return {record["id"] for record in gateway.ask("calls?limit=500")["calls"] if record["user"] == user}


# --- floods ------------------------------------------------------------------------------------------------------


async def flood_once(gateway: GatewayProcess) -> int | None:
    """Log in, send as fast as possible until cut off; the close code."""
    connection = await visit(gateway)
    try:
        await connection.send(HELLO)
        for number in range(1000):
            await connection.send(json.dumps({"type": "ping", "sequence": number}))
        async with asyncio.timeout(10):
            while True:
                await connection.recv()
    except ConnectionClosed:
        return connection.close_code
    finally:
        await connection.close()


async def test_floods_of_messages_that_come_back_again_and_again(besieged: GatewayProcess, speech: Speech) -> None:
    async with attack(besieged, speech):
        for _ in range(3):
            codes = await asyncio.gather(*(flood_once(besieged) for _ in range(10)))
            assert set(codes) <= {1008, 1006}, codes  # 1006: our own writes failed before we could read the reason
            await login(besieged)


async def flood_of_calls(gateway: GatewayProcess) -> None:
    """One page that calls as often as a page may, and comes back whenever it is cut off."""
    call = {"type": "call.start", "to": "noanswer", "sdp": CHROMIUM_OFFER}
    while True:
        with contextlib.suppress(ConnectionClosed):
            async with await visit(gateway) as connection:
                await connection.send(HELLO)
                for number in itertools.count():
                    await connection.send(json.dumps(call | {"call": f"c{number}"}))
                    await asyncio.sleep(1 / MESSAGES_PER_S)


async def test_a_login_on_as_many_pages_as_it_may_have_holds_up_nobody_else(
    besieged: GatewayProcess, speech: Speech
) -> None:
    before = calls_of(besieged, "bob")
    async with attack(besieged, speech):
        pages = LimitSettings().user_pages
        floods = [asyncio.create_task(flood_of_calls(besieged)) for _ in range(pages)]
        await eventually(lambda: besieged.ask("status")["calls"] >= 10)  # bob's limit; all further ones are refused
        for _ in range(3):
            await login(besieged)
            async with page_at(besieged.signal_url, user="alice") as page:
                call = await page.call_without_audio("echo")
                await call.answered(CALL_S)
                await call.hang_up()
        for flood in floods:
            flood.cancel()
        await asyncio.gather(*floods, return_exceptions=True)
    records = [besieged.ask(f"calls/{record}") for record in calls_of(besieged, "bob") - before]
    assert 1 <= [record["cause"] for record in records].count("limit") <= 2, "refusals share their record"


async def pings_whose_pongs_nobody_reads(gateway: GatewayProcess) -> None:
    loop = asyncio.get_running_loop()
    pings = frame(bytes(125), opcode=9) * 200
    for hello in [b"", frame(HELLO.encode())] * 5:
        connection = await upgraded(gateway, receive_buffer=4096)
        with contextlib.suppress(ConnectionError):
            await loop.sock_sendall(connection, hello)
            for _ in range(500):  # 13 MB
                await loop.sock_sendall(connection, pings)
        assert await is_closed(connection)


async def endless_fragments(gateway: GatewayProcess) -> None:
    loop = asyncio.get_running_loop()
    for payload in (b"", b"x" * 125):
        connection = await upgraded(gateway)
        await loop.sock_sendall(connection, b"\x01" + frame(b"")[1:])  # a text message begins, and does not end
        continuation = b"\0" + frame(payload)[1:]
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                await loop.sock_sendall(connection, continuation * 200)
        assert await is_closed(connection)


@pytest.mark.parametrize(("flood", "connections"), [(pings_whose_pongs_nobody_reads, 10), (endless_fragments, 2)])
async def test_floods_of_frames_that_are_no_messages(
    besieged: GatewayProcess, speech: Speech, flood: Callable[[GatewayProcess], Awaitable[None]], connections: int
) -> None:
    before = besieged.program.log.count(CUT_OFF)
    async with attack(besieged, speech):
        await flood(besieged)
        await eventually(lambda: besieged.program.log.count(CUT_OFF) == before + connections)


async def test_clients_that_make_calls_and_never_read(besieged: GatewayProcess, speech: Speech) -> None:
    loop = asyncio.get_running_loop()
    offer = {"type": "call.start", "to": "busy", "sdp": CHROMIUM_OFFER}
    before = calls_of(besieged, "bob")
    async with attack(besieged, speech):
        readers = [await upgraded(besieged, receive_buffer=2048) for _ in range(5)]
        for connection in readers:
            await loop.sock_sendall(connection, frame(HELLO.encode()))
        await eventually(lambda: besieged.ask("status")["sessions"] == 1 + len(readers))
        for connection in readers:
            with contextlib.suppress(ConnectionError):
                for number in range(400):  # far more than may come at once
                    await loop.sock_sendall(connection, frame(json.dumps(offer | {"call": f"c{number}"}).encode()))
        assert all([await is_closed(connection) for connection in readers])
    assert len(calls_of(besieged, "bob") - before) >= 10, "they did call"


# --- half open ---------------------------------------------------------------------------------------------------


HALVES: Final = {
    "tcp": b"",
    "http": b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    "second-request": b"GET /settings.json HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n",
    "body": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n",
    "websocket": UPGRADE,
}


async def most_are_refused(gateway: GatewayProcess, before: int, kept: int) -> None:
    """Wait until fewer descriptors than so many are more than before, for less time than any connection has."""
    await eventually(lambda: gateway.program.descriptors() - before < kept, timeout_s=5)


async def test_thousands_of_half_open_connections(besieged: GatewayProcess, speech: Speech) -> None:
    async with attack(besieged, speech):
        before = besieged.program.descriptors()
        for words in HALVES.values():
            connections = await asyncio.gather(*(raw(besieged, words) for _ in range(500)))
            await login(besieged)
            await most_are_refused(besieged, before, 300)
            for connection in connections:
                connection.close()
            await eventually(lambda: besieged.program.descriptors() < before + 8)


async def over_tls(gateway: GatewayProcess, words: bytes, trust: ssl.SSLContext) -> asyncio.StreamWriter | None:
    """The same once the TLS handshake is done, if the gateway lets it be done."""
    try:
        _, writer = await asyncio.open_connection(HOST, port_of(gateway), ssl=trust, local_addr=(ATTACKER, 0))
        writer.write(words)
    except OSError:  # ssl.SSLError is one
        return None
    return writer


CLIENT_HELLO: Final = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
"""The beginning of one (RFC 8446 §4.1.2)."""


async def test_hundreds_of_connections_that_never_finish_tls(
    besieged_over_tls: tuple[GatewayProcess, ssl.SSLContext], speech: Speech
) -> None:
    gateway, trust = besieged_over_tls
    async with attack(gateway, speech, trust):
        before = gateway.program.descriptors()
        connections = await asyncio.gather(*(raw(gateway, words) for words in [b"", CLIENT_HELLO] * 250))
        await login(gateway, trust)
        await most_are_refused(gateway, before, PER_ADDRESS + 8)
        assert all(await asyncio.gather(*map(is_closed, connections)))
        await eventually(lambda: gateway.program.descriptors() < before + 8)


async def test_hundreds_of_half_open_connections_over_tls(
    besieged_over_tls: tuple[GatewayProcess, ssl.SSLContext], speech: Speech
) -> None:
    gateway, trust = besieged_over_tls
    async with attack(gateway, speech, trust):
        before = gateway.program.descriptors()
        for words in HALVES.values():
            connections = await asyncio.gather(*(over_tls(gateway, words, trust) for _ in range(120)))
            await login(gateway, trust)
            await most_are_refused(gateway, before, PER_ADDRESS + 8)
            for connection in filter(None, connections):
                connection.transport.abort()
            await eventually(lambda: gateway.program.descriptors() < before + 8)


ADDRESSES: Final = 20
EACH: Final = 60
"""Fewer than one address may have, more in all than may wait."""


@pytest.mark.parametrize("words", [HALVES["http"], HALVES["websocket"]], ids=["http", "websocket"])
async def test_half_open_connections_from_many_addresses(besieged: GatewayProcess, words: bytes) -> None:
    """However many wait, the next one who is not of the crowd comes in."""
    before = besieged.program.descriptors()
    crowd: list[socket.socket] = []
    for number in range(ADDRESSES):
        source = f"127.0.66.{number + 1}"
        crowd += await asyncio.gather(*(raw(besieged, words, source=source) for _ in range(EACH)))
        if number % 10 == 9:
            async with page_at(besieged.signal_url, user="alice"):
                pass
    await eventually(lambda: besieged.program.descriptors() - before < IN_ALL + 50, timeout_s=CLOSE_REPLY_S + 5)
    for connection in crowd:
        connection.close()
    await eventually(lambda: besieged.program.descriptors() < before + 8)


async def test_half_open_connections_are_cut_off_in_time(besieged: GatewayProcess) -> None:
    connections = [await raw(besieged, words) for words in HALVES.values()]
    assert all(await asyncio.gather(*map(is_closed, connections)))


# --- out of state ------------------------------------------------------------------------------------------------


async def refused(page: PageLike, **message: Any) -> str:
    """The message must cost an error and nothing else; what it says."""
    await page.send(message)
    error = await (page.calls[message["call"]].until("error") if message["call"] in page.calls else page.error())
    assert error["type"] == "error", error
    return str(error["message"])


async def test_messages_out_of_state_cost_an_error_and_no_call(besieged: GatewayProcess, speech: Speech) -> None:
    async with attack(besieged, speech), page_at(besieged.signal_url, user="bob") as page:
        assert await refused(page, type="call.accept", call="none", sdp=CHROMIUM_OFFER) == "There is no call none."
        assert await refused(page, type="call.offer", call="none", sdp=CHROMIUM_OFFER) == "There is no call none."
        call = await page.call("noanswer", speech)
        await call.until("call.progress")
        assert "does not ring" in await refused(page, type="call.accept", call=call.name, sdp=CHROMIUM_OFFER)
        call.messages.clear()
        assert await refused(page, type="call.offer", call=call.name, sdp="v=0\r\n")
        call.messages.clear()
        again = {"type": "call.start", "call": call.name, "to": "echo", "sdp": CHROMIUM_OFFER}
        assert "already" in await refused(page, **again)
        await page.send({"type": "call.dtmf", "call": call.name, "digits": "1"})
        for _ in range(20):
            await page.send({"type": "call.offer", "call": call.name, "sdp": CHROMIUM_OFFER})
        assert (await call.hang_up())["cause"] == "cancelled"
        for kind in ("call.hangup", "call.reject", "call.dtmf"):
            digits = {"digits": "1"} if kind == "call.dtmf" else {}
            page.calls.pop(call.name, None)
            assert "no call" in await refused(page, type=kind, call=call.name, **digits)
    assert (await besieged.is_idle())["media"]["legs"] == 0


async def test_a_call_that_is_accepted_twice_is_accepted_once(besieged: GatewayProcess, speech: Speech) -> None:
    async with page_at(besieged.signal_url, user="bob") as page, page_at(besieged.signal_url, user="bob") as other:
        outgoing = await page.call_without_audio("callback")
        await outgoing.answered()
        (_, first), (_, second) = await page.rings(30), await other.rings(30)
        accept = {"type": "call.accept", "sdp": CHROMIUM_OFFER}
        await asyncio.gather(page.send(accept | {"call": first.name}), page.send(accept | {"call": first.name}))
        await first.until("call.answered")
        assert "does not ring" in (await first.until("error"))["message"]
        assert (await second.ended())["cause"] == "answered-elsewhere"
        assert await refused(other, type="call.dtmf", call="late", digits="1") == "There is no call late."
        await first.hang_up()


async def test_calls_beyond_the_limit_are_refused_to_their_user_alone(besieged: GatewayProcess, speech: Speech) -> None:
    async with attack(besieged, speech), page_at(besieged.signal_url, user="bob") as page:
        calls = [await page.call_without_audio("noanswer") for _ in range(40)]
        over = [await call.ended() for call in calls[10:]]
        assert {ended["cause"] for ended in over} == {"limit"}
        assert over[0]["sentence"] == "User bob has 10 outgoing calls at once already, which is the limit."
        assert besieged.ask("status")["calls"] <= 11
        for call in calls[:10]:
            await call.hang_up()
