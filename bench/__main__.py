"""Command line of the bench: `python -m bench [--quick]`; see docs/performance.md."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from bench import bars, quality, scale, sipworker, summary, workshop
from bench.floor import Floor
from bench.generator import Generator
from bench.measure import Figures, Load, measure
from bench.rtpengine import RtpEngine
from bench.sipworker import SipFigures
from bench.speech import Speech
from bench.subject import RELAY, RELAY_CM, TRANSCODE, Job, Subject
from bench.webtrunk import Webtrunk

_URGENT: Final = -15

Plan = tuple[tuple[Job, Load], ...]
FULL: Final[Plan] = (
    (TRANSCODE, Load(calls=20, churn=40, warm_s=2, window_s=8)),
    (RELAY, Load(calls=100, churn=40, warm_s=2, window_s=8)),
    (RELAY_CM, Load(calls=100, churn=0, warm_s=2, window_s=8)),
)
QUICK: Final[Plan] = (
    (TRANSCODE, Load(calls=5, churn=10, warm_s=1, window_s=4)),
    (RELAY, Load(calls=20, churn=10, warm_s=1, window_s=4)),
    (RELAY_CM, Load(calls=20, churn=0, warm_s=1, window_s=4)),
)


def main() -> int:
    """Measure, write the results, print the table; 1 when something needed is missing."""
    options = _options()
    if options.scale:
        return scale.run(options.jobs, is_written=options.write)
    try:
        voice = workshop.prepare()
        if options.urgent:
            _hurry()
        makers = _makers(options.only)
        asyncio.run(_rehearse(makers))
        versions = {name: make().version for name, make in makers.items()}
        sip = asyncio.run(sipworker.measure()) if _wants_sip(options) else None
        rounds, primitives = asyncio.run(_all_rounds(options, makers, voice))
    except (FileNotFoundError, PermissionError, ChildProcessError, subprocess.CalledProcessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    summed = summary.summarize(rounds, primitives)
    judged = bars.judge(summed, [summary.summarize(each, []) for each in summary.by_round(rounds)])
    if sip:
        judged.append(bars.judge_sip(sip.calls_per_second, sip.cpu_ms_per_call))
        summed["sip_worker"] = asdict(sip)
    doubts = _doubts(rounds, sip)
    print(summary.table(summed, judged, doubts))
    if options.write:
        bars_met = [asdict(bar) for bar in judged]
        _write(options, rounds, {"versions": versions, **summed, "bars": bars_met, "doubts": doubts})
    return 0


def _hurry() -> None:
    """Go before others on this machine: everything that is started from here on inherits it."""
    os.setpriority(os.PRIO_PROCESS, 0, _URGENT)
    group = Path("/proc/self/autogroup")
    if group.exists():  # then niceness counts only within a session, and the session has one of its own (sched(7))
        group.write_text(str(_URGENT))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="What a call costs; see docs/performance.md.")
    parser.add_argument("--quick", action="store_true", help="one round with few calls, about a minute")
    parser.add_argument("--rounds", type=int, default=0, help="interleaved rounds (default 4, quick 1)")
    parser.add_argument("--only", nargs="*", default=[], help="subjects: webtrunk, rtpengine, floor")
    parser.add_argument("--jobs", nargs="*", default=[], help="jobs: transcode, relay, relay-cm, sip")
    parser.add_argument("--urgent", action="store_true", help="raise the priority, on a machine that others use too")
    parser.add_argument("--scale", action="store_true", help="find how many calls this machine carries instead")
    parser.add_argument("--no-write", dest="write", action="store_false", help="write no file to bench/results")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 4)
    return options


def _wants_sip(options: argparse.Namespace) -> bool:
    return (not options.only or Webtrunk.name in options.only) and (not options.jobs or "sip" in options.jobs)


def _makers(only: list[str]) -> dict[str, Callable[[], Subject]]:
    makers: dict[str, Callable[[], Subject]] = {
        "webtrunk": Webtrunk,
        "rtpengine": RtpEngine,
        "floor": lambda: Floor(workshop.BINARY),
    }
    return {name: make for name, make in makers.items() if not only or name in only}


async def _rehearse(makers: dict[str, Callable[[], Subject]]) -> None:
    """Whether the peer runs on this machine is known before minutes are spent on measuring."""
    if "rtpengine" in makers:
        async with RtpEngine():
            pass


async def _all_rounds(
    options: argparse.Namespace, makers: dict[str, Callable[[], Subject]], voice: Speech
) -> tuple[list[Figures], list[dict[str, float]]]:
    """Every subject does every job once per round, one after the other: what the machine does hits all alike."""
    plan = QUICK if options.quick else FULL
    rounds: list[Figures] = []
    primitives: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory(prefix="webtrunk-bench-") as directory:
        for number in range(options.rounds):
            primitives.append(_primitives(voice))
            for job, load in plan:
                if options.jobs and job.name not in options.jobs:
                    continue
                for make in makers.values():
                    async with Generator(workshop.BINARY, voice.words()) as generator:
                        figures = await measure(make(), job, load, generator, Path(directory))
                    _listen(figures, voice)
                    rounds.append(figures)
                    print(_line(number, figures), flush=True)
    return rounds, primitives


def _primitives(voice: Speech) -> dict[str, float]:
    """CPU µs of each step that the media job is made of."""
    words = [str(workshop.BINARY), "primitives", *voice.words()]
    figures: dict[str, float] = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
    return figures


def _listen(figures: Figures, voice: Speech) -> None:
    """Judge what was kept; after the measurement, because it is work."""
    for ear, path in figures.kept.items():
        verdict = quality.judge(Path(path), Path(path).suffix[1:], voice)
        figures.quality[ear] = asdict(verdict)
        if verdict.pesq_nb < quality.LEAST_PESQ:
            figures.faults.append(f"the {ear} heard the wrong thing: PESQ {verdict.pesq_nb}")
    figures.kept.clear()


def _line(number: int, figures: Figures) -> str:
    latency = figures.media["to_phone"]["latency_us"]
    others = figures.shares["others"] + figures.shares["stolen"]
    return (
        f"round {number + 1}  {figures.job:<9} {figures.subject:<9} {figures.cpu_total:7.3f} ms/call-s"
        f"  set-up {figures.set_up_total:6.2f} ms  {figures.memory_kb:6.0f} kB/call"
        f"  latency {latency['p50']}/{latency['p99']} µs  (others on the machine: {others:.2f} cores)"
        + "".join(f"\n  ! {fault}" for fault in figures.faults)
    )


def _doubts(rounds: list[Figures], sip: SipFigures | None) -> list[str]:
    faults = [f"{figures.subject}, {figures.job}: {fault}" for figures in rounds for fault in figures.faults]
    return summary.few(rounds) + (sip.doubts() if sip else []) + summary.crowd(rounds) + faults


def _write(options: argparse.Namespace, rounds: list[Figures], found: dict[str, Any]) -> None:
    whole = {"quick": options.quick, "urgent": options.urgent, **found}
    workshop.write("quick" if options.quick else "", whole | {"rounds": [asdict(figures) for figures in rounds]})


if __name__ == "__main__":
    sys.exit(main())
