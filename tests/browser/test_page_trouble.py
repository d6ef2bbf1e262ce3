"""What the page says when a call cannot be: no microphone, a number that leads nowhere."""

from __future__ import annotations

import pytest

from tests.browser.conftest import OpenPhone
from tests.harness.chromium import Softphone

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_blocked_microphone_is_said_with_what_to_do(open_phone: OpenPhone) -> None:
    phone = await open_phone(microphone=False)
    await phone.dial("echo")
    words = await phone.ended()
    assert "The microphone is blocked for this page." in words
    assert "allow the microphone" in words


async def test_a_number_that_no_trunk_takes_is_said_with_what_to_do(phone: Softphone) -> None:
    await phone.dial("+49 30 1234567")
    words = await phone.ended()
    assert "+49301234567" in words
    assert "allow" in words


async def test_nothing_to_call_is_said_too(phone: Softphone) -> None:
    await phone.dial("")
    assert "Whom do you want to call?" in await phone.message()
