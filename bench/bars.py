"""The media core's bars, and whether a run's medians hold them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

FLOOR_BAR: Final = 1.3
"""Of the floor of the same run: near enough, however fast rtpengine may be."""
CPU_BARS: Final[Mapping[str, float]] = {"transcode": 0.45, "relay": 0.6, "relay-cm": 0.6}
"""Of rtpengine's CPU per call-second."""
LATENCY_BARS_US: Final[Mapping[str, tuple[int, int]]] = {
    "transcode": (20_000, 40_000),
    "relay": (50, 300),
    "relay-cm": (50, 300),
}
"""p50 and p99 of what is added, without the codecs' look-ahead: one and two packet times where we transcode."""
MEMORY_BAR_KB: Final = 150
SET_UP_BAR_MS: Final = 10.0
SIP_CALLS_BAR: Final = 150
"""Calls per second set up and torn down by one SIP worker."""
PESQ_MARGIN: Final = 0.05
"""Two runs of the same subject differ by so much."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar and how we stand to it."""

    name: str
    figure: str
    wanted: str
    holds: bool
    misses: tuple[str, ...] = ()
    """Figures of the single rounds that miss it."""

    def __str__(self) -> str:
        text = f"  {'holds ' if self.holds else 'MISSES'}  {self.name}: {self.figure} (bar: {self.wanted})"
        if self.holds and self.misses:
            text += f", by the median only: {len(self.misses)} of the rounds missed it ({'; '.join(self.misses)})"
        return text


def judge(whole: Mapping[str, Any], rounds: Sequence[Mapping[str, Any]] = ()) -> list[Bar]:
    """Every bar that this run has figures for: by its medians, and which of the single rounds miss it."""
    alone = [_judge(each) for each in rounds]
    return [
        replace(bar, misses=tuple(each[name].figure for each in alone if name in each and not each[name].holds))
        for name, bar in _judge(whole).items()
    ]


def _judge(summary: Mapping[str, Any]) -> dict[str, Bar]:
    found: list[Bar] = []
    for job, subjects in summary["medians"].items():
        if ours := subjects.get("webtrunk"):
            found += _of_job(job, ours, subjects.get("rtpengine"), summary["ratios"].get(job, {}))
    return {bar.name: bar for bar in found}


def _of_job(job: str, ours: Mapping[str, Any], theirs: Mapping[str, Any] | None, ratios: Any) -> Iterator[Bar]:
    if ratios:
        bar = CPU_BARS[job]
        holds = ratios.get("rtpengine", bar + 1) <= bar or ratios.get("floor", FLOOR_BAR + 1) <= FLOOR_BAR
        figure = ", ".join(f"{value:.2f} of {name}" for name, value in ratios.items())
        yield Bar(f"{job}, CPU", figure, f"≤ {bar} of rtpengine or ≤ {FLOOR_BAR} of the floor", holds)
    worst = {share: max(ours["latency_us"][share].values()) for share in ("p50", "p99")}
    p50, p99 = LATENCY_BARS_US[job]
    figure = f"p50 {worst['p50'] / 1000:.2f} ms, p99 {worst['p99'] / 1000:.2f} ms"
    wanted = f"≤ {p50 / 1000:g} and {p99 / 1000:g} ms"
    yield Bar(f"{job}, latency", figure, wanted, worst["p50"] <= p50 and worst["p99"] <= p99)
    memory = ours["memory_kb_per_call"]
    yield Bar(f"{job}, memory per call", f"{memory} kB", f"≤ {MEMORY_BAR_KB} kB", memory <= MEMORY_BAR_KB)
    if ours["set_up_cpu_ms"]:
        spent = ours["set_up_cpu_ms"]
        yield Bar(f"{job}, set-up", f"{spent:.1f} ms", f"≤ {SET_UP_BAR_MS:g} ms", spent <= SET_UP_BAR_MS)
    if theirs and ours["pesq"] and theirs["pesq"]:
        pairs = [(ours["pesq"][ear], theirs["pesq"][ear]) for ear in ours["pesq"]]
        figure = ", ".join(f"{our:.2f} beside {their:.2f}" for our, their in pairs)
        yield Bar(f"{job}, PESQ", figure, "no lower", all(our >= their - PESQ_MARGIN for our, their in pairs))


def judge_sip(calls_per_second: float, cpu_ms_per_call: Mapping[str, float]) -> Bar:
    """The bar of the SIP worker, which sets calls up and tears them down without media."""
    spent = ", ".join(f"{ms:.2f} ms of CPU per call as {name}" for name, ms in cpu_ms_per_call.items())
    figure = f"{calls_per_second:.0f} calls per second, {spent}"
    return Bar("SIP worker", figure, f"≥ {SIP_CALLS_BAR} calls per second", calls_per_second >= SIP_CALLS_BAR)
