"""The demo phone's prompts: what is said, and how it becomes µ-law at 8 kHz."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from array import array
from pathlib import Path
from typing import Final

from chores.music import RATE_HZ, compose

VOICE: Final = ("-v", "en-us", "-s", "150", "-p", "45", "-g", "3")
LEVEL: Final = (
    "silence", "1", "0.02", "-50d", "reverse", "silence", "1", "0.02", "-50d", "reverse", "highpass", "200",
    "lowpass", "3600", "rate", "-h", str(RATE_HZ), "norm", "-5", "pad", "0.05", "0.12",
)  # fmt: skip
"""Trim the silence around it, keep the telephone band, bring it to one level."""

SPOKEN: Final = {
    "hello": "Hello, and welcome to web trunk. This is the demo phone. Now speak: you will hear what you say.",
    "early": "This is early media. Nobody has answered yet.",
    "dtmf": "Please press some keys. I will say what I hear.",
    "callback": "I will hang up now, and call you back in a moment.",
    "called-back": "This is the demo phone. You asked for this call.",
    "unknown-caller": "I do not see who is calling, so I can not call back. Goodbye.",
    "0": "zero", "1": "one", "2": "two", "3": "three", "4": "four", "5": "five", "6": "six", "7": "seven",
    "8": "eight", "9": "nine", "star": "star", "hash": "hash", "a": "A", "b": "B", "c": "C", "d": "D",
}  # fmt: skip


def main(folder: Path) -> None:
    """Write every prompt into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for name, words in SPOKEN.items():
            _speak(words, folder / f"{name}.ul", Path(scratch))
    _to_ulaw(array("h", compose()), folder / "music.ul")
    total = sum(path.stat().st_size for path in folder.glob("*.ul"))
    print(f"{len(SPOKEN) + 1} prompts, {total / 1000:.0f} kB, {total / RATE_HZ:.0f} s")


def _speak(words: str, target: Path, scratch: Path) -> None:
    wav = scratch / "spoken.wav"
    subprocess.run(["espeak-ng", *VOICE, "-w", str(wav), words], check=True)
    # -R: the same dither noise every time, so that the files do not change without reason.
    subprocess.run(["sox", "-R", str(wav), "-t", "ul", "-c", "1", str(target), *LEVEL], check=True)


def _to_ulaw(samples: array[int], target: Path) -> None:
    raw = ["-t", "raw", "-r", str(RATE_HZ), "-e", "signed", "-b", "16", "-L", "-c", "1", "-"]
    if sys.byteorder == "big":
        samples.byteswap()
    subprocess.run(["sox", "-R", *raw, "-t", "ul", str(target)], input=samples.tobytes(), check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
