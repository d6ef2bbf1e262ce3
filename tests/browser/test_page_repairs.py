"""The path between browser and gateway breaks: the page repairs it, and the trunk notices nothing (design D5)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import House
from tests.harness.chromium import Softphone
from tests.harness.speech import Speech, hears

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

# What the page believes of the path, until it asks again for a new connection.
BELIEVE = """(state) => {
  const { pc } = window.webtrunk.call;
  Object.defineProperty(pc, 'iceConnectionState', { get: () => state, configurable: true });
  pc.oniceconnectionstatechange();
  delete pc.iceConnectionState;
}"""


async def record_of(house: House, phone: Softphone) -> dict[str, Any]:
    record_id = await phone.record_id()
    await phone.part("hangup").click()
    await phone.until("ended")
    return await house.gateway.record(record_id)


def count(record: dict[str, Any], what: str) -> int:
    return len([entry for entry in record["journal"] if entry["what"] == what])


async def test_a_path_that_breaks_gets_an_ice_restart_and_keeps_dtls(
    phone: Softphone, house: House, speech: Speech
) -> None:
    await phone.talk("echo")
    await phone.hear_sound()
    before = await phone.page.evaluate("window.webtrunk.call.pc.remoteDescription.sdp")
    await phone.page.evaluate(BELIEVE, "disconnected")
    await house.gateway.live_entry(await phone.record_id(), "ICE restart")
    await hears(speech, phone.hear)
    after = await phone.page.evaluate("window.webtrunk.call.pc.remoteDescription.sdp")
    assert ice_ufrag(before) != ice_ufrag(after)
    record = await record_of(house, phone)
    assert (count(record, "DTLS connected"), count(record, "INVITE")) == (1, 1)


async def test_a_path_that_fails_gets_a_new_connection(phone: Softphone, house: House, speech: Speech) -> None:
    await phone.talk("echo")
    await phone.hear_sound()
    await phone.page.evaluate(BELIEVE, "failed")
    await house.gateway.live_entry(await phone.record_id(), "DTLS connected", times=2)
    await phone.connected()
    await hears(speech, phone.hear)
    record = await record_of(house, phone)
    assert (record["cause"], count(record, "INVITE")) == ("hangup", 1)


def ice_ufrag(sdp: str) -> str:
    return next(line for line in sdp.splitlines() if line.startswith("a=ice-ufrag"))
