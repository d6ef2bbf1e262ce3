"""How many calls this machine carries, and what each costs then: `python -m bench --scale`.

Calls are added to one gateway while all of them speak, until it refuses more or a packet is lost.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from bench import cost, health, workshop
from bench.generator import Generator
from bench.measure import LATE_US, connect_all, end_all
from bench.subject import RELAY, TRANSCODE, Connected, Job
from bench.webtrunk import Webtrunk

FEW: Final = 50
WARM_S: Final = 2.0
WINDOW_S: Final = 6.0
BAR: Final = 1.1
MAX_P99_US: Final = 20_000
"""A packet that is later than the next one was sent is as good as lost."""
_STEPS: Final = {TRANSCODE.name: 20, RELAY.name: 75}
_MOST: Final = 1500


@dataclass(frozen=True, slots=True)
class Level:
    """What so many calls did to the gateway."""

    calls: int
    cpu_ms_per_call_second: float
    busy_cores: float
    """Of the whole machine."""
    sent: int
    lost: int
    gateway_socket_drops: int
    """Datagrams that found the gateway's sockets full: lost by the gateway."""
    machine_socket_drops: int
    """Those of all sockets: also the load generator's."""
    latency_p99_us: int
    generator_late_us: int

    @property
    def is_carried(self) -> bool:
        """Nothing lost, nothing late, and the load was what it should be."""
        return not self.lost and self.latency_p99_us <= MAX_P99_US and self.generator_late_us <= LATE_US


def run(jobs: Sequence[str], *, is_written: bool) -> int:
    """Find the limit for each job, print what was seen and the verdict."""
    speech = workshop.prepare()
    results = {}
    for job in (TRANSCODE, RELAY):
        if not jobs or job.name in jobs:
            results[job.name] = asyncio.run(_find_limit(job, speech.words()))
            print("\n".join(["", *results[job.name]["verdict"], ""]))
    if is_written:
        workshop.write("scale", {"jobs": results})
    return 0


async def _find_limit(job: Job, voices: Sequence[str]) -> dict[str, Any]:
    subject, levels, why = Webtrunk(), list[Level](), "as many as were tried"
    async with Generator(workshop.BINARY, voices) as generator, subject:
        calls = await connect_all(subject, generator, job, range(10, 10 + FEW))
        while len(calls) < _MOST:
            levels.append(await _measure(subject, generator, calls))
            print(_line(job, levels[-1]), flush=True)
            if not levels[-1].is_carried:
                why = "at more, packets were lost or late"
                break
            if refusal := await _add(subject, generator, job, calls):
                why = f"more were refused: {refusal}"
                break
        await generator.halt()
        await end_all(calls)
        dropped = await asyncio.to_thread(subject.dropped)
    return {
        "levels": [asdict(level) for level in levels],
        "limit": why,
        "dropped": dropped,
        "verdict": verdict(job.name, levels, why, dropped),
    }


async def _add(subject: Webtrunk, generator: Generator, job: Job, calls: list[Connected]) -> str:
    """The next step of calls; why it was refused, or nothing."""
    first = 10 + len(calls)
    try:
        calls += await connect_all(subject, generator, job, range(first, first + _STEPS[job.name]))
    except ExceptionGroup as refusals:
        known, others = refusals.split((RuntimeError, TimeoutError))
        if others or not known:
            raise
        return str(known.exceptions[0])
    return ""


async def _measure(subject: Webtrunk, generator: Generator, calls: Sequence[Connected]) -> Level:
    watched = dict(subject.processes())
    generator.run()
    await asyncio.sleep(WARM_S)
    generator.mark()
    before, full, errors = cost.read(watched), health.look(watched).udp_drops, health.receive_buffer_errors()
    await asyncio.sleep(WINDOW_S)
    after = cost.read(watched)
    machine_drops, gateway_drops = health.receive_buffer_errors() - errors, health.look(watched).udp_drops - full
    media = await generator.halt()
    generator.run()  # the gateway must feel the load while more calls are added
    ways = (media["to_phone"], media["to_browser"])
    return Level(
        calls=len(calls),
        cpu_ms_per_call_second=round(1000 * sum(after.since(before).values()) / WINDOW_S / len(calls), 3),
        busy_cores=round((after.machine_busy_s - before.machine_busy_s) / WINDOW_S, 2),
        sent=sum(way["sent"] for way in ways),
        lost=sum(way["lost"] for way in ways),
        gateway_socket_drops=gateway_drops,
        machine_socket_drops=machine_drops,
        latency_p99_us=max(way["latency_us"]["p99"] for way in ways),
        generator_late_us=media["latest_send_us"],
    )


def _line(job: Job, level: Level) -> str:
    return (
        f"{job.name:<9} {level.calls:5} calls  {level.cpu_ms_per_call_second:7.3f} ms/call-s"
        f"  machine {level.busy_cores:.2f} of {os.cpu_count()} cores  lost {level.lost} of {level.sent}"
        f" (gateway's sockets {level.gateway_socket_drops}, all {level.machine_socket_drops})"
        f"  p99 {level.latency_p99_us / 1000:.2f} ms  generator late by {level.generator_late_us / 1000:.1f} ms"
    )


def verdict(job: str, levels: Sequence[Level], why: str, dropped: dict[str, int]) -> list[str]:
    """The bars of the media core, in words."""
    carried = [level for level in levels if level.is_carried]
    if not carried:
        return [f"{job}: this machine did not carry {levels[0].calls} calls without loss."]
    few, most = carried[0], carried[-1]
    ratio = most.cpu_ms_per_call_second / few.cpu_ms_per_call_second
    own = ", ".join(f"{count} {name}" for name, count in dropped.items() if count) or "none"
    return [
        f"{job}: {most.calls} calls without loss ({why}).",
        f"  CPU per call {ratio:.2f} of that at {few.calls} calls: {'holds' if ratio <= BAR else 'misses'} {BAR}.",
        f"  Dropped by the gateway's own account, over all levels: {own}; at its sockets: "
        f"{sum(level.gateway_socket_drops for level in carried)}.",
    ]
