"""Hostile packets at the browsers' port and at the trunks': dropped, counted by reason, and no call hears them."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest

from tests.harness.gateway import GatewayProcess
from tests.harness.hostilepackets import client_hello, control, media, noise, oversized, stun_check, truncated
from tests.harness.media import Address, Phone
from tests.harness.memory import MIB, resident
from tests.harness.packetstorm import STRANGER, Storm
from tests.harness.pagelike import PageCall, page_at
from tests.harness.patience import eventually
from tests.harness.ports import HOST
from tests.harness.speech import Speech, hears
from tests.harness.victim import Victim
from tests.interop.conftest import House
from tests.interop.sip_peer import Peer, sdp

pytestmark = pytest.mark.interop

RATE: Final = 10_000
"""Packets a second: two hundred calls' worth."""
MEMORY: Final = 24 * MIB
"""A process in use breathes by some MiB; what was sent was more than this."""
ARRIVED: Final = 0.95
"""Share of the storm that the kernel must have brought to the gateway, or the test shows nothing."""
MOST_LOST: Final = 0.005
"""Share of the call's packets that a busy machine may lose on the way."""


@asynccontextmanager
async def unhurt_call(gateway: GatewayProcess, speech: Speech) -> AsyncIterator[PageCall]:
    """A call to the echo that is attacked within the block: it hears well meanwhile, and ends as it should."""
    before = resident(gateway.program.pid)
    async with page_at(gateway.signal_url, user="alice") as page:
        call = await page.call("echo", speech)
        await call.answered()
        listener = asyncio.create_task(hears(speech, call.listen))
        yield call
        await listener
        await call.hang_up()
        record = await gateway.record(await call.record_id())
    assert record["cause"] == "hangup"
    for leg in record["media"].values():
        assert leg["rx_lost"] <= MOST_LOST * leg["rx_packets"], leg
    assert resident(gateway.program.pid) - before < MEMORY


def figures_of(gateway: GatewayProcess, call_id: str, leg: str) -> dict[str, Any]:
    """The media figures of one leg of a live call."""
    return dict(gateway.ask(f"calls/{call_id}")["media"][leg])


async def leg_figures(gateway: GatewayProcess, call: PageCall, leg: str) -> dict[str, Any]:
    """The same, without blocking."""
    return await asyncio.to_thread(figures_of, gateway, await call.record_id(), leg)


async def figures_once(
    gateway: GatewayProcess, call: PageCall, leg: str, are_so: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """The same once they are so: the media core reads what was sent in its own time."""
    figures: dict[str, Any] = {}
    call_id = await call.record_id()

    def looked() -> bool:
        figures.update(figures_of(gateway, call_id, leg))
        return are_so(figures)

    try:
        await eventually(looked)
    except TimeoutError:
        raise AssertionError(figures) from None
    return figures


def refused(figures: dict[str, Any]) -> int:
    """Packets of strangers that a trunk's leg did not take."""
    return int(figures["dropped_unknown_source"] + figures["dropped_early"])


def dropped(gateway: GatewayProcess) -> dict[str, int]:
    """What no leg got, by reason."""
    media = gateway.ask("status")["media"]
    return {key: value for key, value in media.items() if key.startswith("dropped_")}


async def counted(gateway: GatewayProcess, reason: str, wanted: float) -> None:
    """Wait until so many were dropped for this reason."""
    await eventually(lambda: dropped(gateway)[reason] >= wanted)


async def test_floods_of_strangers_at_the_browsers_port(house: House, speech: Speech) -> None:
    gateway, port = house.gateway, house.gateway.settings["media"]["browser_port"]
    floods: list[tuple[list[str], int, str]] = [
        (["unknown-check", "half-a-stun"], 30_000, "dropped_stun_refused"),
        (["client-hello", "media", "control"], 30_000, "dropped_unknown_source"),
        (["oversized"], 5_000, "dropped_malformed"),
    ]
    async with unhurt_call(gateway, speech):
        for kinds, count, reason in floods:
            wanted = dropped(gateway)[reason] + ARRIVED * count
            with Storm(kinds, [port], count=count, rate=RATE) as storm:
                await storm.is_over()
            await counted(gateway, reason, wanted)


async def test_noise_at_the_browsers_port_is_all_dropped(house: House, speech: Speech) -> None:
    gateway, port = house.gateway, house.gateway.settings["media"]["browser_port"]
    wanted = sum(dropped(gateway).values()) + ARRIVED * 10_000
    async with unhurt_call(gateway, speech):
        with Storm(["noise", "truncated"], [port], count=10_000, rate=RATE) as storm:
            await storm.is_over()
        await eventually(lambda: sum(dropped(gateway).values()) >= wanted)


async def test_checks_with_the_right_name_and_a_wrong_password_move_nothing(house: House, speech: Speech) -> None:
    port = house.gateway.settings["media"]["browser_port"]
    async with unhurt_call(house.gateway, speech) as call:
        answer = await call.until("call.answer-sdp")
        found = re.search(r"a=ice-ufrag:(\S+)", answer["sdp"])
        assert found is not None
        path = (await leg_figures(house.gateway, call, "browser"))["path"]
        with Storm(["forged-check"], [port], count=20_000, rate=RATE, ufrag=found[1]) as storm:
            await storm.is_over()
        wanted = ARRIVED * 20_000
        figures = await figures_once(house.gateway, call, "browser", lambda now: now["dropped_stun_refused"] >= wanted)
        assert figures["path"] == path


async def test_checks_that_were_overheard_draw_no_audio_away(house: House, speech: Speech) -> None:
    """Whoever overhears one check of the browser can send it again from anywhere; it is as authentic as before."""
    loop, port = asyncio.get_running_loop(), house.gateway.settings["media"]["browser_port"]
    async with unhurt_call(house.gateway, speech) as call:
        answer = await call.until("call.answer-sdp")
        ufrag, password = (re.findall(rf"a=ice-{name}:(\S+)", answer["sdp"])[0] for name in ("ufrag", "pwd"))
        path = (await leg_figures(house.gateway, call, "browser"))["path"]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind((STRANGER, 0))
            stranger.setblocking(False)
            for number in range(50):
                await loop.sock_sendto(stranger, stun_check(random.Random(number), ufrag, password), (HOST, port))
                assert (await loop.sock_recv(stranger, 2048))[:2] == b"\x01\x01", "a response, and nothing else"
        assert (await leg_figures(house.gateway, call, "browser"))["path"] == path


async def test_packets_in_the_browsers_own_name_are_no_use_without_its_keys(house: House, speech: Speech) -> None:
    chance = random.Random(2)
    async with unhurt_call(house.gateway, speech) as call:
        victim = Victim(call)
        await victim.forge(await victim.captured(100))
        await victim.forge([media(chance) for _ in range(1000)])
        await victim.forge([control(chance) + bytes(20) for _ in range(200)])
        await victim.forge([make(chance) for _ in range(200) for make in (noise, truncated, oversized)])
        # The newest of what was captured may have come before the original: then that one is the replay.
        figures = await figures_once(
            house.gateway,
            call,
            "browser",
            lambda now: now["dropped_srtp_replay"] >= 100 and now["dropped_srtp_auth"] >= 1100,
        )
        assert figures["rx_duplicates"] == 0


async def test_handshakes_in_the_browsers_own_name_do_not_end_its_call(house: House, speech: Speech) -> None:
    chance = random.Random(3)
    async with unhurt_call(house.gateway, speech) as call:
        await Victim(call).forge([client_hello(chance) for _ in range(3000)])
        record = await asyncio.to_thread(house.gateway.ask, f"calls/{await call.record_id()}")
        assert len(record["journal"]) < 100, "the journal of an attacked call stays readable"


@pytest.mark.parametrize("source", [STRANGER, HOST])
async def test_a_spray_at_the_trunks_ports_is_not_heard(house: House, speech: Speech, source: str) -> None:
    first, last = house.gateway.settings["media"]["rtp_ports"]
    kinds = ["run-of-media", "media", "truncated", "oversized", "control"]
    async with unhurt_call(house.gateway, speech) as call:
        path = (await leg_figures(house.gateway, call, "trunk"))["path"]
        with Storm(kinds, range(first, last + 1), count=40_000, rate=RATE, source=source) as storm:
            await storm.is_over()
        figures = await figures_once(house.gateway, call, "trunk", lambda now: now["dropped_unknown_source"] > 50)
        assert figures["path"] == path
        assert figures["rx_duplicates"] == 0


async def test_a_spray_before_the_trunk_has_sent_anything(house: House) -> None:
    """RTPbleed: nobody is known yet at the trunk's port. Strangers who cannot send in sequence are not believed, and
    whoever they are, the address of the SDP wins once it sends."""
    async with Peer.open(house.sipp_port) as peer, page_at(house.gateway.signal_url, user="alice") as page:
        call = await page.call("sipp")
        invite = await peer.request("INVITE")
        port = int(re.findall(r"m=audio (\d+)", invite.body)[0])
        with Phone(ssrc=7) as trunk, contextlib.ExitStack() as stack:
            strangers = [stack.enter_context(Phone(f"127.0.9.{n}", ssrc=n)) for n in range(1, 41)]
            spray(strangers, port)  # before any SDP of the trunk
            peer.reply(invite, 200, "OK", body=sdp(trunk.address[1], codecs=(0, 101)))
            await peer.request("ACK")
            await call.answered()
            spray(strangers, port)
            figures = await figures_once(house.gateway, call, "trunk", lambda now: refused(now) >= 2 * len(strangers))
            assert (figures["rx_packets"], figures["path"]) == (0, f"{HOST}:{trunk.address[1]}"), figures
            burst(trunk, 5, (HOST, port))
            spray(strangers, port)
            figures = await figures_once(house.gateway, call, "trunk", lambda now: refused(now) >= 3 * len(strangers))
            await asyncio.to_thread(trunk.hear)  # the page's audio goes there and nowhere else
            assert (figures["rx_packets"], figures["rx_ssrc"]) == (5, 7), figures
            assert figures["path"] == f"{HOST}:{trunk.address[1]}"
            assert all(stranger.hears_nothing() for stranger in strangers)
        await call.hang_up()
        await peer.request("BYE")


async def test_a_stranger_who_was_first_yields_to_the_trunk(house: House) -> None:
    """The trunk is behind NAT, on the host that its SDP names but at another port; both send in sequence."""
    async with Peer.open(house.sipp_port) as peer, page_at(house.gateway.signal_url, user="alice") as page:
        call = await page.call("sipp")
        invite = await peer.request("INVITE")
        ours = (HOST, int(re.findall(r"m=audio (\d+)", invite.body)[0]))
        with Phone() as named, Phone(ssrc=7) as trunk, Phone(STRANGER, ssrc=666) as stranger:
            peer.reply(invite, 200, "OK", body=sdp(named.address[1], codecs=(0, 101)))
            await call.answered()
            call_id = await call.record_id()
            burst(stranger, 60, ours)
            await eventually(lambda: figures_of(house.gateway, call_id, "trunk")["dropped_unknown_source"] == 60)
            talking = asyncio.create_task(talk(stranger, ours))
            await house.gateway.live_entry(call_id, "audio goes elsewhere")
            talking.cancel()
            burst(trunk, 3, ours)
            await house.gateway.live_entry(call_id, "audio goes elsewhere", times=2)
            burst(stranger, 60, ours)
            burst(named, 1, ours)
            await house.gateway.live_entry(call_id, "audio goes as announced")
            record = await asyncio.to_thread(house.gateway.ask, f"calls/{call_id}")
            told = [entry["why"].split(",")[0] for entry in record["journal"] if entry["what"].startswith("audio goes")]
            places = ["to {}:{}".format(*phone.address) for phone in (stranger, trunk)]
            assert told == [*places, "to the address in the trunk's SDP again"]
        await call.hang_up()
        await peer.request("BYE")


def burst(phone: Phone, packets: int, to: Address) -> None:
    """What is in sequence, and faster than speech."""
    for _ in range(packets):
        phone.say(to, 0, bytes(160))


async def talk(phone: Phone, to: Address) -> None:
    """As fast as speech, for ever."""
    while True:
        phone.say(to, 0, bytes(160))
        await asyncio.sleep(0.02)


def spray(strangers: list[Phone], port: int) -> None:
    """Each says something that looks like the middle of a call."""
    for stranger in strangers:
        stranger.sequence += 7
        stranger.say((HOST, port), 0, bytes(160))
