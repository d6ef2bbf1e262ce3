"""Who gets in: tokens, origins, and what a token allows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import jwt
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from gateway.auth import make_token
from tests.harness.gateway import GatewayProcess, demo_settings
from tests.harness.pagelike import Message, page_at

pytestmark = pytest.mark.interop

KEY = "a key of thirty-two characters and more"
PAGES = 5


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    directory = tmp_path_factory.mktemp("guarded")
    settings = demo_settings(directory, auth={"mode": "jwt", "key": KEY}, limits={"user_pages": PAGES})
    gateway = GatewayProcess(directory, settings, demo=True)
    yield gateway
    gateway.stop()


async def refusal(gateway: GatewayProcess, **hello: Any) -> tuple[Message, int | None]:
    """What the gateway says to a hello that it refuses, and its close code."""
    async with connect(gateway.signal_url, compression=None) as socket:
        await socket.send(json.dumps({"type": "hello", "version": 1, **hello}))
        error = json.loads(await socket.recv())
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        return error, socket.close_code


def forged(**changes: Any) -> str:
    claims = {"sub": "alice", "exp": 4_000_000_000, **changes}
    return jwt.encode({key: value for key, value in claims.items() if value is not None}, KEY, algorithm="HS256")


@pytest.mark.parametrize(
    ("hello", "sentence"),
    [
        ({}, "This gateway asks for a token."),
        ({"user": "alice"}, "This gateway asks for a token."),
        ({"token": make_token(KEY, "alice", ttl_s=-60)}, "The token has expired."),
        ({"token": make_token(KEY[::-1], "alice", ttl_s=60)}, "The token was not signed with this gateway's key."),
        ({"token": forged(exp=None)}, "exp"),
        ({"token": jwt.encode({"sub": "alice", "exp": 4_000_000_000}, "", algorithm="none")}, "token cannot be used"),
        ({"token": "rubbish"}, "The token cannot be used"),
        ({"session": "rubbish"}, "This gateway asks for a token."),
    ],
    ids=["missing", "name-only", "expired", "forged", "endless", "unsigned", "rubbish", "unknown-session"],
)
async def test_who_has_no_good_token_stays_outside(
    guarded: GatewayProcess, hello: dict[str, str], sentence: str
) -> None:
    before = await asyncio.to_thread(guarded.ask, "status")
    error, code = await refusal(guarded, **hello)
    assert (error["type"], error["code"], code) == ("error", "unauthorized", 1008)
    assert sentence in error["message"]
    after = await asyncio.to_thread(guarded.ask, "status")
    assert (after["sessions"], after["media"]) == (before["sessions"], before["media"])


async def test_a_token_of_the_command_line_lets_in_and_calls(guarded: GatewayProcess) -> None:
    token = await asyncio.to_thread(guarded.command, "token", "--user", "bob")
    async with page_at(guarded.signal_url, token=token) as page:
        assert (page.welcome["user"], page.welcome["display"]) == ("bob", "Bob")
        call = await page.call("echo")
        await call.answered()
        await call.hang_up()


async def test_a_token_limits_where_one_may_call(guarded: GatewayProcess) -> None:
    async with page_at(guarded.signal_url, token=make_token(KEY, "alice", ttl_s=60, allow=("music",))) as page:
        ended = await (await page.call_without_audio("echo")).ended()
        assert (ended["cause"], ended["sentence"]) == ("not-allowed", "Your login does not allow calls to echo.")
        assert ended["hint"]
        call = await page.call_without_audio("music")
        await call.until("call.answered")
        await call.hang_up()


async def test_a_token_limits_how_long_a_call_lasts(guarded: GatewayProcess) -> None:
    async with page_at(guarded.signal_url, token=make_token(KEY, "alice", ttl_s=60, max_call_s=1)) as page:
        call = await page.call_without_audio("music")
        await call.answered()
        assert (await call.ended())["cause"] == "limit"


async def test_a_page_of_another_origin_is_refused(guarded: GatewayProcess) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(guarded.signal_url, origin=Origin("https://evil.example"), compression=None)
    assert refused.value.response.status_code == 403


async def test_one_login_opens_only_so_many_pages(guarded: GatewayProcess) -> None:
    token = make_token(KEY, "alice", ttl_s=60)
    async with AsyncExitStack() as stack:
        pages = [await stack.enter_async_context(page_at(guarded.signal_url, token=token)) for _ in range(PAGES)]
        error, code = await refusal(guarded, token=token)
        assert (error["code"], code) == ("unauthorized", 1008)
        assert error["message"] == f"User alice has {PAGES} pages open already, which is the limit."
        assert "`limits.user_pages`" in error["hint"]
        async with page_at(guarded.signal_url, token=make_token(KEY, "bob", ttl_s=60)):
            pass
        call = await pages[0].call_without_audio("echo")
        await call.answered()
        await call.hang_up()
