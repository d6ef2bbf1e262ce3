"""A dial tone from a SIP far end through a whole transcoded call: what a page hears of it has no gaps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import pytest

from demo.rtp import FRAME_S
from tests.harness.tonephone import LOUD, TonePhone, share
from tests.interop.page_line import Exchange, exchange_with, line_to

pytestmark = pytest.mark.interop

DIAL_TONE_HZ: Final = 425
AMPLITUDE: Final = 10 ** (-23.17 / 20)
"""-20 dBm0 (ITU-T G.711: a sine of full scale has 3.17 in mu-law)."""
SETTLES_S, LASTS_S = 1.0, 6.0


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    with exchange_with(tmp_path_factory.mktemp("tone"), {"plain": {}}) as exchange:
        yield exchange


async def test_a_long_dial_tone_is_heard_without_a_gap(exchange: Exchange) -> None:
    phone = TonePhone(DIAL_TONE_HZ, AMPLITUDE)
    async with line_to(exchange, "plain", phone, (0, 101)) as line:
        assert "Opus" in (await line.call.answered())["codec"]
        assert line.call.audio is not None
        await line.call.audio.hear_sound()
        await line.call.listen(SETTLES_S)
        paused_s = phone.paused_s
        samples, rate_hz = await line.call.listen(LASTS_S)
        missed_s = phone.paused_s - paused_s  # what the phone did not send in time is not missed
    frame = round(FRAME_S * rate_hz)
    power = np.convolve(samples**2, np.full(frame, 1 / frame), "valid")  # of every 20 ms, wherever they begin
    weak_s = np.count_nonzero(power < AMPLITUDE**2 / 2 / 4) / rate_hz
    assert weak_s <= missed_s, f"{weak_s} s of 20 ms each that are 6 dB too weak"
    assert share(samples, rate_hz, DIAL_TONE_HZ) > LOUD
