"""Every limit through the real gateway: the sentence says which one, the hint who can raise it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.auth import make_token
from tests.harness.gateway import GatewayProcess, demo_settings, settings_for, trunk_to
from tests.harness.pagelike import PageCall, PageLike, page_at
from tests.harness.patience import eventually
from tests.harness.ports import free_port
from tests.harness.sipp import Sipp, ack_of_refusal, expect_status, invite, sdp

pytestmark = pytest.mark.interop

KEY: Final = "a key that only these tests know, 32 or more"
NO_LIMITS: Final = {"user_calls": 0, "user_calls_per_minute": 0, "user_minutes_per_day": 0, "calls": 0}
NO_TRUNK_LIMITS: Final = {"max_calls": 0, "max_calls_per_minute": 0, "max_minutes_per_day": 0}
A_SECOND: Final = 1 / 60
"""Minutes."""
Start = Callable[..., GatewayProcess]


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Start]:
    """A gateway with the demo phone and only the limits that a test gives."""
    running: list[GatewayProcess] = []

    def start(limits: dict[str, Any] | None = None, trunk: dict[str, Any] | None = None) -> GatewayProcess:
        numbers = ["echo", "music", "noanswer", "busy", "callback"]
        demo = trunk_to(free_port(), numbers, **(NO_TRUNK_LIMITS | (trunk or {})))
        settings = demo_settings(
            tmp_path,
            trunk={"demo": demo},
            limits=NO_LIMITS | (limits or {}),
            auth={"mode": "jwt", "key": KEY},
        )
        running.append(GatewayProcess(tmp_path, settings, demo=True))
        return running[-1]

    yield start
    for each in running:
        each.stop()


def token(user: str, **claims: Any) -> str:
    return make_token(KEY, user, ttl_s=600, **claims)


def shown(gateway: GatewayProcess) -> list[dict[str, Any]]:
    """The calls as `webtrunk calls` gets them, newest first."""
    return list(gateway.ask("calls")["calls"])


async def refused_by_limit(gateway: GatewayProcess, page: PageLike, sentence: str, setting: str) -> None:
    """One more call must be refused with these words, on the page, in the record and on the command line."""
    ended = await (await page.call_without_audio("echo")).ended()
    assert (ended["cause"], ended["sip_status"], ended["sentence"]) == ("limit", 503, sentence)
    assert ended["hint"] == f"Whoever runs the gateway can raise `{setting}`."
    await eventually(lambda: sentence in [call["sentence"] for call in shown(gateway)])
    record = next(call for call in await asyncio.to_thread(shown, gateway) if call["sentence"] == sentence)
    assert (record["cause"], record["sip_status"], record["hint"]) == ("limit", 503, ended["hint"])
    table = await asyncio.to_thread(gateway.command, "calls")
    assert sentence in table
    page_of_call = await asyncio.to_thread(gateway.command, "call", record["id"])
    assert "(limit, SIP status 503)" in page_of_call
    assert setting in page_of_call


async def ringing(page: PageLike) -> PageCall:
    """A call that nobody answers."""
    call = await page.call_without_audio("noanswer")
    await call.until("call.progress")
    return call


@pytest.mark.parametrize(
    ("limits", "trunk", "sentence", "setting"),
    [
        ({"calls": 2}, {}, "The gateway has 2 calls at once already, which is the limit.", "limits.calls"),
        (
            {"user_calls": 2},
            {},
            "User alice has 2 outgoing calls at once already, which is the limit.",
            "limits.user_calls",
        ),
        (
            {"user_calls_per_minute": 2},
            {},
            "User alice has made 2 calls within a minute, which is the limit.",
            "limits.user_calls_per_minute",
        ),
        (
            {},
            {"max_calls": 2},
            "Trunk demo has 2 calls at once already, which is the limit.",
            "trunk.demo.max_calls",
        ),
        (
            {},
            {"max_calls_per_minute": 2},
            "Trunk demo has had 2 calls within a minute, which is the limit.",
            "trunk.demo.max_calls_per_minute",
        ),
    ],
    ids=["gateway at once", "user at once", "user a minute", "trunk at once", "trunk a minute"],
)
async def test_a_third_call_is_one_too_many(
    limited: Start, limits: dict[str, Any], trunk: dict[str, Any], sentence: str, setting: str
) -> None:
    gateway = limited(limits, trunk)
    async with AsyncExitStack() as stack:
        pages = [await stack.enter_async_context(page_at(gateway.signal_url, token=token("alice"))) for _ in range(2)]
        first, second = [await ringing(page) for page in pages]
        await refused_by_limit(gateway, pages[0], sentence, setting)
        for call in (first, second):
            await call.hang_up()
            await gateway.record(await call.record_id())  # it counts until the trunk has let go of it, too
        if "minute" in sentence:
            await refused_by_limit(gateway, pages[1], sentence, setting)
        else:
            await (await ringing(pages[1])).hang_up()
        if sentence.startswith("User"):
            other = await stack.enter_async_context(page_at(gateway.signal_url, token=token("bob")))
            await (await ringing(other)).hang_up()


async def test_a_call_that_comes_in_uses_up_nothing_of_the_users(limited: Start) -> None:
    gateway = limited({"user_calls": 2, "user_calls_per_minute": 2}, {})
    async with page_at(gateway.signal_url, token=token("alice")) as page:
        first = await page.call_without_audio("callback")
        await page.rings(30)
        await ringing(page)
        sentence = "User alice has made 2 calls within a minute, which is the limit."
        await first.hang_up()
        await gateway.record(await first.record_id())
        await refused_by_limit(gateway, page, sentence, "limits.user_calls_per_minute")


@pytest.mark.parametrize(
    ("limits", "trunk", "sentence", "setting"),
    [
        (
            {"user_minutes_per_day": A_SECOND},
            {},
            "User alice has used the {} of outgoing calls of a day.",
            "limits.user_minutes_per_day",
        ),
        (
            {},
            {"max_minutes_per_day": A_SECOND},
            "Trunk demo has used the {} of calls of a day.",
            "trunk.demo.max_minutes_per_day",
        ),
    ],
    ids=["user", "trunk"],
)
async def test_minutes_that_are_used_up_end_the_call_and_refuse_the_next(
    limited: Start, limits: dict[str, Any], trunk: dict[str, Any], sentence: str, setting: str
) -> None:
    gateway = limited(limits, trunk)
    async with page_at(gateway.signal_url, token=token("alice")) as page:
        call = await page.call_without_audio("echo")
        await call.answered()
        ended = await call.ended()
        assert (ended["cause"], ended["sentence"]) == ("limit", sentence.format("0.02 minutes"))
        assert f"`{setting}`" in ended["hint"]
        record = await gateway.record(await call.record_id())
        assert record["cause"] == "limit"
        assert 0.9 < record["ended_at"] - record["answered_at"] < 5
        await refused_by_limit(gateway, page, sentence.format("0.02 minutes"), setting)


async def test_calls_at_once_share_the_minutes_of_their_user(limited: Start) -> None:
    seconds = 3
    gateway = limited({"user_minutes_per_day": seconds * A_SECOND})
    async with page_at(gateway.signal_url, token=token("alice")) as page:
        calls = [await page.call_without_audio("echo") for _ in range(3)]
        for call in calls:
            await call.answered()
        for call in calls:
            assert (await call.ended())["cause"] == "limit"
        records = [await gateway.record(await call.record_id()) for call in calls]
    talked_s = sum(record["ended_at"] - record["answered_at"] for record in records)
    assert seconds - 0.5 < talked_s < 2 * seconds, "each for itself they would have had three times as much"


async def test_a_token_says_where_and_how_long(limited: Start) -> None:
    gateway = limited()
    claims = {"allow": ("echo",), "max_call_s": 1}
    async with page_at(gateway.signal_url, token=token("alice", **claims)) as page:
        refused = await (await page.call_without_audio("music")).ended()
        assert refused["cause"] == "not-allowed"
        assert "login" in refused["sentence"] + refused["hint"] or "token" in refused["sentence"] + refused["hint"]
        call = await page.call_without_audio("echo")
        await call.answered()
        ended = await call.ended()
        assert (ended["cause"], ended["sentence"]) == ("limit", "The call reached the 1 s that your login allows.")
        assert ended["hint"] == "Whoever issues your tokens can raise `max_call_s`."


async def test_a_trunk_that_calls_too_often_gets_503(tmp_path: Path) -> None:
    port = free_port()
    settings = settings_for(tmp_path, trunk={"sipp": trunk_to(port, ["sipp"], max_calls_per_minute=1)})
    gateway = GatewayProcess(tmp_path, settings)
    async with page_at(gateway.signal_url, user="alice") as page:
        first = await page.call_without_audio("sipp")
        await first.hang_up()
        trying = expect_status(100, optional=True)
        steps = (invite(sdp()), trying, expect_status(503), ack_of_refusal())
        peer = Sipp(tmp_path, "caller", steps, port=port, remote=gateway.sip_port, user="alice")
        await peer.succeeds()
        assert page.incoming.empty()
        await eventually(lambda: "incoming" in [call["direction"] for call in shown(gateway)])
    record = next(call for call in shown(gateway) if call["direction"] == "incoming")
    assert (record["cause"], record["sip_status"]) == ("limit", 503)
    assert record["sentence"] == "Trunk sipp has had 1 call within a minute, which is the limit."
    gateway.stop()


async def test_the_limits_that_nobody_set_are_on(tmp_path: Path) -> None:
    settings = demo_settings(tmp_path)
    del settings["limits"]
    gateway = GatewayProcess(tmp_path, settings, demo=True)
    async with page_at(gateway.signal_url, user="alice") as page:
        calls = [await ringing(page) for _ in range(4)]
        sentence = "User alice has 4 outgoing calls at once already, which is the limit."
        await refused_by_limit(gateway, page, sentence, "limits.user_calls")
        for call in calls:
            await call.hang_up()
    gateway.stop()
