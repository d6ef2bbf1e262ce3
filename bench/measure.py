"""One measurement: a subject is started, carries its calls, is read at both ends of a window, and is stopped."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench import cost
from bench.generator import Generator
from bench.subject import Connected, Job, Subject

AT_ONCE: Final = 4
"""Calls that are being set up at the same time."""
SETTLE_S: Final = 0.5
"""After the calls are over: late work such as writing records belongs to them."""
JUDGED_CALLS: Final = 1
LATE_US: Final = 20_000
"""A packet sent later than this comes together with the next one: the load was not what it should be."""


@dataclass(frozen=True, slots=True)
class Load:
    """How much, and for how long."""

    calls: int
    churn: int
    """Calls set up and torn down one after the other, to see what that costs."""
    warm_s: float
    window_s: float


@dataclass(slots=True)
class Figures:
    """What one measurement gave. CPU is in ms per call and second, or per call set up and torn down."""

    subject: str
    job: str
    calls: int
    cpu: dict[str, float] = field(default_factory=dict)
    set_up: dict[str, float] = field(default_factory=dict)
    set_up_s: float = 0.0
    memory: dict[str, float] = field(default_factory=dict)
    """kB of each process per call."""
    srtp: str = ""
    media: dict[str, Any] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    """CPU of the load generator, its driver and everything else on the machine, in cores."""
    set_up_shares: dict[str, float] = field(default_factory=dict)
    """The same while calls were set up and torn down."""
    kept: dict[str, str] = field(default_factory=dict)
    quality: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def cpu_total(self) -> float:
        """CPU ms per call-second, everything included."""
        return sum(self.cpu.values())

    @property
    def memory_kb(self) -> float:
        """kB per call, everything included."""
        return sum(self.memory.values())

    @property
    def set_up_total(self) -> float:
        """CPU ms per call set up and torn down, everything included."""
        return sum(self.set_up.values())


async def measure(subject: Subject, job: Job, load: Load, generator: Generator, directory: Path) -> Figures:
    """Measure one subject doing one job."""
    figures = Figures(subject.name, job.name, load.calls)
    async with subject:
        await _churn(subject, generator, job, range(2))  # what is loaded and cached once belongs to no call
        empty_kb = cost.memory_kb(subject.processes())
        calls = await connect_all(subject, generator, job, range(10, 10 + load.calls))
        figures.srtp = calls[0].srtp
        await _carry(figures, subject, calls, load, generator, directory, job)
        full_kb = cost.memory_kb(subject.processes())
        figures.memory = {name: (full_kb[name] - empty_kb[name]) / load.calls for name in full_kb}
        await end_all(calls)
        if load.churn:
            await _measure_set_up(figures, subject, generator, job, load.churn)
    figures.faults += faults(figures.media)
    return figures


async def _carry(
    figures: Figures,
    subject: Subject,
    calls: Sequence[Connected],
    load: Load,
    generator: Generator,
    directory: Path,
    job: Job,
) -> None:
    """Let all calls speak, and read what that costs between two moments."""
    generator.run()
    await asyncio.sleep(load.warm_s)
    for call in calls[:JUDGED_CALLS]:
        for ear, endpoint, codec in (("browser", call.browser, job.browser), ("phone", call.phone, job.phone)):
            path = directory / f"{figures.subject}-{figures.job}-{ear}-{time.monotonic_ns()}.{codec}"
            endpoint.keep(path)
            figures.kept[ear] = str(path)
    generator.mark()
    watched = dict(subject.processes())
    helpers = {generator.pid: "generator", os.getpid(): "driver"}
    began, before, helpers_before = time.monotonic(), cost.read(watched), cost.read(helpers)
    await asyncio.sleep(load.window_s)
    after, helpers_after, lasted = cost.read(watched), cost.read(helpers), time.monotonic() - began
    figures.media = await generator.halt()
    spent = after.since(before)
    figures.cpu = {name: 1000 * s / (lasted * load.calls) for name, s in by_part(spent).items()}
    helped = _merged(helpers_after.since(helpers_before))
    figures.shares = {name: s / lasted for (name, _), s in helped.items()}
    figures.shares |= after.crowd(before, sum(spent.values()) + sum(helped.values()), lasted)


async def _measure_set_up(figures: Figures, subject: Subject, generator: Generator, job: Job, churn: int) -> None:
    watched = dict(subject.processes())
    helpers = {generator.pid: "generator", os.getpid(): "driver"}
    await asyncio.sleep(SETTLE_S)
    began, before, helpers_before = time.monotonic(), cost.read(watched), cost.read(helpers)
    await _churn(subject, generator, job, range(1000, 1000 + churn))
    figures.set_up_s = (time.monotonic() - began) / churn
    await asyncio.sleep(SETTLE_S)
    after, helpers_after, lasted = cost.read(watched), cost.read(helpers), time.monotonic() - began
    spent, helped = after.since(before), _merged(helpers_after.since(helpers_before))
    figures.set_up = {name: 1000 * s / churn for name, s in by_part(spent).items()}
    figures.set_up_shares = {name: s / lasted for (name, _), s in helped.items()}
    figures.set_up_shares |= after.crowd(before, sum(spent.values()) + sum(helped.values()), lasted)


async def connect_all(subject: Subject, generator: Generator, job: Job, numbers: range) -> list[Connected]:
    """Make calls, a few at a time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> Connected:
        async with gate:
            return await subject.connect(generator, job, number)

    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(one(number)) for number in numbers]
    return [task.result() for task in running]


async def end_all(calls: Sequence[Connected]) -> None:
    """End calls, a few at a time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(call: Connected) -> None:
        async with gate:
            await call.end()

    async with asyncio.TaskGroup() as tasks:
        for call in calls:
            tasks.create_task(one(call))


async def _churn(subject: Subject, generator: Generator, job: Job, numbers: range) -> None:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with gate:
            call = await subject.connect(generator, job, number)
            await call.end()

    async with asyncio.TaskGroup() as tasks:
        for number in numbers:
            tasks.create_task(one(number))


def by_part(threads: Mapping[tuple[str, str], float]) -> dict[str, float]:
    """CPU of threads put together: of the gateway's process the Rust threads apart from Python's, else by process."""
    parts: dict[str, float] = {}
    for (process, thread), seconds in threads.items():
        part = process
        if process == "gateway":
            part = "gateway Python" if thread.startswith(("python", "webtrunk")) else "Rust threads"
        parts[part] = parts.get(part, 0.0) + seconds
    return parts


def _merged(threads: Mapping[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    merged: dict[tuple[str, str], float] = {}
    for (process, _), seconds in threads.items():
        merged[process, ""] = merged.get((process, ""), 0.0) + seconds
    return merged


def faults(media: Mapping[str, Any]) -> list[str]:
    """What makes the figures of a measurement doubtful, in words."""
    found = []
    for way in ("to_phone", "to_browser"):
        if media[way]["lost"]:
            found.append(f"{media[way]['lost']} of {media[way]['sent']} packets {way.replace('_', ' ')} were lost")
        if media[way]["duplicates"]:
            found.append(f"{media[way]['duplicates']} packets {way.replace('_', ' ')} came twice")
    if media["unauthentic"]:
        found.append(f"{media['unauthentic']} SRTP packets could not be authenticated")
    if media["refused"]:
        found.append(f"the load generator could not send {media['refused']} packets")
    if media["latest_send_us"] > LATE_US:
        found.append(f"the load generator sent up to {media['latest_send_us'] / 1000:.0f} ms late")
    return found
