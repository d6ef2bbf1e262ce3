"""The signalling socket as a page sees it: the real application on uvicorn, a real client on loopback."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from jsonschema import Draft202012Validator
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from call.errors import GatewayError, PeerError, PolicyError
from call.tokenbucket import TokenBuckets
from webrtc import signalling, websocket
from webrtc.lobby import Lobby
from webrtc.signalling import MAX_MESSAGE_BYTES
from webrtc.websocket import Peer, is_origin_allowed, serve_socket

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "signalling.schema.json").read_text())
SERVER_SCHEMA = Draft202012Validator(SCHEMA | {"anyOf": [{"$ref": "#/$defs/ServerMessage"}]})
OWN = "https://phone.example.com"
HELLO = '{"type": "hello"}'
DTMF = '{"type": "call.dtmf", "call": "c", "digits": "1"}'


@dataclass
class Guest:
    """Somebody who was let in: keeps what came, and does what the test says."""

    peer: Peer
    messages: list[signalling.ClientMessage] = field(default_factory=list)
    act: Callable[[Peer], None] = lambda peer: None
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    words_left: int = 1000

    def may_speak(self) -> bool:
        self.words_left -= 1
        return self.words_left >= 0

    def handle(self, message: signalling.ClientMessage) -> None:
        self.messages.append(message)
        self.act(self.peer)

    def lost(self, peer: Peer) -> None:
        assert peer is self.peer
        self.gone.set()


@dataclass
class House:
    """A gateway's door, and the server it stands in."""

    port: int = 0
    guests: list[Guest] = field(default_factory=list)
    act: Callable[[Peer], None] = lambda peer: None
    refusal: Exception | None = None
    lobby: Lobby = field(default_factory=lambda: Lobby(per_address=3))
    arrivals: TokenBuckets = field(default_factory=lambda: TokenBuckets(rate=0.001, burst=10.0))

    async def door(self, hello: signalling.Hello, peer: Peer) -> Guest:
        if self.refusal is not None:
            raise self.refusal
        self.guests.append(Guest(peer, act=self.act))
        peer.send(signalling.Welcome(hello.user, "", "key", False, 30.0, 15.0))
        return self.guests[-1]

    def connect(self, origin: str | None = OWN) -> connect:
        given = Origin(origin) if origin else None
        return connect(f"ws://127.0.0.1:{self.port}/signal", origin=given, ping_interval=None, proxy=None)

    @asynccontextmanager
    async def page(self) -> AsyncIterator[ClientConnection]:
        """A page that is logged in."""
        async with self.connect() as client:
            await client.send(HELLO)
            assert (await receive(client))["type"] == "welcome"
            yield client


async def receive(client: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(await client.recv())
    SERVER_SCHEMA.validate(message)
    return message


async def closing(client: ClientConnection) -> tuple[list[dict[str, Any]], int | None, str]:
    """Everything that still comes, and how the server closes."""
    messages = []
    try:
        async with asyncio.timeout(5):
            while True:
                messages.append(await receive(client))
    except ConnectionClosed:
        return messages, client.close_code, client.close_reason or ""


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()

    async def signal(accepted: WebSocket) -> None:
        await serve_socket(accepted, house.door, {OWN}, house.lobby, house.arrivals)

    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # so that a test can fill it
    listener.bind(("127.0.0.1", 0))
    house.port = listener.getsockname()[1]
    config = uvicorn.Config(
        Starlette(routes=[WebSocketRoute("/signal", signal)]),
        ws="websockets-sansio",
        ws_max_size=MAX_MESSAGE_BYTES,
        lifespan="off",
        log_config=None,
        timeout_graceful_shutdown=1,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup([listener])
    yield house
    await server.shutdown([listener])


# -- coming in ----------------------------------------------------------------------------------------


async def test_hello_lets_a_page_in_and_its_messages_arrive(house: House) -> None:
    async with house.page() as client:
        await client.send(DTMF)
        await client.send('{"type": "ping", "sequence": 3}')
        assert await receive(client) == {"type": "pong", "sequence": 3}
        assert house.guests[0].messages == [signalling.CallDtmf("c", "1")]


async def test_address_that_comes_again_and_again_is_refused_before_the_handshake(house: House) -> None:
    for _ in range(10):
        async with house.page():
            pass
    with pytest.raises(InvalidStatus) as caught:
        await house.connect()
    assert caught.value.response.status_code == 403
    assert len(house.guests) == 10


async def test_message_in_a_binary_frame_counts_as_well(house: House) -> None:
    async with house.page() as client:
        await client.send(DTMF.encode())
        await client.send(b'{"type": "ping"}')
        assert (await receive(client))["type"] == "pong"
        assert house.guests[0].messages == [signalling.CallDtmf("c", "1")]


async def test_page_of_another_site_is_refused_before_the_handshake(house: House) -> None:
    with pytest.raises(InvalidStatus) as caught:
        await house.connect("https://evil.example.com")
    assert caught.value.response.status_code == 403
    assert house.guests == []


async def test_client_that_is_no_browser_needs_no_origin(house: House) -> None:
    async with house.connect(origin=None) as client:
        await client.send(HELLO)
        assert (await receive(client))["type"] == "welcome"


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [(OWN, True), (None, True), ("null", False), (OWN + ".evil.com", False), (OWN.upper(), False), ("", False)],
)
def test_origins_are_compared_exactly(origin: str | None, allowed: bool) -> None:
    assert is_origin_allowed(origin, {OWN}) is allowed


@pytest.mark.parametrize(
    ("first", "words"),
    [
        ("GET / HTTP/1.1", "Invalid JSON"),
        (b"\x16\x03\x01\xff", "Invalid JSON"),
        (DTMF, "The first message must be hello."),
        ('{"type": "hello", "version": 2}', "Version 2 is not spoken here, only 1."),
    ],
    ids=["garbage", "binary garbage", "another message", "another version"],
)
async def test_wrong_beginning_is_told_and_closed(house: House, first: str | bytes, words: str) -> None:
    async with house.connect() as client:
        await client.send(first)
        messages, code, _ = await closing(client)
    assert [(m["type"], m["code"]) for m in messages] == [("error", "bad-message")]
    assert words in messages[0]["message"]
    assert code == websocket.POLICY_VIOLATION
    assert house.guests == []


async def test_silent_visitor_is_shown_out(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "HELLO_TIMEOUT_S", 0.01)
    async with house.connect() as client:
        messages, code, _ = await closing(client)
    assert "No hello came" in messages[0]["message"]
    assert code == websocket.POLICY_VIOLATION


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (PolicyError("The token has expired.", hint="Ask for a new one."), "unauthorized"),
        (PeerError("The token has expired.", hint="Ask for a new one."), "bad-message"),
    ],
)
async def test_refused_login_is_told_in_words(house: House, refusal: GatewayError, code: str) -> None:
    house.refusal = refusal
    async with house.connect() as client:
        await client.send(HELLO)
        messages, close_code, reason = await closing(client)
    error = {"type": "error", "code": code, "message": "The token has expired.", "hint": "Ask for a new one."}
    assert messages == [error | {"call": None}]
    assert (close_code, reason) == (websocket.POLICY_VIOLATION, code)


async def test_bug_in_the_door_closes_the_socket_and_is_logged(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.refusal = KeyError("a bug")
    async with house.connect() as client:
        await client.send(HELLO)
        messages, code, _ = await closing(client)
    assert (messages, code) == ([], websocket.GOING_AWAY)
    assert any(record.exc_info for record in caplog.records if record.levelno == logging.ERROR)


# -- talking ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "frame",
    ["no json", b"\xff\x00\xfe", "", "{nope", '{"type": "ping"', b'{"a": "\xff"}', "[{}]", '{"a": ' + "[" * 5000],
    ids=["text", "binary", "empty", "broken", "cut off", "not UTF-8", "list", "deep"],
)
async def test_garbage_is_told_and_closes_the_socket(house: House, frame: str | bytes) -> None:
    async with house.page() as client:
        await client.send(frame)
        messages, code, _ = await closing(client)
    assert [m["code"] for m in messages] == ["bad-message"]
    assert code == websocket.POLICY_VIOLATION
    await house.guests[0].gone.wait()


async def test_too_long_a_frame_closes_with_1009(house: House) -> None:
    async with house.page() as client:
        await client.send('"' + "x" * MAX_MESSAGE_BYTES + '"')
        assert (await closing(client))[1] == 1009
    await house.guests[0].gone.wait()


async def test_text_that_is_not_utf8_closes_with_1007(house: House) -> None:
    async with house.page() as client:
        await client.send(b"\xff", text=True)
        assert (await closing(client))[1] == 1007


async def test_wrong_messages_of_a_real_client_are_forgiven_for_a_while(house: House) -> None:
    async with house.page() as client:
        for _ in range(websocket.MAX_MISTAKES - 1):
            await client.send('{"type": "call.teleport"}')
            assert (await receive(client))["code"] == "bad-message"
        await client.send('{"type": "ping"}')
        assert (await receive(client))["type"] == "pong"
        await client.send('{"type": "call.teleport"}')
        assert (await closing(client))[1] == websocket.POLICY_VIOLATION


@pytest.mark.parametrize(
    ("call", "named"), [('"p-1"', "p-1"), ("7", None), ('"no name"', None)], ids=["name", "number", "no name"]
)
async def test_wrong_message_for_a_call_is_told_with_its_name(house: House, call: str, named: str | None) -> None:
    async with house.page() as client:
        await client.send(f'{{"type": "call.start", "call": {call}, "to": "", "sdp": "v=0"}}')
        error = await receive(client)
    assert (error["code"], error["call"]) == ("bad-message", named)


async def test_too_many_messages_are_told_and_close_the_socket(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "BURST", 5)
    monkeypatch.setattr(websocket, "MESSAGES_PER_S", 0.001)
    async with house.page() as client:
        for _ in range(6):
            await client.send(DTMF)
        messages, code, _ = await closing(client)
    assert [m["code"] for m in messages] == ["too-many-messages"]
    assert code == websocket.POLICY_VIOLATION
    assert len(house.guests[0].messages) == 5


async def test_page_of_a_user_whose_pages_say_too_much_is_closed(house: House) -> None:
    async with house.page() as client:
        house.guests[0].words_left = 2
        for _ in range(3):
            await client.send(DTMF)
        messages, code, _ = await closing(client)
    assert [m["code"] for m in messages] == ["too-many-messages"]
    assert code == websocket.POLICY_VIOLATION
    assert len(house.guests[0].messages) == 2


@pytest.mark.parametrize(
    ("error", "code"), [(PeerError("There is no call c."), "refused"), (PolicyError("Not you."), "not-allowed")]
)
async def test_refused_message_names_its_call_and_the_socket_stays(
    house: House, error: GatewayError, code: str
) -> None:
    def refuse(_: Peer) -> None:
        raise error

    house.act = refuse
    async with house.page() as client:
        await client.send(DTMF)
        answer = await receive(client)
        assert (answer["code"], answer["call"], answer["message"]) == (code, "c", str(error))
        await client.send('{"type": "ping"}')
        assert (await receive(client))["type"] == "pong"


async def test_our_own_bug_costs_one_message_and_is_logged(house: House, caplog: pytest.LogCaptureFixture) -> None:
    def stumble(_: Peer) -> None:
        raise ZeroDivisionError

    house.act = stumble
    async with house.page() as client:
        await client.send(DTMF)
        answer = await receive(client)
        assert (answer["code"], answer["call"]) == ("internal", "c")
        await client.send('{"type": "ping"}')
        assert (await receive(client))["type"] == "pong"
    assert any(r.exc_info and r.exc_info[0] is ZeroDivisionError for r in caplog.records)


# -- leaving ------------------------------------------------------------------------------------------


async def test_page_that_leaves_is_reported(house: House) -> None:
    async with house.page():
        pass
    async with asyncio.timeout(5):
        await house.guests[0].gone.wait()
    assert not house.guests[0].peer.is_open


async def test_page_that_falls_silent_is_given_up(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "SILENCE_S", 0.01)
    async with house.page() as client:
        assert (await closing(client))[1] == websocket.GOING_AWAY
    assert house.guests[0].gone.is_set()


async def test_what_was_sent_before_a_close_arrives_before_it(house: House) -> None:
    def say_and_close(peer: Peer) -> None:
        for sequence in range(10):
            peer.send(signalling.Pong(sequence))
        peer.close(1000, "replaced")
        peer.send(signalling.Pong(99))

    house.act = say_and_close
    async with house.page() as client:
        await client.send(DTMF)
        messages, code, reason = await closing(client)
    assert [m["sequence"] for m in messages] == list(range(10))
    assert (code, reason) == (1000, "replaced")


async def test_page_that_cannot_keep_up_is_cut_off(house: House) -> None:
    def flood(peer: Peer) -> None:
        for sequence in range(websocket.SEND_QUEUE + 50):
            peer.send(signalling.Pong(sequence))

    house.act = flood
    async with house.page() as client:
        await client.send(DTMF)
        messages, code, reason = await closing(client)
    assert messages == []
    assert (code, reason) == (websocket.TRY_AGAIN_LATER, "reads too slowly")


async def test_page_that_does_not_read_at_all_is_let_go(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "GOODBYE_S", 0.01)

    def pour(peer: Peer) -> None:
        for _ in range(50):
            peer.send(signalling.CallAnswerSdp("c", "v" * 32_000, "r"))

    house.act = pour
    async with house.page() as client:
        client.transport.pause_reading()
        for _ in range(6):
            await client.send(DTMF)
        async with asyncio.timeout(5):
            await house.guests[0].gone.wait()
        client.transport.abort()
    assert not house.guests[0].peer.is_open
    assert house.guests[0].peer._outgoing.qsize() <= websocket.SEND_QUEUE


async def test_clients_that_never_say_hello_are_few_and_guests_do_not_count(house: House) -> None:
    async with house.page(), house.page(), house.connect(), house.connect(), house.connect() as last:
        assert house.lobby.waiting == 3
        with pytest.raises(InvalidStatus) as refused:
            await house.connect()
        assert refused.value.response.status_code == 403
        await last.send(HELLO)
        assert (await receive(last))["type"] == "welcome"
        async with house.page():
            assert house.lobby.waiting == 2
