"""What listens in on calls, as the gateway sees it: each call gets its recording and its tee here."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import Any, Final

from call.codecs import codec_of, is_foreign
from call.errors import PeerError, PolicyError
from gateway.blame import blaming
from gateway.callrecording import CallRecording, Ways
from gateway.calltee import CallTee
from gateway.config import Config
from gateway.configlistening import RecordingSettings
from gateway.livecall import LiveCall
from gateway.recorder import Recorder, check_folder
from gateway.recording import Sources
from gateway.recordingfile import RATE_HZ
from gateway.relays import Relays, Sound
from gateway.sounds import Sounds
from gateway.surroundings import Spawn
from gateway.tee import Destination, Tee, destination

log = logging.getLogger(__name__)

CONSENT: Final = "consent tone"


class Listening:
    """Gives calls what listens in on them."""

    def __init__(
        self,
        config: Config,
        relays: Relays,
        sounds: Sounds,
        spawn: Spawn,
    ) -> None:
        settings = config.recording
        self._settings, self._mode_of = settings, config.recording_mode
        self._relays, self._sounds, self._spawn = relays, sounds, spawn
        self._tee = config.tee
        self._destination: Destination | None = None
        self._tone: Sound | None = None
        self._recorder = _recorder(settings, relays)

    async def load(self) -> None:
        """Get the consent tone ready and look whether the folder can be used.

        Raises:
            TransportError: One of them cannot be used; the sentence names the setting.
        """
        tone = self._settings.consent_tone
        if isinstance(tone, str):
            with blaming("recording.consent_tone"):
                self._tone = await self._sounds.get(tone)
        elif tone:
            self._tone = self._sounds.beep
        if self._recorder is not None:
            with blaming("recording.folder"):
                check_folder(self._settings.folder)
        if self._tee.url:
            with blaming("tee.tls_ca"):
                self._destination = destination(self._tee)

    def attend(self, live: LiveCall) -> None:
        """Let a new call have what listens to it."""
        mode = self._mode_of(live.user, live.trunk_name)
        ways = Ways(
            tap=lambda: self._tap(live),
            tell=live.tell_recording,
            beep=lambda: self._beep(live),
            hush=lambda: _hush(live),
            note=live.note,
            keep=live.keep,
        )
        live.recording = CallRecording(
            live.id, mode, self._recorder, ways, beep_every_s=self._settings.consent_tone_every_s
        )
        if self._destination is not None:
            live.tee = CallTee(lambda: self._make_tee(live), self._spawn)

    def close(self) -> None:
        """Complete what is still being recorded; waits a moment for the disk."""
        if self._recorder is not None:
            self._recorder.close()

    def _tap(self, live: LiveCall) -> Sources | None:
        """Listen to both legs, once there are two.

        Raises:
            PolicyError: There would be silence.
        """
        if live.browser is None or live.browser.media is None or live.trunk is None:
            return None
        if (codec := live.trunk.codec) is not None and is_foreign(codec):
            sentence = f"The call cannot be recorded: its codec, {codec_of(codec).spoken}, is only passed on."
            raise PolicyError(sentence, hint=f"Take it out of trunk.{live.trunk_name}.codecs.")
        start_ms = self._relays.clock_ms
        left, right = (leg.tap(RATE_HZ, start_ms) for leg in (live.browser.media, live.trunk.media))
        return Sources(left, right, start_ms)

    def _make_tee(self, live: LiveCall) -> Tee | None:
        if self._destination is None or live.browser is None or live.browser.media is None or live.trunk is None:
            return None
        legs = {"browser": live.browser.media, "trunk": live.trunk.media}
        wanted = {name: leg for name, leg in legs.items() if self._tee.legs in (name, "both")}
        start_ms = self._relays.clock_ms
        sources = [leg.tap(RATE_HZ, start_ms) for leg in wanted.values()]
        facts = _facts(live, tuple(wanted))
        return Tee(self._destination, sources, start_ms, facts, lambda: self._relays.clock_ms, live.note)

    def _beep(self, live: LiveCall) -> None:
        if self._tone is not None:
            with contextlib.suppress(PeerError):  # the call is ending
                live.announce(self._tone, CONSENT)


def _hush(live: LiveCall) -> None:
    with contextlib.suppress(PeerError):  # the call is ending
        live.withdraw_notice()


def _recorder(settings: RecordingSettings, relays: Relays) -> Recorder | None:
    if not settings.folder:
        return None
    return Recorder(Path(settings.folder).absolute(), settings.format, settings.min_free_bytes, lambda: relays.clock_ms)


def _facts(live: LiveCall, legs: tuple[str, ...]) -> dict[str, Any]:
    """What a tee's server learns of the call."""
    parties = (live.user, live.remote) if live.direction == "outgoing" else (live.remote, live.user)
    return {
        "version": 1,
        "call": live.id,
        "direction": live.direction,
        "from": parties[0],
        "to": parties[1],
        "user": live.user,
        "trunk": live.trunk_name,
        "legs": legs,
        "rate": RATE_HZ,
        "channels": len(legs),
        "encoding": "pcm_s16le",
    }
