"""What listens in on calls, as the gateway sees it: each call gets its recording here."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from call.errors import GatewayError, PeerError, TransportError
from gateway.callrecording import CallRecording, Ways
from gateway.configlistening import RecordingMode, RecordingSettings
from gateway.livecall import LiveCall
from gateway.recorder import Recorder
from gateway.recording import Sources
from gateway.recordingfile import RATE_HZ
from gateway.relays import Relays, Sound
from gateway.sounds import Sounds

log = logging.getLogger(__name__)

CONSENT: Final = "consent tone"


class Listening:
    """Gives calls what listens in on them."""

    def __init__(
        self, settings: RecordingSettings, mode_of: Callable[[str, str], RecordingMode], relays: Relays, sounds: Sounds
    ) -> None:
        """`mode_of` says of a user and a trunk whether their calls are recorded."""
        self._settings, self._mode_of, self._relays, self._sounds = settings, mode_of, relays, sounds
        self._tone: Sound | None = None
        self._recorder = _recorder(settings, relays)

    async def load(self) -> None:
        """Get the consent tone ready and look whether the folder can be used.

        Raises:
            TransportError: One of them cannot be used; the sentence names the setting.
        """
        tone = self._settings.consent_tone
        if isinstance(tone, str):
            try:
                self._tone = await self._sounds.get(tone)
            except GatewayError as error:
                raise TransportError(f"recording.consent_tone: {error}", hint=error.hint) from error
        elif tone:
            self._tone = self._sounds.beep
        if self._recorder is not None:
            check_folder(self._settings.folder)

    def attend(self, live: LiveCall) -> None:
        """Let a new call have what listens to it."""
        mode = self._mode_of(live.user, live.trunk_name)
        ways = Ways(
            tap=lambda: self._tap(live), tell=live.tell_recording, beep=lambda: self._beep(live), note=live.note
        )
        live.recording = CallRecording(
            live.id, mode, self._recorder, ways, beep_every_s=self._settings.consent_tone_every_s
        )

    def close(self) -> None:
        """Complete what is still being recorded; waits a moment for the disk."""
        if self._recorder is not None:
            self._recorder.close()

    def _tap(self, live: LiveCall) -> Sources | None:
        if live.browser is None or live.browser.media is None or live.trunk is None:
            return None
        start_ms = self._relays.clock_ms
        left, right = (leg.tap(RATE_HZ, start_ms) for leg in (live.browser.media, live.trunk.media))
        return Sources(left, right, start_ms)

    def _beep(self, live: LiveCall) -> None:
        if self._tone is not None:
            with contextlib.suppress(PeerError):  # the call is ending
                live.play(self._tone, CONSENT, "both")


def _recorder(settings: RecordingSettings, relays: Relays) -> Recorder | None:
    if not settings.folder:
        return None
    free_bytes = settings.min_free_mb * 2**20
    return Recorder(Path(settings.folder), settings.format, free_bytes, lambda: relays.clock_ms)


def check_folder(folder: str) -> None:
    """Make the folder of the recordings and try to write into it.

    Raises:
        TransportError: It cannot be used.
    """
    probe = Path(folder) / ".webtrunk-writes-here"
    try:
        Path(folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        probe.touch()
        probe.unlink()
    except OSError as error:
        sentence = f"recording.folder: {folder} cannot be written: {error.strerror}."
        raise TransportError(sentence, hint="Name a folder that the gateway may write into.") from error
