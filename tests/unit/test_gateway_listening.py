"""What listens in on calls: whether it can start, and what it gives a call."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, cast

import pytest

from call.codecs import CodecName
from call.errors import PolicyError, TransportError
from gateway.browserleg import BrowserLeg
from gateway.config import Config
from gateway.configfile import check
from gateway.listening import Listening
from gateway.livecall import LiveCall
from gateway.recorder import check_folder
from gateway.relays import Relays
from gateway.trunkleg import TrunkLeg
from tests.harness.transcriber import transcribing
from tests.unit.recorders import SOUNDS
from tests.unit.soundrecorders import Voice
from tests.unit.test_gateway_livecall import LegRecorder


class ClockStub:
    """The media core, in its first second."""

    clock_ms = 5


class TappedLeg:
    """A media leg that remembers from when it is listened to."""

    def __init__(self) -> None:
        self.taps: list[tuple[int, int]] = []

    def tap(self, rate_hz: int, start_ms: int) -> Voice:
        self.taps.append((rate_hz, start_ms))
        return Voice()


def listening(text: str, tasks: list[asyncio.Task[None]] | None = None) -> Listening:
    def spawn(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        (tasks if tasks is not None else []).append(task)
        return task

    return Listening(read(text), cast(Relays, ClockStub()), SOUNDS, spawn)


def read(text: str) -> Config:
    document = f'[auth]\nmode = "open"\n{text}'
    return check(tomllib.loads(document), document, "webtrunk.toml")


def call(direction: Any = "outgoing", codec: CodecName = "PCMU") -> tuple[LiveCall, list[TappedLeg]]:
    live = LiveCall("id1", direction, user="alice", remote="+49", trunk="t")
    legs = [TappedLeg(), TappedLeg()]
    browser, trunk = (LegRecorder(lambda _: None, codec, media=leg) for leg in legs)
    live.browser, live.trunk = cast(BrowserLeg, browser), cast(TrunkLeg, trunk)
    return live, legs


def test_the_folder_is_made_and_nothing_left_in_it(tmp_path: Path) -> None:
    check_folder(str(tmp_path / "new"))
    assert not list((tmp_path / "new").iterdir())


async def test_a_folder_that_cannot_be_written_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TransportError, match=r"recording\.folder"):
        await listening(f'[recording]\nmode = "all"\nfolder = "{tmp_path / "file"}"\n').load()


def test_a_folder_whose_name_no_file_system_takes_is_told() -> None:
    with pytest.raises(TransportError, match="is not the name of a folder"):
        check_folder("a\0b")


def test_a_folder_that_another_one_looks_at_too_can_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "touch", lambda _: None)
    check_folder(str(tmp_path))


async def test_a_consent_tone_that_is_no_sound_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "notice.wav").write_text("no sound")
    text = f'[recording]\nmode = "all"\nfolder = "{tmp_path}"\nconsent_tone = "{tmp_path / "notice.wav"}"\n'
    with pytest.raises(TransportError, match=r"recording\.consent_tone"):
        await listening(text).load()


async def test_authorities_that_are_none_stop_the_start(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(TransportError, match=r"tee\.tls_ca"):
        await listening(f'[tee]\nurl = "wss://x/"\ntls_ca = "{tmp_path / "ca.pem"}"\n').load()


async def test_nothing_listens_in_on_a_call_without_settings() -> None:
    live, legs = call()
    house = listening("")
    await house.load()
    house.attend(live)
    assert live.tee is None
    assert live.recording is not None
    live.recording.on_answer()
    assert [leg.taps for leg in legs] == [[], []]
    house.close()


async def test_both_legs_are_recorded_from_the_same_moment(tmp_path: Path) -> None:
    live, legs = call()
    house = listening(f'[recording]\nmode = "all"\nfolder = "{tmp_path}"\n')
    await house.load()
    house.attend(live)
    assert live.recording is not None
    live.recording.on_answer()
    assert [leg.taps for leg in legs] == [[(16_000, 5)]] * 2
    await live.recording.end()
    house.close()


async def test_a_call_whose_codec_is_only_passed_on_is_not_recorded_as_silence(tmp_path: Path) -> None:
    live, legs = call(codec="ILBC/8000")
    house = listening(f'[recording]\nmode = "on-demand"\nfolder = "{tmp_path}"\n')
    await house.load()
    house.attend(live)
    assert live.recording is not None
    live.recording.on_answer()
    with pytest.raises(PolicyError, match="its codec, ILBC, is only passed on"):
        await live.recording.obey("start")
    assert [leg.taps for leg in legs] == [[], []]
    house.close()


@pytest.mark.parametrize(
    ("direction", "wanted", "channels", "parties"),
    [("outgoing", "both", 2, ("alice", "+49")), ("incoming", "trunk", 1, ("+49", "alice"))],
)
async def test_a_tee_tells_who_talks_and_taps_what_it_may(
    direction: str, wanted: str, channels: int, parties: tuple[str, str]
) -> None:
    live, legs = call(direction)
    tasks: list[asyncio.Task[None]] = []
    async with transcribing() as server:
        house = listening(f'[tee]\nurl = "ws://127.0.0.1:{server.port}/"\nlegs = "{wanted}"\n', tasks)
        await house.load()
        house.attend(live)
        assert live.tee is not None
        live.tee.on_answer()
        hearing = await server.until()
        await live.tee.end()
    assert (hearing.start["from"], hearing.start["to"]) == parties
    assert hearing.start["channels"] == len(hearing.start["legs"]) == channels
    assert sum(len(leg.taps) for leg in legs) == channels
    assert all(task.done() for task in tasks)
