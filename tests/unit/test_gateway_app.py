"""The gateway's start and end, as far as they need no SIP worker."""

import asyncio

import pytest

from call.errors import TransportError
from gateway.app import Gateway, _open_relays
from gateway.config import AuthSettings, Config, NetworkSettings
from gateway.sounds import Sounds


def gateway() -> Gateway:
    return Gateway(Config(auth=AuthSettings(mode="open")), Sounds())


async def forever() -> None:
    await asyncio.Event().wait()


async def test_server_that_ends_by_itself_ends_the_gateway() -> None:
    serving = [asyncio.create_task(asyncio.sleep(0)), asyncio.create_task(forever())]
    with pytest.raises(TransportError, match="ended by itself"):
        await gateway()._while_serving(forever(), serving)
    serving[1].cancel()


async def test_gateway_that_is_stopped_while_it_starts_waits_no_longer() -> None:
    house, server = gateway(), asyncio.create_task(forever())
    asyncio.get_running_loop().call_soon(house.stop)
    await asyncio.wait_for(house._while_serving(forever(), [server]), 5)
    assert not server.done()
    server.cancel()


def test_address_that_is_not_ours_is_blamed_and_not_the_port() -> None:
    config = Config(auth=AuthSettings(mode="open"), network=(NetworkSettings(bind="192.0.2.1"),))
    with pytest.raises(TransportError, match="is not an address of this machine") as caught:
        _open_relays(config)
    assert caught.value.hint == "Set `bind` of each [[network]] to an address of this machine."
