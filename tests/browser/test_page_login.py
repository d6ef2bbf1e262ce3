"""Logging in with a token (jwt mode), in the address, in the dialog, or not at all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from gateway.auth import make_token
from tests.harness.chromium import Chromium
from tests.harness.gateway import GatewayProcess, settings_for

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

KEY = "a key of thirty-two characters and more"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    directory = tmp_path_factory.mktemp("guarded")
    gateway = GatewayProcess(directory, settings_for(directory, auth={"mode": "jwt", "key": KEY}))
    yield gateway
    gateway.stop()


def token_for(user: str, ttl_s: float = 60, key: str = KEY) -> str:
    return make_token(key, user, ttl_s=ttl_s)


async def test_a_token_in_the_address_logs_in_and_leaves_the_address(
    browser: Chromium, guarded: GatewayProcess
) -> None:
    async with browser.phone(f"{guarded.page_url}#token={token_for('alice')}") as phone:
        await phone.online()
        assert "token" not in phone.page.url
        await expect(phone.page.locator("#line-text")).to_have_text("Online as Alice")


async def test_a_token_can_be_pasted(browser: Chromium, guarded: GatewayProcess) -> None:
    async with browser.phone(guarded.page_url) as phone:
        await phone.part("token").fill(token_for("bob"))
        await phone.part("login").click()
        await phone.online()


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (token_for("alice", ttl_s=-60), "The token has expired."),
        (token_for("alice", key="another key of thirty-two characters"), "The token was not signed"),
    ],
    ids=["expired", "forged"],
)
async def test_a_bad_token_is_refused_with_the_reason(
    browser: Chromium, guarded: GatewayProcess, token: str, reason: str
) -> None:
    async with browser.phone(f"{guarded.page_url}#token={token}") as phone:
        await expect(phone.page.locator("#login-reason")).to_contain_text(reason)
        await expect(phone.page.locator("#line")).to_have_attribute("data-line", "refused")
