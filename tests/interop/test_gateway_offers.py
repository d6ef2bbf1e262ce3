"""Offers and answers of a trunk that the gateway cannot serve, or that come late, through the whole gateway."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.harness.gateway import GatewayProcess, settings_for, trunk_to
from tests.harness.media import Phone
from tests.harness.patience import PATIENCE_S
from tests.harness.ports import free_port
from tests.interop.race_scene import ANSWER, OFFER, Scene, open_scene
from tests.interop.sip_peer import Dialog, sdp

pytestmark = pytest.mark.interop

V4: Final = "c=IN IP4 127.0.0.1"
ELSEWHERE: Final = ("IP6 ::1", "IP4 ::1", "IP6 ::ffff:127.0.0.1", "IP6 fe80::1%lo")
"""Addresses that a gateway whose trunks are on IPv4 cannot send to."""
RTCP_ELSEWHERE: Final = ("a=rtcp:40001 IN IP6 ::1\r\n", "a=rtcp:40001 IN IP4 media.example.net\r\n")
NOT_OFFERED: Final = sdp(50000, codecs=(0,)).replace("AVP 0", "AVP 3").replace("0 PCMU", "3 GSM")
CAPACITY: Final = 3


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    """With room for few calls: a call that is not given back is missed."""
    trunk = trunk_to(free_port(), ["sipp"], max_calls=CAPACITY, codecs=["opus", "G722", "PCMU", "PCMA"])
    running = GatewayProcess(tmp_path, settings_for(tmp_path, trunk={"peer": trunk}))
    yield running
    running.stop()


scene = pytest.fixture(open_scene)


async def final_response(dialog: Dialog) -> int:
    """Status of the answer to the INVITE that was sent last."""
    cseq = f"{dialog.cseq} INVITE"
    response = await dialog.peer.heard(
        lambda m: m.status >= 200 and m.header("CSeq") == cseq and m.header("Call-ID") == dialog.call_id
    )
    return response.status


async def test_invites_with_an_address_that_we_cannot_reach_are_refused_and_take_no_place(scene: Scene) -> None:
    offers = [OFFER.replace(V4, f"c=IN {address}") for address in ELSEWHERE]
    offers.append(OFFER.replace("a=sendrecv", "c=IN IP6 2001:db8::1\r\na=sendrecv"))
    assert len(offers) > CAPACITY
    for offer in offers:
        dialog = scene.peer.dial(scene.gateway.sip_port, number="alice", body=offer)
        assert await final_response(dialog) == 488
        dialog.ack_refusal()
    call, dialog = await scene.rings()
    dialog.cancel()
    await scene.over(call, "cancelled")


async def test_an_invite_that_sip_itself_refuses_rings_no_page_and_leaves_a_record(scene: Scene) -> None:
    dialog = scene.peer.dial(scene.gateway.sip_port, number="alice", headers=["Require: telepathy"], body=OFFER)
    assert await final_response(dialog) == 420
    dialog.ack_refusal()
    call, dialog = await scene.rings()  # the first of which the page hears
    dialog.cancel()
    await scene.over(call, "cancelled")
    (refused,) = [record for record in scene.gateway.ask("calls")["calls"] if record["sip_status"] == 420]
    assert (refused["cause"], refused["user"]) == ("trunk-error", "alice")
    assert "telepathy" in refused["sentence"]


@pytest.mark.parametrize("early", ["v=0\r\nthis is not SDP\r\n", NOT_OFFERED], ids=["broken", "not offered"])
async def test_early_media_that_cannot_be_served_is_passed_over_and_the_answer_counts(scene: Scene, early: str) -> None:
    call, invite = await scene.called()
    scene.peer.reply(invite, 183, "Session Progress", body=early)
    scene.peer.reply(invite, 200, "OK", body=ANSWER)
    await scene.peer.request("ACK")
    await call.answered()
    await scene.hang_up(call)
    await scene.over(call, "hangup")


@pytest.mark.parametrize("rtcp", RTCP_ELSEWHERE)
async def test_rtcp_at_an_address_that_we_cannot_reach_is_passed_over_in_an_offer(scene: Scene, rtcp: str) -> None:
    dialog = scene.peer.dial(scene.gateway.sip_port, number="alice", body=OFFER + rtcp)
    _, call = await scene.page.rings()
    await dialog.response(180)
    await scene.accept(call)
    await dialog.response(200)
    dialog.ack()
    await call.answered()
    dialog.send("INVITE", body=sdp(40000, version=2, direction="sendonly") + rtcp)
    assert "a=recvonly" in (await dialog.response(200)).body
    dialog.ack()
    await scene.hang_up(call)
    await scene.over(call, "hangup")


@pytest.mark.parametrize("rtcp", RTCP_ELSEWHERE)
async def test_rtcp_at_an_address_that_we_cannot_reach_is_passed_over_in_an_answer(scene: Scene, rtcp: str) -> None:
    call, invite = await scene.called()
    scene.peer.reply(invite, 200, "OK", body=ANSWER + rtcp)
    await scene.peer.request("ACK")
    await call.answered()
    await scene.hang_up(call)
    await scene.over(call, "hangup")


async def test_an_answer_with_a_name_for_an_address_ends_the_call_in_words(scene: Scene) -> None:
    call, invite = await scene.called()
    scene.peer.reply(invite, 200, "OK", body=ANSWER.replace(V4, "c=IN IP4 media.example.net"))
    await scene.peer.request("BYE")
    assert "media.example.net" in (await call.ended())["sentence"]
    await scene.left_nothing(call, "no-common-media")


@pytest.mark.parametrize("payload_type", [0, 35, 72])
async def test_an_answer_with_opus_under_a_number_that_is_not_free_names_the_number_and_not_the_host(
    scene: Scene, payload_type: int
) -> None:
    call, invite = await scene.called()
    answer = sdp(50000, codecs=(111,)).replace("AVP 111", f"AVP {payload_type}").replace(":111", f":{payload_type}")
    scene.peer.reply(invite, 200, "OK", body=answer)
    ended = await call.ended()
    assert f"Opus under payload type {payload_type}" in ended["sentence"] and "96 to 127" in ended["hint"]
    assert all(message["type"] != "call.answered" for message in call.messages)
    await scene.left_nothing(call, "no-common-media")


async def test_an_answer_with_an_address_that_we_cannot_reach_ends_the_call_in_words(scene: Scene) -> None:
    for _ in range(CAPACITY + 1):
        call, invite = await scene.called()
        scene.peer.reply(invite, 200, "OK", body=ANSWER.replace(V4, "c=IN IP6 ::1"))
        await scene.peer.request("BYE")
        assert "IPv6 address ::1" in (await call.ended())["sentence"]
        await scene.left_nothing(call, "no-common-media")


async def test_a_re_invite_with_an_address_that_we_cannot_reach_is_refused_and_the_call_goes_on(scene: Scene) -> None:
    call, dialog = await scene.talking()
    for address in ELSEWHERE:
        dialog.send("INVITE", body=ANSWER.replace(V4, f"c=IN {address}"))
        assert await final_response(dialog) == 488
        dialog.ack_refusal()
    await scene.hang_up(call)
    await scene.over(call, "hangup")


async def test_the_answer_in_the_ack_of_a_re_invite_without_sdp_moves_and_holds_the_audio(scene: Scene) -> None:
    with Phone() as before, Phone() as after:
        call = await scene.page.call("sipp")
        invite = await scene.peer.request("INVITE")
        scene.peer.reply(invite, 200, "OK", body=sdp(before.address[1]))
        await scene.peer.request("ACK")
        await call.answered()
        await asyncio.to_thread(before.hear)
        dialog = scene.peer.join(invite)
        dialog.send("INVITE")
        assert "m=audio" in (await dialog.response(200)).body
        dialog.ack(sdp(after.address[1], version=2))
        await asyncio.to_thread(after.hear)
        dialog.send("INVITE")
        await dialog.response(200)
        dialog.ack(sdp(after.address[1], version=3, direction="sendonly"))
        await scene.gateway.live_entry(await call.record_id(), "re-INVITE answered", times=2)
        await asyncio.to_thread(hears_no_more, after)
        await scene.hang_up(call)
        await scene.over(call, "hangup")


def hears_no_more(phone: Phone) -> None:
    """Wait until a second goes by without a packet: some may still be on their way."""
    phone.socket.settimeout(1)
    until = time.monotonic() + PATIENCE_S
    with contextlib.suppress(TimeoutError):
        while phone.hear():
            assert time.monotonic() < until, "packets go on"
