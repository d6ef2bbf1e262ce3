"""What one leg lets its peer hear in the place of the other leg: a notice, a prompt, a background, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.relays import Leg, Relays, Sound


@dataclass(frozen=True, slots=True)
class _Prompt:
    """What somebody asked for."""

    sound: Sound
    repeats: bool


class Speaker:
    """Plays to one leg. A prompt comes before the background (ringback, hold music) and gives way to it again.

    A notice (the consent tone) is always heard to its end: after a prompt that plays once, and in the midst of one that
    plays over and over, which begins again then.
    """

    def __init__(self, relays: Relays, leg: Leg, note: Callable[[str, str], None]) -> None:
        """`note` tells the journal what, and why."""
        self._relays, self._leg, self._note = relays, leg, note
        self._background: Sound | None = None
        self._prompt: _Prompt | None = None
        self._due: tuple[Sound, str] | None = None
        """A notice that waits for the end of the prompt."""
        self._number: int | None = None
        """The notice or prompt that plays now."""
        self._is_notice = False

    def set_background(self, sound: Sound | None) -> None:
        """Play this over and over, or let the other leg be heard."""
        if sound is self._background:
            return
        self._background = sound
        if self._number is None:
            self._fall_back()

    def play(self, sound: Sound, name: str, *, repeats: bool = False) -> None:
        """Begin a prompt, in the place of an earlier one; after a notice that plays."""
        self._prompt = _Prompt(sound, repeats)
        seconds = f"{sound.duration_ms / 1000:.1f} s"
        self._note("prompt", f"{name}, {seconds}, {'over and over' if repeats else 'once'}")
        if not self._is_notice:
            self._go_on()

    def announce(self, sound: Sound, name: str) -> None:
        """Play a notice; one that plays or waits already is enough."""
        if self._is_notice or self._due is not None:
            return
        self._due = (sound, name)
        if self._prompt is None or self._prompt.repeats:
            self._go_on()

    def withdraw(self) -> None:
        """What a notice says holds no longer: one that waits is never heard."""
        if self._due is not None:
            self._note("notice withdrawn", self._due[1])
            self._due = None

    def stop(self) -> bool:
        """End the prompt; false if there is none."""
        if self._prompt is None:
            return False
        self._note("prompt stopped", "")
        self._prompt = None
        if not self._is_notice:
            self._go_on()
        return True

    def on_played(self, number: int) -> None:
        """A sound has ended by itself; perhaps one that was replaced meanwhile."""
        if number == self._number:
            self._end()
            self._go_on()

    def on_unplayable(self, number: int) -> None:
        """A sound could not even begin; nor could another."""
        self._note("sound not played", "the codec of this leg is only passed on, not made here")
        if number == self._number:
            self._number, self._is_notice, self._prompt, self._due = None, False, None, None

    def _end(self) -> None:
        if not self._is_notice:
            self._note("prompt ended", "")
            self._prompt = None
        self._number, self._is_notice = None, False

    def _go_on(self) -> None:
        """Begin what comes next."""
        if self._due is not None and (self._prompt is None or self._prompt.repeats):
            (sound, name), self._due = self._due, None
            self._note("notice", name)
            self._number, self._is_notice = self._relays.play(sound, self._leg, repeats=False), True
        elif self._prompt is not None:
            self._number = self._relays.play(self._prompt.sound, self._leg, repeats=self._prompt.repeats)
        else:
            self._number = None
            self._fall_back()

    def _fall_back(self) -> None:
        if self._background is None:
            self._relays.stop(self._leg)
        else:
            self._relays.play(self._background, self._leg, repeats=True)
