import pytest
from starlette.types import ASGIApp, Message

from gateway.config import AuthSettings, ListenSettings, UserSettings
from gateway.site import make_site, own_origins
from tests.unit.asgi import get
from webrtc import signalling
from webrtc.websocket import Peer, Visitor

USERS = {"alice": UserSettings(), "bob": UserSettings()}


async def door(hello: signalling.Hello, peer: Peer) -> Visitor:
    raise NotImplementedError


def site(mode: str = "open", country: str = "") -> ASGIApp:
    auth = AuthSettings(mode="open") if mode == "open" else AuthSettings(mode="jwt", key="k" * 40)
    return make_site(door, origins=frozenset(), auth=auth, users=USERS, demo_numbers=("echo", "other"), country=country)


async def test_softphone_page_is_served_with_a_strict_policy() -> None:
    answer = await get(site(), "/")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "microphone=(self)" in answer.headers["permissions-policy"]


async def test_page_learns_what_it_may_offer_the_person() -> None:
    answer = await get(site(), "/settings.json")
    assert answer.json == {
        "title": "webtrunk",
        "auth": "open",
        "users": ["alice", "bob"],
        "tones": {},
        "demo": [{"to": "echo", "label": "Echo test"}, {"to": "other", "label": "other"}],
    }


async def test_names_of_users_are_no_business_of_strangers() -> None:
    assert (await get(site("jwt"), "/settings.json")).json["users"] == []


@pytest.mark.parametrize("path", ["/../pyproject.toml", "/%2e%2e/pyproject.toml", "/..%2fpyproject.toml", "/nothing"])
async def test_only_the_page_is_served(path: str) -> None:
    answer = await get(site(), path)
    assert answer.status in (400, 404)
    assert b"webtrunk" not in answer.body


@pytest.mark.parametrize(
    ("settings", "origins"),
    [
        (ListenSettings(), {"http://127.0.0.1:80", "http://localhost:80", "http://[::1]:80"}),
        (ListenSettings(host="0.0.0.0"), set()),
        (ListenSettings(host="192.0.2.1", origins=("https://a.example",)), {"https://a.example"}),
    ],
)
def test_own_origins_are_trusted_on_loopback_only(settings: ListenSettings, origins: set[str]) -> None:
    assert own_origins(settings, 80) == origins


async def test_page_learns_the_tones_of_its_country() -> None:
    tones = (await get(site(country="GB"), "/settings.json")).json["tones"]
    assert sorted(tones) == ["busy", "failed", "ringback"]
    assert tones["busy"] == [{"seconds": 0.375, "hertz": [400]}, {"seconds": 0.375, "hertz": []}]
    assert tones["ringback"][2] == {"seconds": 0.4, "hertz": [400, 450]}
    assert (await get(site(country="AQ"), "/settings.json")).json["tones"] == {}


async def test_socket_anywhere_else_is_refused_before_the_handshake() -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await site()({"type": "websocket", "path": "/elsewhere", "headers": []}, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]
