"""What a far end hears that no page says: ringback, hold music, prompts; and that nothing of it is heard as a jump."""

from __future__ import annotations

import asyncio
import re
import urllib.error
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.harness.gateway import GatewayProcess, settings_for, trunk_to
from tests.harness.pagelike import PageCall, page_at
from tests.harness.ports import free_port
from tests.harness.tonephone import LOUD, TonePhone, share, tone_file, tone_speech
from tests.interop.sip_peer import Peer, open_peer, sdp

pytestmark = pytest.mark.interop

RINGBACK, FAR, PAGE, MUSIC, PROMPT = 425, 1900, 1400, 700, 1000
"""Hz; each sound of these tests has its own."""
peer = pytest.fixture(open_peer)
QUIET: Final = 0.02


@pytest.fixture(scope="module", params=["quality", "cpu"], ids=["transcoded", "passed on"])
def gateway(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("sounds")
    music = tone_file(folder / "music.wav", MUSIC, 1.2)
    trunk = trunk_to(free_port(), ["peer"], ringback="DE", codecs=["PCMU"], prefer=request.param)
    settings = settings_for(folder, media={"music": str(music)}, trunk={"acme": trunk})
    running = GatewayProcess(folder, settings)
    yield running
    running.stop()


@pytest.fixture
async def phone() -> AsyncIterator[TonePhone]:
    phone = TonePhone(FAR)
    yield phone
    await phone.close()


async def page_hears(call: PageCall, hertz: int) -> None:
    """Wait until the page hears this tone and nothing else; 0 for silence."""
    for _ in range(40):
        samples, rate_hz = await call.listen(0.25)
        if float(abs(samples).max()) < QUIET if hertz == 0 else share(samples, rate_hz, hertz) > LOUD:
            return
    raise AssertionError(f"the page did not hear {hertz} Hz")


def port_of(description: str) -> int:
    found = re.search(r"m=audio (\d+)", description)
    assert found, description
    return int(found.group(1))


async def test_everything_that_a_far_end_may_hear_comes_as_one_stream(
    gateway: GatewayProcess, peer: Peer, phone: TonePhone, tmp_path: Path
) -> None:
    prompt = str(tone_file(tmp_path / "prompt.wav", PROMPT, 2.0))
    async with page_at(gateway.signal_url, user="alice") as page:
        dialog = peer.dial(gateway.sip_port, "100", body=sdp(phone.open(), codecs=(0, 101)))
        incoming, call = await page.rings()
        progress = await dialog.response(183)
        phone.talk(port_of(progress.body))
        await phone.hears(RINGBACK)

        await call.accept(tone_speech(PAGE))
        assert port_of((await dialog.response(200)).body) == port_of(progress.body)
        dialog.ack()
        await call.answered()
        await phone.hears(PAGE)
        await page_hears(call, FAR)
        answered = len(phone.heard)

        await page.send({"type": "call.hold", "call": call.name, "on": True})
        await call.until("call.held", on=True)
        await phone.hears(MUSIC)
        await page_hears(call, 0)

        record = str(incoming["record"])
        begin = len(phone.heard)
        said, _, _ = await asyncio.gather(
            asyncio.to_thread(gateway.command, "play", record[:6], prompt),
            phone.hears(PROMPT),
            page_hears(call, PROMPT),
        )
        assert "2.0 s, to both sides" in said
        await asyncio.gather(phone.hears(MUSIC), page_hears(call, 0))
        assert phone.longest_gap_s(begin) < 0.5, "the media threads play, whatever Python does"

        await page.send({"type": "call.hold", "call": call.name, "on": False})
        await call.until("call.held", on=False)
        await phone.hears(PAGE)
        await page_hears(call, FAR)

        await asyncio.to_thread(gateway.command, "play", record, prompt, "--to", "trunk", "--loop")
        await asyncio.gather(phone.hears(PROMPT), page_hears(call, FAR))
        assert "Stopped." in await asyncio.to_thread(gateway.command, "play", record, "--stop")
        await phone.hears(PAGE)
        await call.hang_up()
        await dialog.request("BYE")
    phone.assert_one_stream()
    phone.assert_seamless(answered)
    noted = [entry["what"] for entry in (await gateway.record(record))["journal"]]
    for what in (
        "ringback",
        "hold",
        "held",
        "prompt",
        "prompt ended",
        "hold ended",
        "no longer held",
        "prompt stopped",
    ):
        assert what in noted, noted


async def test_a_page_holds_a_call_that_it_made_and_only_once_it_is_answered(
    gateway: GatewayProcess, phone: TonePhone
) -> None:
    trunk_port = int(gateway.settings["trunk"]["acme"]["port"])
    async with Peer.open(trunk_port) as peer, page_at(gateway.signal_url, user="bob") as page:
        call = await page.call("peer", tone_speech(PAGE))
        invite = await peer.request("INVITE")
        await page.send({"type": "call.hold", "call": call.name, "on": True})
        refused = await call.until("error")
        assert (refused["code"], "answered" in refused["message"]) == ("refused", True)
        peer.reply(invite, 200, "OK", ["Content-Type: application/sdp"], sdp(phone.open(), codecs=(0, 101)))
        phone.talk(port_of(invite.body))
        await call.answered()
        await phone.hears(PAGE)
        await page.send({"type": "call.hold", "call": call.name, "on": True})
        await phone.hears(MUSIC)
        await page_hears(call, 0)
        assert (await call.hang_up())["cause"] == "hangup"
    phone.assert_one_stream()


async def test_a_prompt_that_cannot_be_played_is_refused_in_words(gateway: GatewayProcess, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("no sound " * 50)
    for words in (("abcdef", "DE"), ("--stop", "abcdef")):
        with pytest.raises(AssertionError, match="There is no live call abcdef"):
            await asyncio.to_thread(gateway.command, "play", *words)
    with pytest.raises(urllib.error.HTTPError, match="405"):
        await asyncio.to_thread(gateway.ask, "calls/abcdef/play")


async def test_a_gateway_whose_music_is_no_sound_says_so_and_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "music.txt").write_text("no sound " * 50)
    settings = settings_for(tmp_path, media={"music": str(tmp_path / "music.txt")})
    with pytest.raises(AssertionError, match=r"media\.music: "):
        await asyncio.to_thread(GatewayProcess, tmp_path, settings)
