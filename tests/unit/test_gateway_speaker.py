"""What legs play: prompts, ringback, hold music."""

from typing import cast

import pytest

from call.coupling import Accept, Hold, Progress
from call.errors import PeerError
from call.leg import Held
from gateway import relays
from gateway.relays import Leg, Relays, Sound
from gateway.speaker import Speaker
from sip import messages
from tests.unit import test_gateway_browserleg as browser
from tests.unit import test_gateway_trunkleg as trunk
from tests.unit.recorders import SOUNDS, MediaRecorder, RelaysRecorder
from webrtc.signalling import CallHeld

SOUND = Sound(bytes(16_000), bytes(32_000))
OTHER = Sound(bytes(16_000), bytes(32_000))


class Bench:
    def __init__(self) -> None:
        self.relays = RelaysRecorder()
        self.notes: list[str] = []
        self.media = MediaRecorder(1, lambda _: None)
        speaker = Speaker(cast(Relays, self.relays), cast(Leg, self.media), lambda what, _: self.notes.append(what))
        self.speaker = speaker

    @property
    def played(self) -> list[tuple[Sound | None, bool]]:
        return [(sound, repeats) for _, sound, repeats in self.relays.played]


def test_a_prompt_gives_way_to_the_other_leg() -> None:
    bench = Bench()
    bench.speaker.play(SOUND, "hello.wav")
    bench.speaker.on_played(1)
    assert bench.played == [(SOUND, False), (None, False)]
    assert bench.notes == ["prompt", "prompt ended"]


def test_a_prompt_comes_before_the_background_and_gives_way_to_it() -> None:
    bench = Bench()
    bench.speaker.set_background(SOUND)
    bench.speaker.play(OTHER, "hello.wav", repeats=True)
    bench.speaker.set_background(None)
    bench.speaker.set_background(SOUND)
    assert bench.speaker.stop()
    assert bench.played == [(SOUND, True), (OTHER, True), (SOUND, True)]
    assert not bench.speaker.stop()


def test_the_end_of_a_prompt_that_was_replaced_is_no_news() -> None:
    bench = Bench()
    bench.speaker.play(SOUND, "one.wav")
    bench.speaker.play(OTHER, "two.wav")
    bench.speaker.on_played(1)
    assert bench.played == [(SOUND, False), (OTHER, False)]
    bench.speaker.on_played(2)
    assert bench.played[-1] == (None, False)


def test_a_sound_that_the_codec_forbids_is_noted() -> None:
    bench = Bench()
    bench.speaker.play(SOUND, "one.wav")
    bench.speaker.on_unplayable(1)
    assert bench.notes == ["prompt", "sound not played"]
    assert not bench.speaker.stop()


def test_the_same_background_is_not_begun_again() -> None:
    bench = Bench()
    for _ in range(2):
        bench.speaker.set_background(SOUND)
    assert len(bench.played) == 1


def test_a_notice_waits_for_a_prompt_that_plays_once() -> None:
    bench = Bench()
    bench.speaker.play(SOUND, "hello.wav")
    for _ in range(2):
        bench.speaker.announce(OTHER, "consent tone")
    bench.speaker.on_played(1)
    bench.speaker.on_played(2)
    assert bench.played == [(SOUND, False), (OTHER, False), (None, False)]
    assert bench.notes == ["prompt", "prompt ended", "notice"]


def test_a_prompt_that_plays_over_and_over_comes_back_after_a_notice() -> None:
    bench = Bench()
    bench.speaker.set_background(SOUND)
    bench.speaker.play(OTHER, "music.wav", repeats=True)
    bench.speaker.announce(SOUND, "consent tone")
    bench.speaker.announce(SOUND, "consent tone")
    bench.speaker.on_played(3)
    assert bench.played == [(SOUND, True), (OTHER, True), (SOUND, False), (OTHER, True)]
    assert bench.speaker.stop()
    assert bench.played[-1] == (SOUND, True)


def test_a_notice_is_heard_to_its_end_whatever_is_asked_meanwhile() -> None:
    bench = Bench()
    bench.speaker.announce(SOUND, "consent tone")
    bench.speaker.set_background(OTHER)
    bench.speaker.play(OTHER, "one.wav", repeats=True)
    assert bench.speaker.stop()
    bench.speaker.play(OTHER, "two.wav")
    assert bench.played == [(SOUND, False)]
    bench.speaker.on_played(1)
    bench.speaker.on_played(2)
    assert bench.played == [(SOUND, False), (OTHER, False), (OTHER, True)]


def test_a_notice_waits_for_a_prompt_that_is_stopped_or_made_to_repeat() -> None:
    stopped, repeated = Bench(), Bench()
    for bench in (stopped, repeated):
        bench.speaker.play(SOUND, "one.wav")
        bench.speaker.announce(OTHER, "consent tone")
    stopped.speaker.stop()
    repeated.speaker.play(SOUND, "two.wav", repeats=True)
    repeated.speaker.on_played(2)
    assert stopped.played == [(SOUND, False), (OTHER, False)]
    assert repeated.played == [(SOUND, False), (OTHER, False), (SOUND, True)]


def test_a_notice_that_is_withdrawn_while_it_waits_is_not_heard_after_the_prompt() -> None:
    bench = Bench()
    bench.speaker.play(SOUND, "hello.wav")
    bench.speaker.announce(OTHER, "consent tone")
    for _ in range(2):
        bench.speaker.withdraw()
    bench.speaker.on_played(1)
    assert bench.played == [(SOUND, False), (None, False)]
    assert bench.notes == ["prompt", "notice withdrawn", "prompt ended"]


def test_a_notice_that_plays_is_not_cut_off_when_it_is_withdrawn() -> None:
    bench = Bench()
    bench.speaker.announce(OTHER, "consent tone")
    bench.speaker.withdraw()
    bench.speaker.on_played(1)
    assert bench.played == [(OTHER, False), (None, False)]
    assert bench.notes == ["notice"]


def test_a_notice_that_the_codec_forbids_holds_nothing_up() -> None:
    bench = Bench()
    bench.speaker.announce(SOUND, "consent tone")
    bench.speaker.on_unplayable(1)
    bench.speaker.set_background(OTHER)
    bench.speaker.play(SOUND, "one.wav")
    assert bench.played == [(SOUND, False), (OTHER, True), (SOUND, False)]


async def test_a_caller_hears_the_trunks_ringback_as_early_media_until_the_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = trunk.Bench()
    bench.incoming()
    monkeypatch.setitem(SOUNDS._ringback, "carrier", SOUND)
    bench.leg.post(Progress(180, early_media=False))
    progress = bench.worker.commands[-1]
    assert isinstance(progress, messages.Progress)
    assert (progress.status, progress.sdp) == (183, bench.leg._ours.text)
    assert bench.relays.played == [(bench.media, SOUND, True)]
    bench.leg.post(Accept())
    assert bench.relays.played[-1] == (bench.media, None, False)


async def test_without_ringback_or_sdp_the_caller_is_only_told(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, late = trunk.Bench(), trunk.Bench()
    plain.incoming()
    plain.leg.post(Progress(180, early_media=False))
    monkeypatch.setitem(SOUNDS._ringback, "carrier", SOUND)
    late.incoming(None)
    late.leg.post(Progress(180, early_media=False))
    for bench in (plain, late):
        assert bench.worker.commands == [messages.Progress("L1", 180)]
        assert bench.relays.played == []


async def test_a_held_far_end_hears_music_even_after_a_prompt() -> None:
    bench = trunk.Bench()
    bench.answered()
    bench.leg.post(Hold(True))
    bench.leg.speaker.play(SOUND, "hello.wav")
    bench.media.handler(relays.Played(2))
    bench.leg.post(Hold(False))
    assert [sound for _, sound, _ in bench.relays.played] == [SOUNDS.music, SOUND, SOUNDS.music, None]


async def test_a_page_that_holds_hears_silence_and_is_told() -> None:
    bench = browser.Bench()
    bench.call()
    with pytest.raises(PeerError, match="Only an answered call"):
        bench.leg.hold(True)
    bench.leg.post(Accept())
    bench.leg.hold(True)
    assert bench.house.relays.played == [(bench.media, SOUNDS.silence, True)]
    assert bench.caller.sent[-1] == CallHeld("p-1", True)
    assert bench.leg.summary("p-1").held
    bench.leg.hold(False)
    assert bench.house.relays.played[-1] == (bench.media, None, False)
    assert bench.report.events == [Held(True), Held(False)]
    await bench.house.tear_down()
