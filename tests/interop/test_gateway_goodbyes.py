"""A gateway that stops or is lost sees its goodbyes through, and no longer than it takes (docs/sip-flows.md)."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.gateway import GatewayProcess, Settings, settings_for, trunk_to
from tests.harness.pagelike import page_at
from tests.harness.patience import eventually
from tests.harness.ports import free_port
from tests.harness.program import is_alive
from tests.interop.race_scene import ANSWER, Scene, heard_times, open_scene

pytestmark = pytest.mark.interop

FORMER_GRACE_S = 1.5
"""All that goodbyes once had."""
AT_ONCE_S = 2.5
"""To end a worker, and a gateway that says goodbye to its pages and closes its records."""
WAITED_FOR = r"waiting up to 16 s for far ends to confirm .* \(1 left\); Ctrl-C again leaves them"
LEFT = r"far ends have not confirmed the end of their calls \(1 left\)"

END = pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM], ids=["lost", "stopped"])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_for(tmp_path, trunk={"peer": trunk_to(free_port(), ["sipp"])})


@pytest.fixture
def gateway(tmp_path: Path, settings: Settings) -> Iterator[GatewayProcess]:
    """A gateway that the test may end as it likes; of its worker nothing is left either."""
    running = GatewayProcess(tmp_path, settings)
    yield running
    if running.program.returncode is None:
        running.stop()


scene = pytest.fixture(open_scene)


class Ending:
    """The gateway gets a signal; how long it and its worker live on."""

    def __init__(self, gateway: GatewayProcess, number: signal.Signals) -> None:
        self.program = gateway.program
        self._family = {gateway.program.pid, *gateway.program.descendants()}
        self._began = time.monotonic()
        os.kill(gateway.program.pid, number)

    @property
    def since_s(self) -> float:
        return time.monotonic() - self._began

    async def comes_at_once(self) -> None:
        """Nothing is waited for any more."""
        asked = time.monotonic()
        await asyncio.to_thread(self.program.wait)
        await eventually(lambda: not any(map(is_alive, self._family)), AT_ONCE_S)
        assert time.monotonic() - asked < AT_ONCE_S


@END
async def test_a_bye_is_said_until_it_is_heard(scene: Scene, end: signal.Signals) -> None:
    scene.peer.confirms = False
    await scene.talking()
    ending = Ending(scene.gateway, end)
    bye = await scene.peer.request("BYE")
    await heard_times(scene.peer, "BYE", 4)
    assert ending.since_s > FORMER_GRACE_S
    scene.peer.reply(bye, 200, "OK")
    await ending.comes_at_once()


@END
async def test_who_rings_late_is_cancelled_even_then(scene: Scene, end: signal.Signals) -> None:
    """RFC 3261 §9.1: no CANCEL before the first response; so the worker waits for it."""
    _, invite = await scene.called()
    ending = Ending(scene.gateway, end)
    await heard_times(scene.peer, "INVITE", 4)
    assert ending.since_s > FORMER_GRACE_S
    scene.peer.reply(invite, 180, "Ringing")
    await scene.peer.request("CANCEL")
    scene.peer.reply(invite, 487, "Request Terminated")
    await scene.peer.request("ACK")
    await ending.comes_at_once()


@END
async def test_a_late_200_that_crosses_the_cancel_is_acknowledged_and_ended(scene: Scene, end: signal.Signals) -> None:
    scene.peer.confirms = False
    call, invite = await scene.called()
    scene.peer.reply(invite, 180, "Ringing")
    await call.until("call.progress")
    ending = Ending(scene.gateway, end)
    cancel = await scene.peer.request("CANCEL")
    await heard_times(scene.peer, "CANCEL", 4)
    assert ending.since_s > FORMER_GRACE_S
    scene.peer.reply(cancel, 200, "OK")
    scene.peer.reply(invite, 200, "OK", body=ANSWER)
    await scene.peer.request("ACK")
    scene.peer.reply(await scene.peer.request("BYE"), 200, "OK")
    await ending.comes_at_once()


@END
async def test_an_end_that_every_far_end_confirms_is_quick(scene: Scene, end: signal.Signals) -> None:
    await scene.talking()
    _, ringing = await scene.called()
    scene.peer.reply(ringing, 180, "Ringing")
    _, caller = await scene.rings()
    ending = Ending(scene.gateway, end)
    await scene.peer.request("BYE")
    await scene.peer.request("CANCEL")
    scene.peer.reply(ringing, 487, "Request Terminated")
    await caller.response(503)
    caller.ack_refusal()
    await ending.comes_at_once()
    assert "far ends" not in scene.gateway.program.log


def kill_worker(gateway: GatewayProcess) -> None:
    (worker,) = gateway.program.descendants()
    os.kill(worker, signal.SIGKILL)


async def test_a_gateway_that_stops_without_a_sip_worker_says_the_goodbyes_of_the_lost_one(scene: Scene) -> None:
    await scene.talking()
    kill_worker(scene.gateway)
    ending = Ending(scene.gateway, signal.SIGTERM)
    await scene.peer.request("BYE")
    await ending.comes_at_once()
    assert "far ends" not in scene.gateway.program.log


async def test_a_sip_worker_that_dies_amid_its_last_goodbyes_is_followed_by_one_that_says_them(scene: Scene) -> None:
    scene.peer.confirms = False
    await scene.talking()
    ending = Ending(scene.gateway, signal.SIGTERM)
    first = await scene.peer.request("BYE")
    kill_worker(scene.gateway)
    again = await scene.peer.heard(lambda m: m.method == "BYE" and m.header("CSeq") != first.header("CSeq"))
    scene.peer.reply(again, 200, "OK")
    await ending.comes_at_once()


async def test_a_gateway_without_calls_that_stops_needs_no_other_sip_worker(gateway: GatewayProcess) -> None:
    kill_worker(gateway)
    ending = Ending(gateway, signal.SIGTERM)
    await ending.comes_at_once()
    assert "a new SIP worker runs" not in gateway.program.log


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_who_stops_is_told_what_is_waited_for_and_need_not_wait(scene: Scene, number: signal.Signals) -> None:
    scene.peer.confirms = False
    await scene.talking()
    ending = Ending(scene.gateway, number)
    await scene.gateway.program.says(WAITED_FOR)
    os.kill(scene.gateway.program.pid, number)
    await ending.comes_at_once()
    assert scene.gateway.program.returncode == 0
    scene.gateway.program.wait_for(LEFT, since=0)
    assert "Traceback" not in scene.gateway.program.log


async def test_a_gateway_that_is_started_again_at_once_waits_for_the_goodbyes_of_the_lost_one(
    scene: Scene, tmp_path: Path
) -> None:
    """Supervisors do not wait for children of what they start again."""
    scene.peer.confirms = False
    await scene.talking()
    Ending(scene.gateway, signal.SIGKILL)
    bye = await scene.peer.request("BYE")
    starting = asyncio.create_task(asyncio.to_thread(GatewayProcess, tmp_path, scene.gateway.settings))
    await heard_times(scene.peer, "BYE", 5)
    assert not starting.done()
    scene.peer.reply(bye, 200, "OK")
    scene.peer.confirms = True
    again = await starting
    assert "the SIP worker of a gateway that is gone still ends its calls" in again.program.log
    async with page_at(again.signal_url, user="alice") as page:
        later = Scene(again, page, scene.peer)
        call, dialog = await later.talking()
        await dialog.bye()
        await later.over(call, "hangup")
    again.stop()
