"""The trunk takes another codec than the page was given: the page changes over, and the trunk notices nothing (D7)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from demo.g711 import ULAW_TO_ALAW
from tests.browser.conftest import House
from tests.harness.baresip import Baresip
from tests.harness.chromium import Softphone
from tests.harness.sipp import MUSIC, UNTIL_TOLD, Sipp, ack, bye_of_caller, expect_status, invite, play, reinvite, sdp
from tests.harness.speech import Speech, hears, measure

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

RELAYED = "Both speak PCMA: relayed without transcoding (the route prefers the trunk's own codec, to save transcoding)."


def count(record: dict[str, Any], what: str) -> int:
    return [entry["what"] for entry in record["journal"]].count(what)


def check_changed(record: dict[str, Any]) -> None:
    """Both legs speak the same by now, and the change touched nothing but the browser's codec."""
    assert record["codecs"] == RELAYED
    assert [record["media"][leg]["codec"] for leg in ("browser", "trunk")] == ["PCMA", "PCMA"]
    assert [record["media"][leg]["transcoding"] for leg in ("browser", "trunk")] == [0, 0]
    assert record["media"]["browser"]["dropped_unknown_payload"] == 0
    assert [count(record, what) for what in ("INVITE", "DTLS connected", "ICE restart")] == [1, 1, 0]


async def test_the_page_changes_to_what_the_trunk_answered_and_both_are_heard(
    phone: Softphone, pcma_phone: Baresip, house: House, speech: Speech, other_speech: Speech
) -> None:
    await phone.talk("cheap")
    await house.gateway.live_entry(await phone.record_id(), "codec changes")
    await hears(other_speech, phone.hear)
    assert await phone.codecs() == ("PCMA", "PCMA")
    await expect(phone.page.locator("#codec")).to_have_text(RELAYED)
    await phone.part("hangup").click()
    await phone.until("ended")
    await pcma_phone.program.says("session closed|terminated")
    quality = measure(speech, *pcma_phone.heard())
    assert quality.is_good, quality
    check_changed(await house.gateway.record(await phone.record_id()))


async def test_the_page_follows_a_trunk_that_changes_in_mid_call(
    phone: Softphone, sipp: Callable[..., Sipp], house: House, tmp_path: Path
) -> None:
    music = tmp_path / "music.al"
    await asyncio.to_thread(music.write_bytes, MUSIC.read_bytes().translate(ULAW_TO_ALAW))
    answered = (invite(sdp()), expect_status(100, optional=True), expect_status(180), expect_status(200, keep=True))
    changed = (reinvite(sdp(version=2, codec="PCMA"), 2), play(music, "PCMA"), UNTIL_TOLD)
    # SIPp fails when a message comes that is not in its scenario.
    caller = sipp(*answered, ack(), play(), UNTIL_TOLD, *changed, bye_of_caller(3), calls="alice", trunk="cheap")
    await phone.until("ringing")
    await phone.part("accept").click()
    await phone.until("answered")
    await phone.connected()
    await phone.hear_sound()
    assert await phone.codecs() == ("PCMU", "PCMU")
    await caller.go_on()
    await house.gateway.live_entry(await phone.record_id(), "codec changes")
    await phone.hear_sound()
    assert await phone.codecs() == ("PCMA", "PCMA")
    await caller.go_on()
    await phone.ended()
    await caller.succeeds()
    check_changed(await house.gateway.record(await phone.record_id()))
