"""The gateway and SIPp: exact SIP dialogs, called and calling."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.harness.pagelike import page_at
from tests.harness.patience import eventually
from tests.harness.sipp import (
    UNTIL_TOLD,
    Sipp,
    ack,
    ack_of_refusal,
    bye_of_callee,
    bye_of_caller,
    cancel,
    challenge,
    expect,
    expect_header,
    expect_password,
    expect_proxy_password,
    expect_status,
    invite,
    pause,
    play,
    reinvite,
    reply,
    sdp,
)
from tests.interop.conftest import PASSWORD, House
from webrtc.signalling import MAX_HEADER_BYTES

pytestmark = pytest.mark.interop

Run = Callable[..., Sipp]
OK_TO_BYE = (expect("BYE"), reply(200, "OK", in_dialog=True))
RINGS = (invite(sdp()), expect_status(100, optional=True), expect_status(180))
TRYING = expect_status(100, optional=True)


# --- called ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "credentials"),
    [(401, expect_password("me", PASSWORD)), (407, expect_proxy_password("me"))],
    ids=["401", "407"],
)
async def test_a_trunk_that_asks_for_the_password_gets_it(
    house: House, sipp: Run, status: int, credentials: str
) -> None:
    asked = (expect("INVITE"), challenge(status), credentials)
    peer = sipp(*asked, play(), reply(200, "OK", body=sdp()), expect("ACK"), *OK_TO_BYE, trunk="digest")
    async with page_at(house.gateway.signal_url, user="alice") as page:
        call = await page.call("digest")
        await call.answered()
        await call.hang_up()
    await peer.succeeds()


async def test_a_password_that_is_refused_is_said(house: House, sipp: Run) -> None:
    peer = sipp(expect("INVITE"), challenge(401), expect("INVITE"), challenge(401), trunk="digest")
    async with page_at(house.gateway.signal_url, user="alice") as page:
        ended = await (await page.call_without_audio("digest")).ended()
    assert ended["cause"] == "trunk-auth"
    assert ended["sentence"] == "Trunk digest refused the password (401 twice)."
    assert "trunk.digest.password" in ended["hint"]
    await peer.succeeds()


async def test_a_password_that_is_not_configured_is_said(house: House, sipp: Run) -> None:
    peer = sipp(expect("INVITE"), challenge(407))
    async with page_at(house.gateway.signal_url, user="alice") as page:
        ended = await (await page.call_without_audio("sipp")).ended()
    assert ended["sentence"] == "Trunk sipp asks for a password (407), and none is configured."
    await peer.succeeds()


async def test_early_media_of_183_is_heard_and_goes_on_after_200(house: House, sipp: Run) -> None:
    early = (expect("INVITE"), reply(183, "Session Progress", body=sdp()), play(), UNTIL_TOLD)
    peer = sipp(*early, reply(200, "OK", body=sdp(), to_invite=True), expect("ACK"), *OK_TO_BYE)
    async with page_at(house.gateway.signal_url, user="alice") as page:
        call = await page.call("sipp")
        await call.until("call.progress", early_media=True)
        assert call.audio is not None
        await call.audio.hear_sound()
        assert "call.answered" not in [message["type"] for message in call.messages]
        await peer.go_on()
        await call.answered()
        await call.audio.hear_sound()
        await call.hang_up()
    await peer.succeeds()


async def test_who_answers_after_a_while_is_waited_for(house: House, sipp: Run) -> None:
    ringing = (expect("INVITE"), reply(180, "Ringing"), pause(4))
    peer = sipp(*ringing, reply(200, "OK", body=sdp()), expect("ACK"), *OK_TO_BYE)
    async with page_at(house.gateway.signal_url, user="alice") as page:
        call = await page.call("sipp")
        progress = await call.until("call.progress")
        assert (progress["status"], progress["early_media"]) == (180, False)
        await call.answered()
        await call.hang_up()
    await peer.succeeds()


async def test_a_caller_who_gives_up_cancels(house: House, sipp: Run) -> None:
    cancelled = (expect("CANCEL"), reply(200, "OK"), reply(487, "Request Terminated", to_invite=True), expect("ACK"))
    peer = sipp(expect("INVITE"), reply(180, "Ringing"), *cancelled)
    async with page_at(house.gateway.signal_url, user="alice") as page:
        call = await page.call_without_audio("sipp")
        await call.until("call.progress")
        assert (await call.hang_up())["cause"] == "cancelled"
    await peer.succeeds()


async def test_a_callee_who_hangs_up_ends_the_call_in_words(house: House, sipp: Run) -> None:
    peer = sipp(expect("INVITE"), play(), reply(200, "OK", body=sdp()), expect("ACK"), UNTIL_TOLD, bye_of_callee())
    async with page_at(house.gateway.signal_url, user="alice") as page:
        call = await page.call("sipp")
        await call.answered()
        await peer.go_on()
        ended = await call.ended()
    assert (ended["cause"], ended["sentence"]) == ("hangup", "sipp hung up.")
    await peer.succeeds()


@pytest.mark.parametrize(
    ("status", "phrase", "cause"),
    [
        (302, "Moved Temporarily", "redirected"),
        (403, "Forbidden", "not-allowed"),
        (486, "Busy Here", "busy"),
        (488, "Not Acceptable Here", "no-common-media"),
        (503, "Service Unavailable", "trunk-error"),
        (603, "Decline", "rejected"),
    ],
)
async def test_a_final_response_becomes_a_cause_and_a_sentence(
    house: House, sipp: Run, status: int, phrase: str, cause: str
) -> None:
    peer = sipp(expect("INVITE"), reply(status, phrase), expect("ACK"))
    async with page_at(house.gateway.signal_url, user="alice") as page:
        ended = await (await page.call_without_audio("sipp")).ended()
    assert (ended["cause"], ended["sip_status"]) == (cause, status)
    assert "sipp" in ended["sentence"]
    await peer.succeeds()


async def test_headers_of_the_page_and_of_the_trunk_pass_through(house: House, sipp: Run) -> None:
    asked = expect_header("INVITE", "X-Colour", "blue")
    ringing = reply(180, "Ringing", headers="X-Mood: fine")
    peer = sipp(asked, ringing, pause(0.5), reply(603, "Decline"), expect("ACK"))
    async with page_at(house.gateway.signal_url, user="alice") as page:
        call = await page.call("sipp", headers={"X-Colour": "blue"})
        await call.ended()
    assert {"X-Mood": "fine"} in [message.get("headers") for message in call.messages]
    await peer.succeeds()


async def test_as_many_headers_as_a_page_may_send_fit_into_an_invite(house: House, sipp: Run) -> None:
    most = {f"X-{n:02}": "v" * (MAX_HEADER_BYTES // 16 - len("X-00: \r\n")) for n in range(16)}
    peer = sipp(expect_header("INVITE", "X-15", most["X-15"]), reply(486, "Busy Here"), expect("ACK"))
    async with page_at(house.gateway.signal_url, user="alice") as page:
        call = await page.call("sipp", headers=most)
        assert (await call.ended())["cause"] == "busy"
    await peer.succeeds()


# --- calling -----------------------------------------------------------------------------------------------------


async def test_a_trunk_calls_a_page_and_hangs_up(house: House, sipp: Run) -> None:
    peer = sipp(*RINGS, expect_status(200, keep=True), ack(), play(), UNTIL_TOLD, bye_of_caller(), calls="alice")
    async with page_at(house.gateway.signal_url, user="alice") as page:
        incoming, call = await page.rings()
        assert (incoming["remote"], incoming["display"]) == ("sipp", "Sipp")
        await call.accept()
        await call.answered()
        assert call.audio is not None
        await call.audio.hear_sound()
        await peer.go_on()
        assert (await call.ended())["sentence"] == "sipp hung up."
    await peer.succeeds()


async def test_an_invite_without_offer_is_served(house: House, sipp: Run) -> None:
    """Late offer: ours is in the 200, their answer in the ACK (RFC 3264 §4, RFC 3261 §13.2.1)."""
    answered = (expect_status(200, keep=True), play(), ack(1, sdp()), *OK_TO_BYE)
    peer = sipp(invite(), TRYING, expect_status(180), *answered, calls="alice")
    async with page_at(house.gateway.signal_url, user="alice") as page:
        _, call = await page.rings()
        await call.accept()
        await call.answered()
        await call.until("call.answered")
        await call.hang_up()
    await peer.succeeds()


async def test_hold_and_resume_leave_the_browser_leg_alone(house: House, sipp: Run) -> None:
    answered = (*RINGS, expect_status(200, keep=True), ack(), play(), UNTIL_TOLD)
    held = (reinvite(sdp("sendonly", 2), 2), UNTIL_TOLD, reinvite(sdp("sendrecv", 3), 3), UNTIL_TOLD)
    peer = sipp(*answered, *held, bye_of_caller(4), calls="alice")
    async with page_at(house.gateway.signal_url, user="alice") as page:
        _, call = await page.rings()
        await call.accept()
        await call.answered()
        for _ in range(3):
            await peer.go_on()
        await call.ended()
    await peer.succeeds()
    record = await house.gateway.record(await call.record_id())
    reasons = [entry["why"] for entry in record["journal"] if entry["what"] == "re-INVITE"]
    assert reasons == ["the far end holds the call", "accepted"]
    assert len([entry for entry in record["journal"] if entry["what"] == "DTLS connected"]) == 1


async def test_a_page_refuses_and_the_trunk_learns_it(house: House, sipp: Run) -> None:
    peer = sipp(*RINGS, expect_status(603), ack_of_refusal(), calls="alice")
    async with page_at(house.gateway.signal_url, user="alice") as page:
        _, call = await page.rings()
        await call.reject()
        assert (await call.ended())["cause"] == "rejected"
    await peer.succeeds()


async def test_a_trunk_that_gives_up_stops_the_ringing(house: House, sipp: Run) -> None:
    peer = sipp(*RINGS, pause(0.3), cancel(), calls="alice")
    async with page_at(house.gateway.signal_url, user="alice") as page:
        _, call = await page.rings()
        ended = await call.ended()
    assert (ended["cause"], ended["sentence"]) == ("cancelled", "sipp hung up before the call was answered.")
    await peer.succeeds()


@pytest.mark.parametrize(("number", "status"), [("bob", 480), ("stranger", 404)])
async def test_who_is_not_there_cannot_be_called(house: House, sipp: Run, number: str, status: int) -> None:
    peer = sipp(invite(sdp()), TRYING, expect_status(status), ack_of_refusal(), calls=number)
    await peer.succeeds()
    await eventually(lambda: house.gateway.ask("calls?limit=1")["calls"][0]["sip_status"] == status)
