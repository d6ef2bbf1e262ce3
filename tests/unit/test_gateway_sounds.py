import asyncio
import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from call.errors import PeerError, TransportError
from gateway import sounds
from gateway.sounds import Sounds
from tests.unit.test_gateway_soundfiles import write_wav


@pytest.fixture
async def shelf() -> AsyncIterator[Sounds]:
    shelf = Sounds()
    yield shelf
    shelf.close()


async def test_a_file_is_decoded_once_until_it_changes(shelf: Sounds, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", seconds=0.5)
    first, second = await asyncio.gather(shelf.get(str(path)), shelf.get(str(path)))
    assert first is second
    assert first.duration_ms == pytest.approx(500, abs=5)
    write_wav(path, seconds=1)
    assert (await shelf.get(str(path))).duration_ms == pytest.approx(1000, abs=5)


def test_the_consent_tone_is_a_single_beep(shelf: Sounds) -> None:
    assert 200 <= shelf.beep.duration_ms <= 220


async def test_the_oldest_make_room(shelf: Sounds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sounds, "KEPT_S", 1.5)
    paths = [str(write_wav(tmp_path / f"{n}.wav", seconds=0.6)) for n in range(3)]
    first, second, _ = [await shelf.get(path) for path in paths]
    assert await shelf.get(paths[1]) is second
    assert await shelf.get(paths[0]) is not first


async def test_a_gateway_that_stops_waits_for_no_decoder(shelf: Sounds, tmp_path: Path) -> None:
    path = str(write_wav(tmp_path / "a.wav"))
    clock = shelf._now()
    shelf.close()
    assert clock < shelf._now() == math.inf
    with pytest.raises(PeerError, match="takes more than"):
        shelf._find(path)


async def test_settings_are_made_ready(shelf: Sounds, tmp_path: Path) -> None:
    assert shelf.music is shelf.silence
    path = str(write_wav(tmp_path / "a.wav", seconds=0.5))
    await shelf.load("", {"one": "DE", "two": path, "three": ""})
    assert shelf.music.duration_ms == 16_000
    german, file = shelf.ringback("one"), shelf.ringback("two")
    assert german is not None
    assert german.duration_ms == 15_000
    assert file is await shelf.get(path)
    assert shelf.ringback("three") is None
    await shelf.load("silence", {})
    assert shelf.music is shelf.silence


async def test_what_cannot_be_used_is_told_with_its_setting(shelf: Sounds, tmp_path: Path) -> None:
    with pytest.raises(TransportError, match=r"media\.music: The sound .*no\.wav cannot be read"):
        await shelf.load(str(tmp_path / "no.wav"), {})
    with pytest.raises(TransportError, match=r"trunk\.acme\.ringback: The tones of QQ are not known"):
        await shelf.load("silence", {"acme": "QQ"})
