"""One Chromium, one gateway with the demo phone and a SIPp trunk, for all tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest
import pytest_asyncio

from tests.harness.baresip import Baresip
from tests.harness.chromium import Chromium, Softphone, chromium
from tests.harness.gateway import GatewayProcess, demo_settings, trunk_to
from tests.harness.ports import free_block, free_port
from tests.harness.program import hurry
from tests.harness.sipp import Sipp
from tests.harness.speech import Speech


class OpenPhone(Protocol):
    """Opens the page in a new tab and logs in."""

    async def __call__(self, user: str = "alice", *, microphone: bool = True) -> Softphone: ...


@dataclass(frozen=True)
class House:
    """The gateway and the SIP ports on which its trunks "sipp", "desk", "cheap" and "quiet" are expected."""

    gateway: GatewayProcess
    sipp_port: int
    desk_port: int
    cheap_port: int
    """Of a route that saves work: the page is given the codec that the trunk is expected to take."""
    quiet_port: int
    """It shares PCMU and comfort noise with Chromium."""


@pytest.fixture(scope="session", autouse=True)
def priority() -> None:
    hurry()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(speech: Speech) -> AsyncIterator[Chromium]:
    async with chromium(speech.path) as running:
        yield running


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    directory, sipp_port, quiet_port = tmp_path_factory.mktemp("gateway"), free_port(), free_port()
    desk_port, cheap_port = free_block(2)[0], free_block(2)[0]
    settings = demo_settings(directory)
    settings["trunk"]["sipp"] = trunk_to(sipp_port, ["sipp"])
    settings["trunk"]["desk"] = trunk_to(desk_port, ["desk"])
    settings["trunk"]["cheap"] = trunk_to(cheap_port, ["cheap"], prefer="cpu")
    quiet = {"codecs": ["PCMU"], "prefer": "cpu", "comfort_noise": True}
    settings["trunk"]["quiet"] = trunk_to(quiet_port, ["quiet"], **quiet)
    gateway = GatewayProcess(directory, settings, demo=True)
    yield House(gateway, sipp_port, desk_port, cheap_port, quiet_port)
    gateway.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def open_phone(browser: Chromium, house: House) -> AsyncIterator[OpenPhone]:
    async with AsyncExitStack() as tabs:

        async def open_one(user: str = "alice", *, microphone: bool = True) -> Softphone:
            url = f"{house.gateway.page_url}?user={user}"
            phone = await tabs.enter_async_context(browser.phone(url, microphone=microphone))
            await phone.online()
            return phone

        yield open_one
    await house.gateway.is_idle()


@pytest_asyncio.fixture(loop_scope="session")
async def phone(open_phone: OpenPhone) -> Softphone:
    return await open_phone()


@pytest.fixture
def desk_phone(house: House, other_speech: Speech, tmp_path: Path) -> Iterator[Baresip]:
    """baresip as the trunk "desk"; it answers at once."""
    phone = Baresip(tmp_path / "desk", other_speech, user="desk", port=house.desk_port)
    yield phone
    phone.stop()


@pytest.fixture
def pcma_phone(house: House, other_speech: Speech, tmp_path: Path) -> Iterator[Baresip]:
    """baresip as the trunk "cheap"; it takes PCMA of all that it is offered."""
    phone = Baresip(tmp_path / "cheap", other_speech, user="cheap", port=house.cheap_port, codec="PCMA")
    yield phone
    phone.stop()


@pytest.fixture
def sipp(house: House, tmp_path: Path) -> Iterator[Callable[..., Sipp]]:
    """Runs a scenario as the trunk "sipp" or "cheap": `calls="alice"` calls, without it SIPp waits to be called."""
    running: list[Sipp] = []
    ports = {"sipp": house.sipp_port, "cheap": house.cheap_port}

    def run(*steps: str, calls: str = "", trunk: str = "sipp") -> Sipp:
        remote = house.gateway.sip_port if calls else None
        running.append(Sipp(tmp_path, "scenario", steps, port=ports[trunk], remote=remote, user=calls or trunk))
        return running[-1]

    yield run
    for each in running:
        each.stop()
