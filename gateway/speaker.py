"""What one leg lets its peer hear in the place of the other leg: a prompt, else a background, else nothing."""

from __future__ import annotations

from collections.abc import Callable

from gateway.relays import Leg, Relays, Sound


class Speaker:
    """Plays to one leg. A prompt comes before the background (ringback, hold music) and gives way to it again."""

    def __init__(self, relays: Relays, leg: Leg, note: Callable[[str, str], None]) -> None:
        """`note` tells the journal what, and why."""
        self._relays, self._leg, self._note = relays, leg, note
        self._background: Sound | None = None
        self._prompt: int | None = None

    def set_background(self, sound: Sound | None) -> None:
        """Play this over and over, or let the other leg be heard."""
        if sound is self._background:
            return
        self._background = sound
        if self._prompt is None:
            self._fall_back()

    def play(self, sound: Sound, name: str, *, repeats: bool = False) -> None:
        """Begin a prompt, in the place of an earlier one."""
        self._prompt = self._relays.play(sound, self._leg, repeats=repeats)
        seconds = f"{sound.duration_ms / 1000:.1f} s"
        self._note("prompt", f"{name}, {seconds}, {'over and over' if repeats else 'once'}")

    def stop(self) -> bool:
        """End the prompt; false if there is none."""
        if self._prompt is None:
            return False
        self._note("prompt stopped", "")
        self._fall_back()
        return True

    def on_played(self, number: int) -> None:
        """A sound has ended by itself; perhaps one that was replaced meanwhile."""
        if number == self._prompt:
            self._note("prompt ended", "")
            self._fall_back()

    def on_unplayable(self, number: int) -> None:
        """A sound could not even begin."""
        self._note("sound not played", "the codec of this leg is only passed on, not made here")
        if number == self._prompt:
            self._prompt = None

    def _fall_back(self) -> None:
        self._prompt = None
        if self._background is None:
            self._relays.stop(self._leg)
        else:
            self._relays.play(self._background, self._leg, repeats=True)
