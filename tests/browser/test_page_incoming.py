"""A trunk calls a user: the page rings, and the person takes the call, refuses it, or lets it ring."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPhone
from tests.harness.chromium import Chromium, Softphone
from tests.harness.gateway import GatewayProcess, settings_for, trunk_to
from tests.harness.ports import free_port
from tests.harness.sipp import (
    UNTIL_TOLD,
    Sipp,
    ack,
    ack_of_refusal,
    bye_of_caller,
    cancel,
    expect_status,
    invite,
    play,
    reply,
    sdp,
)
from tests.harness.sipp import (
    expect as expect_request,
)

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

Run = Callable[..., Sipp]
RINGS = (invite(sdp()), expect_status(100, optional=True), expect_status(180))
ANSWERED = (*RINGS, expect_status(200, keep=True), ack(), play())


async def rings(phone: Softphone) -> None:
    await phone.until("ringing")
    await expect(phone.part("state")).to_have_text("Incoming call")


async def test_the_caller_is_heard_when_i_accept_and_ends_the_call_in_words(phone: Softphone, sipp: Run) -> None:
    caller = sipp(*ANSWERED, UNTIL_TOLD, bye_of_caller(), calls="alice")
    await rings(phone)
    await expect(phone.page.locator("#remote")).to_have_text("Sipp")
    await phone.part("accept").click()
    await phone.until("answered")
    await phone.connected()
    await phone.hear_sound()
    await caller.go_on()
    assert "sipp hung up." in await phone.ended()
    await caller.succeeds()


async def test_a_number_of_mine_rings_too_and_i_can_hang_up(phone: Softphone, sipp: Run) -> None:
    caller = sipp(*ANSWERED, expect_request("BYE"), reply(200, "OK", in_dialog=True), calls="100")
    await rings(phone)
    await phone.part("accept").click()
    await phone.until("answered")
    await phone.connected()
    await phone.part("hangup").click()
    assert "You hung up" in await phone.ended()
    await caller.succeeds()


async def test_the_caller_learns_that_i_refuse(phone: Softphone, sipp: Run) -> None:
    caller = sipp(*RINGS, expect_status(603), ack_of_refusal(), calls="alice")
    await rings(phone)
    await phone.part("reject").click()
    assert "You refused the call." in await phone.ended()
    await caller.succeeds()


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[GatewayProcess]:
    """A gateway whose calls ring as shortly as may be."""
    trunk = {"sipp": trunk_to(free_port(), ["sipp"])}
    gateway = GatewayProcess(tmp_path, settings_for(tmp_path, session={"ring_s": 5}, trunk=trunk))
    yield gateway
    gateway.stop()


async def test_a_call_that_nobody_takes_ends_for_both(
    browser: Chromium, impatient: GatewayProcess, tmp_path: Path
) -> None:
    steps, port = (*RINGS, expect_status(480), ack_of_refusal()), impatient.settings["trunk"]["sipp"]["port"]
    async with browser.phone(f"{impatient.page_url}?user=alice") as phone:
        await phone.online()
        caller = Sipp(tmp_path, "caller", steps, port=port, remote=impatient.sip_port)
        assert "Alice did not answer." in await phone.ended()
        await caller.succeeds()


async def test_a_caller_who_gives_up_stops_the_ringing(phone: Softphone, sipp: Run) -> None:
    caller = sipp(*RINGS, UNTIL_TOLD, cancel(), calls="alice")
    await rings(phone)
    await caller.go_on()
    assert "sipp hung up before the call was answered." in await phone.ended()
    await caller.succeeds()


async def test_the_tab_that_accepts_has_the_call_and_the_other_stops_ringing(open_phone: OpenPhone, sipp: Run) -> None:
    here, there = await open_phone(), await open_phone()
    caller = sipp(*ANSWERED, expect_request("BYE"), reply(200, "OK", in_dialog=True), calls="alice")
    await rings(here)
    await rings(there)
    await here.part("accept").click()
    assert "The call was answered in another window." in await there.ended()
    await here.until("answered")
    await here.connected()
    await here.hear_sound()
    await here.part("hangup").click()
    await here.until("ended")
    await caller.succeeds()
