"""A trunk that is not on loopback, as real ones are: SIP and RTP leave from the first network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.addresses import default_route_address
from tests.harness.gateway import GatewayProcess, demo_settings
from tests.harness.pagelike import page_at

pytestmark = pytest.mark.interop

OUTSIDE = default_route_address()
"""This machine's own address: it stands for a trunk's, and nothing leaves the machine."""


@pytest.fixture
def outward(tmp_path: Path) -> Iterator[GatewayProcess]:
    """A gateway with the networks of config/trunk.example.toml, and the demo phone away from loopback."""
    settings = demo_settings(tmp_path, network=[{"bind": "auto"}, {"bind": "127.0.0.1"}])
    settings["trunk"]["demo"]["host"] = OUTSIDE
    gateway = GatewayProcess(tmp_path, settings, demo=True)
    yield gateway
    gateway.stop()


@pytest.mark.skipif(not OUTSIDE, reason="this machine has no default route")
async def test_trunk_away_from_loopback_is_called_and_heard(outward: GatewayProcess) -> None:
    async with page_at(outward.signal_url, user="alice") as page:
        call = await page.call("hello")
        await call.answered()
        assert call.audio is not None
        await call.audio.hear_sound()
        await call.hang_up()
    record = await outward.record(await call.record_id())
    assert (record["trunk"], record["cause"]) == ("demo", "hangup")
