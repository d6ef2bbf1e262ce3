"""Chromium and a phone that share PCMU and comfort noise: each one's silences are passed on to the other (RFC 3389)."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tests.browser.conftest import House
from tests.harness.chromium import Softphone
from tests.harness.quietphone import LEVEL, QuietPhone
from tests.harness.speech import loudness
from tests.interop.sip_peer import Peer, sdp

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_silences_are_passed_on_both_ways_as_comfort_noise(phone: Softphone, house: House) -> None:
    quiet = QuietPhone(440)
    port = quiet.open()
    try:
        async with Peer.open(house.quiet_port) as peer:
            await phone.dial("quiet")
            invite = await peer.request("INVITE")
            assert "RTP/AVP 0 13 101\r\n" in invite.body
            peer.reply(invite, 200, "OK", body=sdp(port, codecs=(0, 13, 101)))
            await peer.join(invite).request("ACK")
            found = re.search(r"m=audio (\d+)", invite.body)
            assert found is not None
            quiet.talk(int(found.group(1)))
            await phone.connected()
            await quiet.hears_noise(4)
            quiet.assert_one_stream()
            samples, _ = await phone.hear(8)
            level = -20 * np.log10(np.median([loudness(part) for part in np.array_split(samples, 80)]))
            assert abs(level - LEVEL) < 6, f"{level:.1f}"
            await phone.part("hangup").click()
            await phone.until("ended")
    finally:
        await quiet.close()
