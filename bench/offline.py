"""What a bad network costs the voice, without a network: the route alone, in seconds; `python -m bench.offline`.

The same patterns and the same judge as `python -m bench.voice`, but neither sockets nor time pass, so that a change of
the jitter buffer or of a codec's settings is judged quickly and always in the same way. See docs/performance.md.
"""

from __future__ import annotations

import argparse
import random
import statistics
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Final

from bench import machine, quality, speech, workshop
from bench.impairment import IMPAIRMENTS, LOST, Impairment
from bench.quality import Verdict
from bench.speech import FRAMES_PER_S, VOICES

_PACKET: Final = struct.Struct("!QHIH")
_BEGINNING: Final = struct.Struct("!QQ")
_RESTLESS_US: Final = 2000
"""Even a good network does not deliver on the microsecond."""
_FIRST: Final = (65_000, 0xFFFF_0000)
"""Sequence number and timestamp to begin with, both soon to wrap."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One stream on one network."""

    voice: str
    to: str
    impairment: Impairment
    seed: int
    expected_loss: int
    ptime_ms: int


def main() -> int:
    """Judge, print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.offline", description=__doc__)
    parser.add_argument("voice", nargs="?", default="opus", choices=list(VOICES), help="what is said (default opus)")
    parser.add_argument("to", nargs="?", default="PCMU", help="codec that is heard (default PCMU)")
    parser.add_argument("--seeds", type=int, default=2, help="patterns of each kind (default 2)")
    parser.add_argument("--seconds", type=int, default=46, help="speech: two whole repetitions (default 46)")
    parser.add_argument("--network", nargs="*", help="only these")
    parser.add_argument("--expected-loss", type=int, default=0, help="percent that the listener reports (default 0)")
    parser.add_argument("--ptime", type=int, default=20, help="frames that are heard, in ms (default 20)")
    options = parser.parse_args()
    kinds = [kind for kind in IMPAIRMENTS if not options.network or kind.name in options.network]
    try:
        speech.prepare(workshop.CACHE, None)
        build = ["cargo", "build", "--release", "--quiet", "--locked", "--example", "replay", *workshop.g729_features()]
        subprocess.run(build, cwd=machine.ROOT / "media", check=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(f"{options.voice} to {options.to:<20} PESQ NB    WB  STOI  delay ms  conceal s")
    with ProcessPoolExecutor() as pool:
        for kind in kinds:
            cells = [
                Cell(options.voice, options.to, kind, seed, options.expected_loss, options.ptime)
                for seed in range(options.seeds)
            ]
            print(_line(kind.name, list(pool.map(_judge, cells, [options.seconds] * len(cells)))), flush=True)
    return 0


def _line(name: str, verdicts: list[Verdict]) -> str:
    def median(values: Iterable[float | None]) -> float:
        return statistics.median(value or 0.0 for value in values)

    scores = f"{median(v.pesq_nb for v in verdicts):>7.2f}{median(v.pesq_wb for v in verdicts):>6.2f}"
    others = f"{median(v.stoi for v in verdicts):>6.2f}{median(v.delay_ms for v in verdicts):>10.0f}"
    return f"  {name:<28}{scores}{others}{median(v.concealed_s for v in verdicts):>11.1f}"


def _judge(cell: Cell, seconds: int) -> Verdict:
    made = speech.prepare(workshop.CACHE, None)
    frames = list(_unpack(made.files[cell.voice].read_bytes()))
    program = machine.ROOT / "media" / "target" / "release" / "examples" / "replay"
    words = ["opus" if "opus" in cell.voice else cell.voice, cell.to, str(cell.ptime_ms), str(cell.expected_loss)]
    packets = b"".join(_arrivals(cell, frames, seconds * FRAMES_PER_S))
    done = subprocess.run([program, *words], input=packets, stdout=subprocess.PIPE, check=True)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "kept"
        path.write_bytes(_BEGINNING.pack(0, 0) + done.stdout)
        is_wideband = {cell.voice, cell.to} <= {"opus", "opus-fec", "G722"}
        return quality.judge(path, cell.to, made, wide=True, is_wideband=is_wideband)


def _arrivals(cell: Cell, frames: list[bytes], count: int) -> Iterator[bytes]:
    """Packets in the order of their arrival; those that are lost never arrive."""
    sequence, timestamp = _FIRST
    ticks = VOICES[cell.voice].clock_hz // FRAMES_PER_S
    delays = cycle(cell.impairment.pattern(cell.seed))
    rng = random.Random(cell.seed)
    sent = []
    for number, frame, delay_us in zip(range(count), cycle(frames), delays, strict=False):
        if delay_us != LOST:
            at_us = number * 1_000_000 // FRAMES_PER_S + delay_us + rng.randrange(_RESTLESS_US)
            head = _PACKET.pack(
                at_us, (sequence + number) % (1 << 16), (timestamp + number * ticks) % (1 << 32), len(frame)
            )
            sent.append((at_us, head + frame))
    sent.sort(key=lambda packet: packet[0])
    return (packet for _, packet in sent)


def _unpack(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("!H", data, at)
        yield data[at + 2 : at + 2 + length]
        at += 2 + length


if __name__ == "__main__":
    sys.exit(main())
