"""The sounds of this gateway: ringback, hold music, prompts. Decoded once, kept while there is room, played by legs."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import demo
from call import tones
from call.errors import PeerError
from gateway import soundfiles
from gateway.blame import blaming
from gateway.relays import Sound
from gateway.soundfiles import NARROW_HZ, SAMPLE_BYTES, WIDE_HZ, Samples
from gateway.soundnames import SILENCE, is_country

KEPT_S: Final = 1800.0
"""Sounds of so many seconds are kept for the next time: about 90 MB."""
SHIPPED_MUSIC: Final = Path(demo.__file__).parent / "prompts" / "music.ul"
_SILENCE_MS: Final = 1200

Key = tuple[str, int, int]


class Sounds:
    """Gives sounds by what a setting or an operator calls them; decoding has a thread of its own."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sounds")
        self._kept: OrderedDict[Key, Sound] = OrderedDict()
        self._is_closed = False
        self._ringback: dict[str, Sound] = {}
        self.silence = _silence()
        self.beep = _beep()
        """Says that a call is being recorded."""
        self.music = self.silence
        """What a held caller hears."""

    def prepare(self, source: str) -> None:
        """Decode a file, or make a tone, before anybody asks for it; blocking, and only before the first `get`.

        Raises:
            PeerError: There is no such sound.
        """
        self._find(source)

    async def load(self, music: str, ringback: Mapping[str, str]) -> None:
        """Get ready what the settings name: hold music ("": the music that comes with us), and ringback by trunk.

        Raises:
            TransportError: One of them cannot be used; the sentence names the setting.
        """
        self.music = await self._configured("media.music", music or str(SHIPPED_MUSIC))
        for trunk, source in ringback.items():
            if source:
                self._ringback[trunk] = await self._configured(f"trunk.{trunk}.ringback", source)

    async def _configured(self, key: str, source: str) -> Sound:
        with blaming(key):
            return await self.get(source)

    def ringback(self, trunk: str) -> Sound | None:
        """What callers from a trunk hear while pages ring; None: what their own network plays."""
        return self._ringback.get(trunk)

    async def get(self, source: str) -> Sound:
        """A sound: the file of this name, the ringback tone of a country, or silence.

        Raises:
            PeerError: There is no such sound.
        """
        if source == SILENCE:
            return self.silence
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._find, source)

    def close(self) -> None:
        """Begin nothing more; what is being decoded is given up."""
        self._is_closed = True
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _find(self, source: str) -> Sound:
        """On the sounds' own thread, which alone touches what is kept once there is one."""
        key = _key(source)
        if (sound := self._kept.get(key)) is None:
            sound = self._kept[key] = self._load(source)
        self._kept.move_to_end(key)
        while len(self._kept) > 1 and sum(each.duration_ms for each in self._kept.values()) > KEPT_S * 1000:
            self._kept.popitem(last=False)
        return sound

    def _load(self, source: str) -> Sound:
        samples = _samples_of(source, self._now)
        return Sound(samples.narrow, samples.wide)

    def _now(self) -> float:
        """Once closed, every time is up."""
        return math.inf if self._is_closed else time.monotonic()


def _samples_of(source: str, clock: Callable[[], float]) -> Samples:
    """The ringback tone of a country, or what is in a sound file."""
    return _ringback(source) if is_country(source) else soundfiles.read(Path(source), clock)


def _key(source: str) -> Key:
    """A file that was changed is another sound."""
    try:
        found = Path(source).stat()
    except (OSError, ValueError):
        return source, 0, 0
    return str(Path(source).resolve()), found.st_mtime_ns, found.st_size


def _ringback(country: str) -> Samples:
    if country not in tones.COUNTRIES:
        known = ", ".join(sorted(tones.COUNTRIES))
        raise PeerError(f"The tones of {country} are not known.", hint=f"Known are {known}.")
    tone = tones.TONES[country]["ringback"]
    return Samples(*(tones.samples(tone, rate).tobytes() for rate in (NARROW_HZ, WIDE_HZ)))


def _beep() -> Sound:
    """0.2 s of 1400 Hz: the beep tone of 47 CFR §64.501, known beyond the US, too; the pause fills the last packet."""
    tone = (tones.Pulse((1400,), 200), tones.Pulse((), 20))
    return Sound(*(tones.once(tone, rate).tobytes() for rate in (NARROW_HZ, WIDE_HZ)))


def _silence() -> Sound:
    narrow = bytes(_SILENCE_MS * NARROW_HZ // 1000 * SAMPLE_BYTES)
    return Sound(narrow, narrow * (WIDE_HZ // NARROW_HZ))
