"""Messages that cross, come twice, come late or never: RFC 5407 and RFC 3665 through the whole gateway.

After each the call is over on both sides, its record says why, and nothing is left. The table that
names the test of every flow is in docs/sip-flows.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.gateway import GatewayProcess, settings_for, trunk_to
from tests.harness.media import Phone
from tests.harness.pagelike import PageLike
from tests.harness.ports import free_port
from tests.interop.race_scene import ANSWER, OTHER, Scene, heard_times, open_scene
from tests.interop.sip_peer import sdp

pytestmark = pytest.mark.interop

TIMER_H_S = 32.0
"""64*T1: how long an ACK is waited for (RFC 3261 §17.2.1, §13.3.1.4)."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    directory: Path = tmp_path_factory.mktemp("races")
    trunk = {"peer": trunk_to(free_port(), ["sipp"])}
    running = GatewayProcess(directory, settings_for(directory, trunk=trunk, session={"grace_s": 1}))
    yield running
    running.stop()


scene = pytest.fixture(open_scene)


# --- many answers to one INVITE --------------------------------------------------------------------------------


async def test_provisional_responses_of_every_kind(scene: Scene) -> None:
    """100, 180 twice, 183 with SDP, an early dialog of another fork (RFC 5407 appendix E), its 200 with other SDP."""
    call, invite = await scene.called()
    for status, body, tag in ((100, "", ""), (180, "", "one"), (180, "", "one"), (183, ANSWER, "one")):
        scene.peer.reply(invite, status, body=body, tag=tag)
    await call.until("call.progress", status=183)
    scene.peer.reply(invite, 183, body=OTHER, tag="two")
    scene.peer.reply(invite, 200, "OK", body=OTHER, tag="two")
    ack = await scene.peer.request("ACK")
    assert ack.header("To").endswith("tag=two")
    await call.answered()
    await scene.hang_up(call)
    bye = await scene.peer.request("BYE")
    assert bye.header("To").endswith("tag=two")
    await scene.over(call, "hangup")


async def test_two_forks_that_both_answer(scene: Scene) -> None:
    """RFC 3261 §13.2.2.4: both are acknowledged; the call is with the first, the second gets BYE."""
    call, invite = await scene.called()
    for tag in ("one", "two"):
        scene.peer.reply(invite, 180, tag=tag)
    scene.peer.reply(invite, 200, "OK", body=ANSWER, tag="one")
    scene.peer.reply(invite, 200, "OK", body=OTHER, tag="two")
    acknowledged = {(await scene.peer.request("ACK")).header("To")[-3:] for _ in range(2)}
    assert acknowledged == {"one", "two"}
    assert (await scene.peer.request("BYE")).header("To").endswith("tag=two")
    await call.answered()
    await scene.hang_up(call)
    assert (await scene.peer.request("BYE")).header("To").endswith("tag=one")
    await scene.over(call, "hangup")


async def test_a_200_whose_sdp_differs_from_the_183s(scene: Scene) -> None:
    """RFC 3261 §13.2.1 forbids it within a dialog, and it happens: media go where the 200 says."""
    with Phone() as early, Phone() as final:
        call = await scene.page.call("sipp")
        invite = await scene.peer.request("INVITE")
        scene.peer.reply(invite, 183, body=sdp(early.address[1]))
        await asyncio.to_thread(early.hear)
        scene.peer.reply(invite, 200, "OK", body=sdp(final.address[1], codecs=(0, 101)))
        await scene.peer.request("ACK")
        await call.answered()
        assert (await asyncio.to_thread(final.hear)).payload_type == 0
        await scene.hang_up(call)
        await scene.over(call, "hangup")


async def test_late_and_duplicate_answers(scene: Scene) -> None:
    """The 200 comes three times and is acknowledged each time; 180, 183 and 486 after it say nothing."""
    call, invite = await scene.called()
    for _ in range(3):
        scene.peer.reply(invite, 200, "OK", body=ANSWER)
    await heard_times(scene.peer, "ACK", 3)
    await call.answered()
    for status in (180, 183, 486):
        scene.peer.reply(invite, status, body=OTHER if status == 183 else "")
    await scene.peer.join(invite).bye()
    await scene.over(call, "hangup")


async def test_a_refusal_that_comes_three_times(scene: Scene) -> None:
    call, invite = await scene.called()
    for _ in range(3):
        scene.peer.reply(invite, 486, "Busy Here")
    await heard_times(scene.peer, "ACK", 3)
    await scene.over(call, "busy")


# --- hanging up at every step, page ------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [None, 100, 180, 183])
async def test_the_page_hangs_up_while_it_calls(scene: Scene, status: int | None) -> None:
    """RFC 3665 §3.8; before any answer the CANCEL waits for one (RFC 3261 §9.1)."""
    call, invite = await scene.called()
    if status:
        scene.peer.reply(invite, status, body=ANSWER if status == 183 else "")
    if status and status > 100:
        await call.until("call.progress")
    await scene.hang_up(call)
    await call.ended()
    if status is None:
        scene.peer.reply(invite, 100, "Trying")
    cancel = await scene.peer.request("CANCEL")
    assert cancel.start.split(" ")[1] == invite.start.split(" ")[1]
    scene.peer.reply(invite, 487, "Request Terminated")
    await scene.peer.request("ACK")
    await scene.over(call, "cancelled")


async def test_the_page_starts_and_hangs_up_at_once(scene: Scene) -> None:
    """Both messages are there before the INVITE is out; a name that was used so can be used again."""
    call = await scene.page.call_without_audio("sipp")
    await scene.hang_up(call)
    invite = await scene.peer.request("INVITE")
    assert (await call.ended())["cause"] == "cancelled"
    scene.peer.reply(invite, 100, "Trying")
    await scene.peer.request("CANCEL")
    scene.peer.reply(invite, 487, "Request Terminated")
    await scene.peer.request("ACK")
    await scene.over(call, "cancelled")


GOES = {"goodbye": PageLike.say_goodbye, "abort": PageLike.abort}
GONE = pytest.mark.parametrize("go", GOES)


@GONE
@pytest.mark.parametrize("status", [100, 183, 200])
async def test_the_page_goes_away_while_it_calls(scene: Scene, status: int, go: str) -> None:
    """With a goodbye at once; without one after the grace."""
    call, invite = await scene.called()
    scene.peer.reply(invite, status, body=ANSWER if status > 180 else "")
    if status > 100:
        await call.until("call.progress" if status == 183 else "call.answered")
    await call.record_id()  # the page that knows it goes
    await GOES[go](scene.page)
    await scene.peer.request("BYE" if status == 200 else "CANCEL")
    if status < 200:
        scene.peer.reply(invite, 487, "Request Terminated")
    await scene.left_nothing(call, "connection-lost")


@GONE
@pytest.mark.parametrize("is_accepted", [False, True])
async def test_the_page_goes_away_while_it_is_called(scene: Scene, is_accepted: bool, go: str) -> None:
    """Unanswered it is refused; a BYE waits for the ACK of our 200 (RFC 3261 §15)."""
    call, dialog = await scene.rings()
    if is_accepted:
        await scene.accept(call)
        await dialog.response(200)
    await GOES[go](scene.page)
    if is_accepted:
        dialog.ack()
        await scene.peer.request("BYE")
    else:
        await scene.peer.heard(lambda m: m.status >= 400 and "INVITE" in m.header("CSeq"))
        dialog.ack_refusal()
    await scene.left_nothing(call, "connection-lost")


async def test_a_200_that_crosses_our_cancel(scene: Scene) -> None:
    """RFC 5407 §3.1.2 and appendix C, we are the caller: the call stands at the far end, so it gets ACK and BYE."""
    call, invite = await scene.called()
    scene.peer.reply(invite, 180, "Ringing")
    await call.until("call.progress")
    await scene.hang_up(call)
    await scene.peer.request("CANCEL")
    scene.peer.reply(invite, 200, "OK", body=ANSWER)
    await scene.peer.request("ACK")
    await scene.peer.request("BYE")
    await scene.over(call, "cancelled")


async def test_a_cancel_that_nobody_knows(scene: Scene) -> None:
    """481 to the CANCEL, and a 200 afterwards: it was answered in between."""
    scene.peer.confirms = False
    call, invite = await scene.called()
    scene.peer.reply(invite, 180, "Ringing")
    await call.until("call.progress")
    await scene.hang_up(call)
    scene.peer.reply(await scene.peer.request("CANCEL"), 481, "Call Does Not Exist")
    scene.peer.reply(invite, 200, "OK", body=ANSWER)
    await scene.peer.request("ACK")
    scene.peer.reply(await scene.peer.request("BYE"), 200, "OK")
    await scene.over(call, "cancelled")


async def test_the_page_hangs_up_between_our_200_and_the_ack(scene: Scene) -> None:
    """RFC 3261 §15: the callee's BYE waits for the ACK."""
    call, dialog = await scene.rings()
    await scene.accept(call)
    await dialog.response(200)
    await scene.hang_up(call)
    await call.ended()
    dialog.ack()
    await scene.peer.request("BYE")
    await scene.over(call, "hangup")


async def test_the_page_refuses(scene: Scene) -> None:
    """RFC 3665 §3.9 the other way round."""
    call, dialog = await scene.rings()
    await call.reject()
    await dialog.response(603)
    dialog.ack_refusal()
    await scene.over(call, "rejected")


async def test_the_page_refuses_and_the_ack_is_lost(scene: Scene) -> None:
    """Timer G (RFC 3261 §17.2.1): our refusal is repeated until it is acknowledged."""
    call, dialog = await scene.rings()
    await call.reject()
    await dialog.response(603)
    await heard_times(scene.peer, "SIP/2.0 603", 3)
    dialog.ack_refusal()
    await scene.over(call, "rejected")


# --- hanging up at every step, peer ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "final", "cause"), [(None, 486, "busy"), (100, 486, "busy"), (180, 603, "rejected"), (183, 486, "busy")]
)
async def test_the_peer_refuses(scene: Scene, before: int | None, final: int, cause: str) -> None:
    """RFC 3665 §3.9."""
    call, invite = await scene.called()
    if before:
        scene.peer.reply(invite, before, body=ANSWER if before == 183 else "")
    scene.peer.reply(invite, final)
    await scene.peer.request("ACK")
    await scene.over(call, cause)


async def test_the_peer_answers_and_hangs_up_at_once(scene: Scene) -> None:
    """BYE on the heels of the 200, before our ACK: RFC 3261 §15 forbids it, and it happens."""
    call, invite = await scene.called()
    scene.peer.reply(invite, 200, "OK", body=ANSWER)
    await scene.peer.join(invite).bye()
    await scene.peer.request("ACK")
    await scene.over(call, "hangup")


async def test_the_peer_gives_up_ringing(scene: Scene) -> None:
    """RFC 3665 §3.8 the other way round; the CANCEL comes twice."""
    call, dialog = await scene.rings()
    dialog.cancel()
    dialog.cancel()
    await dialog.response(487)
    dialog.ack_refusal()
    await scene.over(call, "cancelled")


async def test_a_peer_that_ends_an_early_dialog_with_bye(scene: Scene) -> None:
    """RFC 5407 appendix A, RFC 3261 §15.1.2: 200 to the BYE, 487 to the INVITE."""
    call, dialog = await scene.rings()
    await dialog.bye()
    await dialog.response(487)
    await scene.over(call, "cancelled", "hangup")


async def test_a_cancel_that_crosses_our_200(scene: Scene) -> None:
    """RFC 5407 §3.1.2, we are the callee: it has no effect, the caller says ACK and BYE."""
    call, dialog = await scene.rings()
    await scene.accept(call)
    await dialog.response(200)
    dialog.cancel()
    await scene.peer.heard(lambda m: m.status in (200, 481) and "CANCEL" in m.header("CSeq"))
    dialog.ack()
    await call.answered()
    await dialog.bye()
    await scene.over(call, "hangup")


# --- crossing, lost, repeated ------------------------------------------------------------------------------------


async def test_byes_that_cross(scene: Scene) -> None:
    """RFC 5407 §3.2.1: each side answers the other's."""
    scene.peer.confirms = False
    call, dialog = await scene.talking()
    await scene.hang_up(call)
    bye = await scene.peer.request("BYE")
    dialog.send("BYE")
    await scene.peer.heard(lambda m: m.status in (200, 481) and "BYE" in m.header("CSeq"))
    scene.peer.reply(bye, 200, "OK")
    await scene.over(call, "hangup")


async def test_our_requests_are_repeated_until_they_are_answered(scene: Scene) -> None:
    """Timers A and E (RFC 3261 §17.1)."""
    scene.peer.confirms = False
    call, invite = await scene.called()
    await heard_times(scene.peer, "INVITE", 2)
    scene.peer.reply(invite, 180, "Ringing")
    scene.peer.reply(invite, 200, "OK", body=ANSWER)
    await scene.peer.request("ACK")
    await call.answered()
    await scene.hang_up(call)
    bye = await scene.peer.request("BYE")
    await heard_times(scene.peer, "BYE", 2)
    scene.peer.reply(bye, 200, "OK")
    await scene.over(call, "hangup")


async def test_their_requests_may_be_repeated(scene: Scene) -> None:
    """INVITE, ACK and BYE twice each: one call, one answer, one end."""
    call, dialog = await scene.rings()
    dialog.send_again()
    await scene.accept(call)
    await dialog.response(200)
    dialog.ack()
    dialog.send_again()
    await call.answered()
    dialog.send("BYE")
    dialog.send_again()
    await heard_times(scene.peer, "SIP/2.0 200", 3)
    await scene.over(call, "hangup")
    assert scene.page.incoming.empty()


async def test_an_ack_that_is_lost(scene: Scene) -> None:
    """RFC 3261 §13.3.1.4: the 200 is repeated until the ACK comes; so may the INVITE be (RFC 5407 §3.1.1)."""
    call, dialog = await scene.rings()
    await scene.accept(call)
    await dialog.response(200)
    dialog.send_again()
    await heard_times(scene.peer, "SIP/2.0 200", 3)
    dialog.ack()
    await call.answered()
    await dialog.bye()
    await scene.over(call, "hangup")


async def test_who_never_answers_is_waited_for_so_long_and_no_longer(scene: Scene) -> None:
    """No ACK to our 200: BYE after 64*T1 (RFC 3261 §13.3.1.4). No ACK to our 603, no answer to our CANCEL: all the
    same to the page, and nothing is left after that time (§17.2.1, §9.1)."""
    scene.peer.confirms = False
    deaf, dialog = await scene.rings()
    await deaf.accept()
    await dialog.response(200)
    refused, refusal = await scene.rings()
    await refused.reject()
    await refusal.response(603)
    given_up, invite = await scene.called()
    scene.peer.reply(invite, 180, "Ringing")
    await given_up.until("call.progress")
    await scene.hang_up(given_up)
    await scene.peer.request("CANCEL")
    await heard_times(scene.peer, "CANCEL", 3)
    await heard_times(scene.peer, "SIP/2.0 603", 3)
    assert (await given_up.ended())["cause"] == "cancelled"
    assert (await refused.ended())["cause"] == "rejected"
    bye = await scene.peer.heard(lambda m: m.method == "BYE", patience_s=TIMER_H_S + 8)
    scene.peer.reply(bye, 200, "OK")
    for call, expected in ((deaf, "trunk-unreachable"), (refused, "rejected"), (given_up, "cancelled")):
        await scene.left_nothing(call, expected)


async def test_a_bye_that_crosses_our_200(scene: Scene) -> None:
    """RFC 5407 §3.1.3 and §3.1.6: the caller hangs up, and its ACK comes after its BYE."""
    call, dialog = await scene.rings()
    await scene.accept(call)
    await dialog.response(200)
    await dialog.bye()
    dialog.ack(cseq=1)
    await scene.over(call, "hangup", "cancelled")


# --- offers at the wrong moment ------------------------------------------------------------------------------------


async def test_a_re_invite_before_the_answer_is_refused(scene: Scene) -> None:
    """RFC 3261 §14.2: 491 or 500, each time, and the call goes on."""
    call, invite = await scene.called()
    scene.peer.reply(invite, 183, body=ANSWER)
    await call.until("call.progress")
    dialog = scene.peer.join(invite)
    for _ in range(2):
        dialog.send("INVITE", body=OTHER)
        dialog.send_again()
        refusal = await scene.peer.heard(lambda m: m.status >= 400 and "INVITE" in m.header("CSeq"))
        assert refusal.status in (491, 500)
        dialog.ack_refusal()
    scene.peer.reply(invite, 200, "OK", body=ANSWER)
    await call.answered()
    await dialog.bye()
    await scene.over(call, "hangup")


async def test_a_second_invite_of_a_caller_who_waits_is_refused(scene: Scene) -> None:
    call, dialog = await scene.rings()
    dialog.send("INVITE", body=OTHER)
    refusal = await scene.peer.heard(lambda m: m.status >= 400 and m.header("CSeq") == "2 INVITE")
    assert refusal.status in (491, 500)
    dialog.ack_refusal()
    await scene.accept(call)
    await dialog.response(200)
    dialog.ack(cseq=1)
    await call.answered()
    await dialog.bye()
    await scene.over(call, "hangup")


async def test_a_re_invite_that_overtakes_its_ack(scene: Scene) -> None:
    """RFC 5407 §3.1.4 and §3.1.5: the ACK was lost or is late; refused or served, the call goes on."""
    call, dialog = await scene.rings()
    await scene.accept(call)
    await dialog.response(200)
    dialog.send("INVITE", body=sdp(40000, version=2))
    final = await scene.peer.heard(lambda m: m.status >= 200 and m.header("CSeq") == "2 INVITE")
    assert final.status in (200, 491, 500)
    if final.status == 200:
        dialog.ack()
    else:
        dialog.ack_refusal()
    dialog.ack(cseq=1)
    await call.answered()
    await dialog.bye()
    await scene.over(call, "hangup")


async def test_an_update_before_the_answer_moves_early_media(scene: Scene) -> None:
    """RFC 3311 §5.2: answered at once with our SDP."""
    call, invite = await scene.called()
    scene.peer.reply(invite, 183, body=ANSWER)
    await call.until("call.progress")
    dialog = scene.peer.join(invite)
    dialog.send("UPDATE", body=sdp(50004, version=2))
    answer = await scene.peer.heard(lambda m: "UPDATE" in m.header("CSeq"))
    assert answer.status in (200, 491, 500)
    scene.peer.reply(invite, 200, "OK", body=ANSWER)
    await call.answered()
    await dialog.bye()
    await scene.over(call, "hangup")


async def test_a_bye_that_overtakes_the_answer_to_a_re_invite(scene: Scene) -> None:
    """RFC 5407 appendix B: the peer asks for a hold and hangs up before it hears from us."""
    call, dialog = await scene.talking()
    dialog.send("INVITE", body=sdp(50000, direction="sendonly", version=2))
    await dialog.bye()
    await scene.over(call, "hangup")


async def test_a_re_invite_that_comes_after_our_bye(scene: Scene) -> None:
    """RFC 5407 §3.2.2: the dialog is over for us."""
    scene.peer.confirms = False
    call, dialog = await scene.talking()
    await scene.hang_up(call)
    bye = await scene.peer.request("BYE")
    dialog.send("INVITE", body=sdp(50000, version=2))
    refusal = await scene.peer.heard(lambda m: m.status >= 400 and "INVITE" in m.header("CSeq"))
    assert refusal.status in (481, 487, 488, 491, 500)
    dialog.ack_refusal()
    scene.peer.reply(bye, 200, "OK")
    await scene.over(call, "hangup")


@pytest.mark.parametrize("method", ["UPDATE", "INFO", "NOTIFY"])
async def test_a_request_in_the_mortal_state(scene: Scene, method: str) -> None:
    """RFC 5407 appendix D: after our BYE the dialog knows nothing but BYE. It asks for 481; pjsip says 500 to some."""
    scene.peer.confirms = False
    call, dialog = await scene.talking()
    await scene.hang_up(call)
    bye = await scene.peer.request("BYE")
    dialog.send(method, body=sdp(50000, version=2) if method == "UPDATE" else "")
    refusal = await scene.peer.heard(lambda m: m.status >= 200 and method in m.header("CSeq"))
    assert 400 <= refusal.status < 600, refusal.start
    scene.peer.reply(bye, 200, "OK")
    await scene.over(call, "hangup")
