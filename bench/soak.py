"""A long run at half load: memory, descriptors and threads must stay flat; `python -m bench.soak [--minutes N]`.

Half of the calls transcode, half relay. Every minute some end and new ones begin, everything that the gateway holds is
read, and what was lost is counted.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import os
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from bench import cost, health, workshop
from bench.generator import Generator
from bench.health import Health
from bench.measure import connect_all, end_all
from bench.subject import RELAY, TRANSCODE, Connected, Job
from bench.webtrunk import Webtrunk

PROBE_CALLS: Final = 10
PROBE_S: Final = 5.0
SHARE: Final = 0.5
"""Of what the machine could carry, load generator included."""
CHURN: Final = 0.2
"""Share of the calls that are replaced every round."""
ROUND_S: Final = 60.0
# The first quarter may still grow: caches fill, the allocator finds its size.
MAX_GROWTH: Final = 0.03
MAX_GROWTH_KB: Final = 4096


@dataclass(frozen=True, slots=True)
class Sample:
    """One round: what the gateway held at its end, and what became of its packets."""

    at_s: float
    health: Health
    cpu_ms_per_call_second: float
    sent: int
    lost: int
    latency_p99_us: int


def main() -> int:
    """Soak, print the verdict, write the results; 1 when something grew or was lost."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--calls", type=int, default=0, help="instead of half of what the machine could carry")
    parser.add_argument("--no-write", dest="write", action="store_false", help="write no file to bench/results")
    options = parser.parse_args()
    try:
        result = asyncio.run(_soak(options.minutes, options.calls))
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print("\n".join(["", *result["verdict"]]))
    if options.write:
        workshop.write("soak", result)
    return 0 if result["is_flat"] else 1


async def _soak(minutes: float, wanted: int) -> dict[str, Any]:
    speech, subject = workshop.prepare(), Webtrunk()
    numbers = itertools.count(10)
    async with Generator(workshop.BINARY, speech.words()) as generator, subject, _last_words(subject):
        empty = health.look(subject.processes())
        calls = deque(await _connect(subject, generator, numbers, PROBE_CALLS))
        half = wanted or await _half_load(subject, generator, len(calls))
        print(f"{half} calls for {minutes:g} minutes", flush=True)
        calls.extend(await _connect(subject, generator, numbers, half - len(calls)))
        samples = [sample async for sample in _rounds(subject, generator, numbers, calls, minutes)]
        await end_all(list(calls))
        await asyncio.sleep(2.0)  # records are written, sockets closed
        after = health.look(subject.processes())
        dropped = await asyncio.to_thread(subject.dropped)
    problems = judge(samples, empty, after)
    return {
        "calls": half,
        "minutes": minutes,
        "is_flat": not problems,
        "verdict": problems or [_praise(samples)],
        "empty": asdict(empty),
        "after": asdict(after),
        "dropped": dropped,
        "samples": [asdict(sample) for sample in samples],
    }


@contextlib.asynccontextmanager
async def _last_words(subject: Webtrunk) -> AsyncIterator[None]:
    """When it ends badly, the gateway's log says more than we know."""
    try:
        yield
    except Exception:
        print(f"the gateway's log ends:\n{subject.last_words()}", file=sys.stderr)
        raise


def _jobs() -> Iterator[Job]:
    return itertools.cycle((TRANSCODE, RELAY))


async def _connect(subject: Webtrunk, generator: Generator, numbers: Iterator[int], count: int) -> list[Connected]:
    calls: list[Connected] = []
    for job, number in zip(_jobs(), itertools.islice(numbers, max(count, 0)), strict=False):
        calls += await connect_all(subject, generator, job, range(number, number + 1))
    return calls


async def _half_load(subject: Webtrunk, generator: Generator, calls: int) -> int:
    """How many calls take half of this machine, by what a few take."""
    watched = {**subject.processes(), generator.pid: "generator"}
    generator.run()
    before = cost.read(watched)
    await asyncio.sleep(PROBE_S)
    spent = sum(cost.read(watched).since(before).values())
    await generator.halt()
    return max(calls, int(SHARE * (os.cpu_count() or 1) / (spent / PROBE_S / calls)))


async def _rounds(
    subject: Webtrunk, generator: Generator, numbers: Iterator[int], calls: deque[Connected], minutes: float
) -> AsyncIterator[Sample]:
    began = time.monotonic()
    watched = dict(subject.processes())
    round_s = min(ROUND_S, minutes * 60)
    while time.monotonic() - began < minutes * 60 - 1:
        generator.run()
        generator.mark()
        before, started = cost.read(watched), time.monotonic()
        await asyncio.sleep(round_s)
        spent, lasted = sum(cost.read(watched).since(before).values()), time.monotonic() - started
        now = health.look(watched)
        media = await generator.halt()
        ways = (media["to_phone"], media["to_browser"])
        sample = Sample(
            at_s=round(time.monotonic() - began, 1),
            health=now,
            cpu_ms_per_call_second=round(1000 * spent / lasted / len(calls), 3),
            sent=sum(way["sent"] for way in ways),
            lost=sum(way["lost"] for way in ways),
            latency_p99_us=max(way["latency_us"]["p99"] for way in ways),
        )
        print(_line(sample), flush=True)
        yield sample
        count = round(CHURN * len(calls))
        await end_all([calls.popleft() for _ in range(count)])
        calls.extend(await _connect(subject, generator, numbers, count))


def _line(sample: Sample) -> str:
    now = sample.health
    return (
        f"{sample.at_s:7.0f} s  {now.memory_kb:7} kB  {now.descriptors:5} descriptors  {now.threads:3} threads"
        f"  {sample.cpu_ms_per_call_second:6.2f} ms/call-s  {sample.lost} of {sample.sent} packets lost"
        f"  p99 {sample.latency_p99_us / 1000:.2f} ms"
    )


def judge(samples: Sequence[Sample], empty: Health, after: Health) -> list[str]:
    """What did not stay flat, in words."""
    quarter = max(1, len(samples) // 4)
    early, late = (_median(part) for part in (samples[quarter : 2 * quarter] or samples, samples[-quarter:]))
    found = []
    growth_kb = late.memory_kb - early.memory_kb
    if growth_kb > max(MAX_GROWTH * early.memory_kb, MAX_GROWTH_KB):
        found.append(f"Memory grew by {growth_kb} kB, from {early.memory_kb} to {late.memory_kb} kB.")
    for name in ("descriptors", "threads"):
        was, became = getattr(early, name), getattr(late, name)
        if became > was * (1 + MAX_GROWTH):
            found.append(f"{name.capitalize()} grew from {was} to {became}.")
    # A descriptor or two more than before the first call belong to what is opened once, such as the database.
    if after.descriptors > empty.descriptors + 10 or after.threads > empty.threads + 10:
        found.append(
            f"After all calls {after.descriptors} descriptors and {after.threads} threads are left; "
            f"before them there were {empty.descriptors} and {empty.threads}."
        )
    if lost := sum(sample.lost for sample in samples):
        found.append(f"{lost} of {sum(sample.sent for sample in samples)} packets were lost.")
    return found


def _median(samples: Sequence[Sample]) -> Health:
    names = Health.__dataclass_fields__
    return Health(**{name: int(statistics.median(getattr(s.health, name) for s in samples)) for name in names})


def _praise(samples: Sequence[Sample]) -> str:
    first, last = samples[0].health, samples[-1].health
    return (
        f"Flat over {samples[-1].at_s / 60:.0f} minutes: {first.memory_kb} kB then {last.memory_kb} kB, "
        f"{last.descriptors} descriptors, {last.threads} threads; none of {sum(s.sent for s in samples)} packets lost."
    )


if __name__ == "__main__":
    sys.exit(main())
