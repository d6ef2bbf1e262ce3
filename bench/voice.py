"""Voice on bad networks: PESQ and STOI of both directions, ours beside rtpengine's; `python -m bench.voice`.

Every kind of bad network is one call, and all calls of a subject speak at once. See docs/performance.md.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from bench import quality, workshop
from bench.bars import PESQ_MARGIN
from bench.generator import Generator
from bench.impairment import IMPAIRMENTS, Impairment, words
from bench.quality import Verdict
from bench.rtpengine import RtpEngine
from bench.speech import FRAMES_PER_S, Speech
from bench.subject import BROWSER_OFFSET, JOBS, OFFSET_STEP, PHONE_OFFSET, Connected, Job, Subject
from bench.webtrunk import Webtrunk
from gateway.builtin import transcoded_codecs

Direction = Literal["to-sip", "to-browser"]
DIRECTIONS: Final[tuple[Direction, ...]] = ("to-sip", "to-browser")
_WARM_S: Final = 1.0
"""Before anything is judged: sources are learned, buffers settle."""
FIRST: Final = 10
"""Number of the first call."""
IDEAL: Final = "ideal"
WITHIN: Final = 0.1
"""So near to the ideal we want to be, in PESQ."""
_MAKERS: Final[Mapping[str, Callable[[], Subject]]] = {"webtrunk": Webtrunk, "rtpengine": RtpEngine}


@dataclass(frozen=True, slots=True)
class Cell:
    """One call: its codecs, what the network does to both of its streams, and how the browser encodes."""

    job: Job
    impairment: Impairment
    seed: int
    at_ear: bool = False
    """It is the browser's own way to hear that is bad, and it says so (RTCP); else what both sides send."""

    @property
    def network(self) -> str:
        """As the table names it."""
        where = ", where the browser hears" if self.at_ear else ""
        return self.impairment.name + where + (", browser sends FEC" if "fec" in self.job.spoken else "")

    @property
    def directions(self) -> tuple[Direction, ...]:
        """Those that the network makes worse."""
        return ("to-browser",) if self.at_ear else DIRECTIONS


@dataclass(frozen=True, slots=True)
class Result:
    """How one ear of one cell heard."""

    subject: str
    job: str
    network: str
    seed: int
    direction: Direction
    verdict: Verdict


def main() -> int:
    """Measure, print the table, write the results."""
    options = _options()
    try:
        speech = workshop.prepare()
        cells = _cells(options)
        results = asyncio.run(_measure(options, cells, speech))
    except (workshop.Unavailable, FileNotFoundError, subprocess.CalledProcessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(table(results))
    if options.write:
        workshop.write("voice", {"seconds": options.seconds, "cells": [asdict(result) for result in results]})
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.voice", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=46.0, help="speech that each ear hears: two whole repetitions (default 46)"
    )
    parser.add_argument("--seeds", type=int, default=2, help="patterns of each kind (default 2)")
    parser.add_argument("--only", nargs="*", default=list(_MAKERS), choices=list(_MAKERS), help="subjects")
    parser.add_argument("--jobs", nargs="*", default=["transcode"], choices=list(JOBS), help="default transcode")
    parser.add_argument("--direction", choices=DIRECTIONS, help="judge only this direction")
    parser.add_argument(
        "--network", nargs="*", help=f"only these: {', '.join(i.name for i in IMPAIRMENTS)}".replace("%", "%%")
    )
    parser.add_argument("--loss", nargs="*", help="short for --network 'loss N %%'")
    parser.add_argument("--fec", choices=("both", "on", "off"), default="both", help="of the browser, where it matters")
    parser.add_argument("--no-write", dest="write", action="store_false", help="write no file to bench/results")
    return parser.parse_args()


def _cells(options: argparse.Namespace) -> list[Cell]:
    """Every combination that was asked for; FEC only with losses."""
    wanted = set(options.network or ()) | {f"loss {percent} %" for percent in options.loss or ()}
    wanted = {"none" if name == "loss 0 %" else name for name in wanted}
    kinds = [kind for kind in IMPAIRMENTS if not wanted or kind.name in wanted]
    if unknown := wanted - {kind.name for kind in kinds}:
        raise workshop.Unavailable(f"no such network: {', '.join(sorted(unknown))}")
    for name in options.jobs:
        if JOBS[name].phone not in transcoded_codecs():
            raise FileNotFoundError(
                f"{name}: the media core was built without it; WEBTRUNK_G729=1 make setup builds it in"
            )
    cells = []
    for job in (JOBS[name] for name in options.jobs):
        with_fec = replace(job, voice="opus-fec") if job.browser == "opus" else job
        for kind in kinds:
            can_fec = bool(kind.loss) and job.browser == "opus"
            jobs = [job] * (options.fec != "on" or not can_fec) + [with_fec] * (options.fec != "off" and can_fec)
            cells += [Cell(job, kind, seed) for job in jobs for seed in range(options.seeds)]
            if kind.loss and job.browser == "opus":
                cells += [Cell(job, kind, seed, at_ear=True) for seed in range(options.seeds)]
    return cells


async def _measure(options: argparse.Namespace, cells: Sequence[Cell], speech: Speech) -> list[Result]:
    results = []
    with tempfile.TemporaryDirectory(prefix="webtrunk-voice-") as name, ProcessPoolExecutor() as pool:
        for subject in options.only:
            ears = await _carry(_MAKERS[subject](), cells, options.seconds, speech, Path(name))
            results += await _judge_all(subject, ears, options.direction, speech, pool)
        ears = _ideals(cells, options.seconds, speech, Path(name))
        results += await _judge_all(IDEAL, ears, options.direction, speech, pool)
    return results


Ear = tuple[Cell, Direction, Path]


async def _judge_all(
    subject: str, ears: Sequence[Ear], wanted: Direction | None, speech: Speech, pool: ProcessPoolExecutor
) -> list[Result]:
    ears = [ear for ear in ears if wanted in (None, ear[1])]
    loop = asyncio.get_running_loop()
    verdicts = await asyncio.gather(*(loop.run_in_executor(pool, _judge, *ear, speech) for ear in ears))
    return [
        Result(subject, cell.job.name, cell.network, cell.seed, direction, verdict)
        for (cell, direction, _), verdict in zip(ears, verdicts, strict=True)
    ]


async def _carry(subject: Subject, cells: Sequence[Cell], seconds: float, speech: Speech, directory: Path) -> list[Ear]:
    """All cells at once; where what was heard is kept."""
    ears: list[Ear] = []
    async with Generator(workshop.BINARY, speech.words()) as generator, subject:
        calls = [await subject.connect(generator, cell.job, FIRST + number) for number, cell in enumerate(cells)]
        for number, (cell, call) in enumerate(zip(cells, calls, strict=True)):
            _impair(cell, call, directory / f"pattern-{number}")
        generator.run()
        await asyncio.sleep(_WARM_S)
        for number, (cell, call) in enumerate(zip(cells, calls, strict=True)):
            for direction in cell.directions:
                endpoint = call.phone if direction == "to-sip" else call.browser
                path = directory / f"{subject.name}-{number}-{direction}"
                endpoint.keep(path)
                ears.append((cell, direction, path))
        generator.mark()
        await asyncio.sleep(seconds)
        await generator.halt()
        for call in calls:
            await call.end()
    return ears


def _impair(cell: Cell, call: Connected, stem: Path) -> None:
    """Both directions with patterns of their own."""
    if cell.at_ear:
        call.browser.mishear(_pattern(cell, 0, stem))
        return
    for way, endpoint in enumerate((call.browser, call.phone)):
        endpoint.impair(_pattern(cell, way, stem))


def _pattern(cell: Cell, way: int, stem: Path) -> Path:
    path = stem.with_name(f"{stem.name}-{way}")
    path.write_text(words(cell.impairment.pattern(2 * cell.seed + way)))
    return path


def _ideals(cells: Sequence[Cell], seconds: float, speech: Speech, directory: Path) -> list[Ear]:
    """What could at best be heard: the same packets lost of the same speech, and everything else right.

    Behind our own encoder there is no such thing: what a copy is worth depends on what was spent on it.
    """
    ears: list[Ear] = []
    for number, cell in enumerate(cells):
        if cell.at_ear:
            continue
        job = cell.job
        ways = ((job.browser, job.phone, job.spoken, BROWSER_OFFSET), (job.phone, job.browser, job.phone, PHONE_OFFSET))
        for way, (source, target, voice, offset) in enumerate(ways):
            path = directory / f"{IDEAL}-{number}-{way}"
            pattern = _pattern(cell, way, directory / f"pattern-{number}")
            begins = (FIRST + number) * OFFSET_STEP + offset
            counts = (str(begins), str(round(_WARM_S * FRAMES_PER_S)), str(round(seconds * FRAMES_PER_S)))
            command = [str(workshop.BINARY), "ideal", source, target, voice, str(pattern), *counts, str(path)]
            subprocess.run([*command, *speech.words()], check=True)
            ears.append((cell, DIRECTIONS[way], path))
    return ears


def _judge(cell: Cell, direction: Direction, path: Path, speech: Speech) -> Verdict:
    codec = cell.job.phone if direction == "to-sip" else cell.job.browser
    is_wideband = cell.job.phone == "G722"
    wide = direction == "to-browser" or is_wideband
    return quality.judge(path, codec, speech, wide=wide, is_wideband=is_wideband)


def table(results: Sequence[Result]) -> str:
    """Medians over the seeds, one line per network, one column per subject."""
    subjects = list(dict.fromkeys(result.subject for result in results))
    blocks = []
    for job in dict.fromkeys(result.job for result in results):
        for direction in DIRECTIONS:
            mine = [result for result in results if (result.job, result.direction) == (job, direction)]
            if mine:
                blocks.append("\n".join(_block(f"{job}, {direction}", mine, subjects)))
    return "\n\n".join(["", *blocks, "\n".join(shortfalls(results))])


def shortfalls(results: Sequence[Result]) -> list[str]:
    """Where we are below rtpengine or further from the ideal than `WITHIN`, in words."""
    found = []
    for row in dict.fromkeys((r.job, r.direction, r.network) for r in results):
        scores = {
            subject: statistics.median(r.verdict.pesq_nb for r in results if (*_row(r), r.subject) == (*row, subject))
            for subject in dict.fromkeys(r.subject for r in results if _row(r) == row)
        }
        ours, theirs, ideal = (scores.get(subject) for subject in ("webtrunk", "rtpengine", IDEAL))
        if ours is not None and theirs is not None and ours < theirs - PESQ_MARGIN:
            found.append(f"  ! {', '.join(row)}: PESQ {ours:.2f}, below rtpengine's {theirs:.2f}")
        if ours is not None and ideal is not None and ours < ideal - WITHIN:
            found.append(f"  ! {', '.join(row)}: PESQ {ours:.2f}, ideal {ideal:.2f}")
    heard = {r.subject for r in results}
    passed = {"rtpengine": "nowhere below rtpengine", IDEAL: f"everywhere within {WITHIN} of the ideal"}
    return found or [f"  {', and '.join(words for peer, words in passed.items() if {peer, 'webtrunk'} <= heard)}"]


def _row(result: Result) -> tuple[str, str, str]:
    return result.job, result.direction, result.network


def _block(title: str, results: Sequence[Result], subjects: Sequence[str]) -> Iterable[str]:
    yield f"{title:<36}" + "".join(f"{subject:>44}" for subject in subjects)
    yield f"  {'network':<34}" + "".join(f"{'PESQ NB    WB  STOI  delay ms  conceal s':>44}" for _ in subjects)
    for network in dict.fromkeys(result.network for result in results):
        row = [result for result in results if result.network == network]
        yield f"  {network:<34}" + "".join(_columns([r.verdict for r in row if r.subject == s]) for s in subjects)


def _columns(verdicts: Sequence[Verdict]) -> str:
    def median(key: str) -> float | None:
        values: list[Any] = [getattr(verdict, key) for verdict in verdicts]
        return None if not values or None in values else float(statistics.median(values))

    def text(key: str, form: str) -> str:
        value = median(key)
        return "-" if value is None else format(value, form)

    cells = (text("pesq_nb", ".2f"), text("pesq_wb", ".2f"), text("stoi", ".2f"))
    return f"{cells[0]:>11}{cells[1]:>6}{cells[2]:>6}{text('delay_ms', '.0f'):>10}{text('concealed_s', '.1f'):>11}"


if __name__ == "__main__":
    sys.exit(main())
