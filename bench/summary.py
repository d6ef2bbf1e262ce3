"""Medians, ratios, and the table that is printed at the end. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any, Final

from bench.bars import Bar
from bench.measure import Figures

JOBS: Final = ("transcode", "relay", "relay-cm")
CROWDED_CORES: Final = 0.25
ENOUGH_ROUNDS: Final = 3
"""With fewer the median hides nothing: it is a mean, or the only figure."""
_WAYS: Final = ("to_phone", "to_browser")


def summarize(rounds: Sequence[Figures], primitives: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Medians of each subject and job, what ours are of the others', and medians of the primitives."""
    medians: dict[str, dict[str, Any]] = {}
    for job in JOBS:
        subjects = dict.fromkeys(figures.subject for figures in rounds if figures.job == job)
        medians[job] = {
            subject: _medians([f for f in rounds if (f.subject, f.job) == (subject, job)]) for subject in subjects
        }
    return {
        "medians": medians,
        "ratios": {job: _ratios(rounds, job) for job in JOBS},
        "primitives_us": {name: _round(median(each[name] for each in primitives)) for name in (primitives or [{}])[0]},
    }


def _medians(rounds: Sequence[Figures]) -> dict[str, Any]:
    quality = [figures.quality for figures in rounds if figures.quality]
    return {
        "calls": rounds[0].calls,
        "srtp": rounds[0].srtp,
        "cpu_ms_per_call_second": _round(median(f.cpu_total for f in rounds)),
        "cpu_parts": _part_medians([f.cpu for f in rounds]),
        "set_up_cpu_ms": _round(median(f.set_up_total for f in rounds)),
        "set_up_parts": _part_medians([f.set_up for f in rounds]),
        "memory_kb_per_call": round(median(f.memory_kb for f in rounds)),
        "memory_parts": _part_medians([f.memory for f in rounds]),
        "latency_us": {share: _latency(rounds, share) for share in ("p50", "p99")},
        "pesq": {ear: _round(median(each[ear]["pesq_nb"] for each in quality)) for ear in (quality or [{}])[0]},
        "lost": sum(f.media[way]["lost"] for f in rounds for way in _WAYS),
        "sent": sum(f.media[way]["sent"] for f in rounds for way in _WAYS),
    }


def _part_medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    parts = dict.fromkeys(part for each in rounds for part in each)
    return {part: _round(median(each.get(part, 0.0) for each in rounds)) for part in parts}


def by_round(rounds: Sequence[Figures]) -> list[list[Figures]]:
    """The measurements of each round: the first of every subject and job, the second, and so on."""
    seen: Counter[tuple[str, str]] = Counter()
    found: list[list[Figures]] = []
    for figures in rounds:
        number = seen[figures.subject, figures.job]
        seen[figures.subject, figures.job] += 1
        found += [[]] if number == len(found) else []
        found[number].append(figures)
    return found


def crowd(rounds: Sequence[Figures]) -> list[str]:
    """A doubt for each measurement during which others kept the machine busy."""
    return [
        f"{figures.subject}, {figures.job}, round {number}: others kept {busy:.1f} cores of this machine busy{when}"
        for number, each in enumerate(by_round(rounds), 1)
        for figures in each
        for when, busy in _busy(figures)
        if busy >= CROWDED_CORES
    ]


def few(rounds: Sequence[Figures]) -> list[str]:
    """A doubt when there are not rounds enough for a median that means something."""
    count = len(by_round(rounds))
    return (
        [f"{count} round{'s' * (count != 1)} only: take {ENOUGH_ROUNDS} or more"] if 0 < count < ENOUGH_ROUNDS else []
    )


def _busy(figures: Figures) -> Iterator[tuple[str, float]]:
    for when, shares in (("", figures.shares), (" during set-up", figures.set_up_shares)):
        yield when, shares.get("others", 0.0) + shares.get("stolen", 0.0)


def _latency(rounds: Sequence[Figures], share: str) -> dict[str, float]:
    return {way: median(f.media[way]["latency_us"][share] for f in rounds) for way in _WAYS}


def _ratios(rounds: Sequence[Figures], job: str) -> dict[str, float]:
    """Median of the ratios within each round: what drifts between rounds cancels out."""
    ours = [f for f in rounds if (f.subject, f.job) == ("webtrunk", job)]
    ratios = {}
    for other in ("rtpengine", "floor"):
        theirs = [f for f in rounds if (f.subject, f.job) == (other, job)]
        pairs = [(our.cpu_total, their.cpu_total) for our, their in zip(ours, theirs, strict=False)]
        if pairs:
            ratios[other] = _round(median(our / their for our, their in pairs if their))
    return ratios


def _round(value: float) -> float:
    return round(value, 3)


def table(summary: Mapping[str, Any], bars: Iterable[Bar], faults: Iterable[str]) -> str:
    """The summary for a terminal."""
    blocks = [_block(job, summary) for job in JOBS if summary["medians"][job]]
    doubts = [f"  ! {fault}" for fault in faults]
    primitives = [f"  {name:<36}{us:>18.2f}" for name, us in summary["primitives_us"].items()]
    return "\n\n".join(
        [
            "",
            *blocks,
            "\n".join(["primitives, µs of CPU each", *primitives]),
            "\n".join(["bars of the media core", *map(str, bars)]),
            "\n".join(doubts) or "  no doubts",
        ]
    )


def _block(job: str, summary: Mapping[str, Any]) -> str:
    subjects: Mapping[str, Any] = summary["medians"][job]
    first = next(iter(subjects.values()))
    title = f"{job}, {first['calls']} calls"
    lines = [f"{title:<38}" + "".join(f"{name:>18}" for name in subjects)]
    lines += [f"  {label:<36}" + "".join(f"{cell(each):>18}" for each in subjects.values()) for label, cell in _ROWS]
    ours = subjects.get("webtrunk", {})
    for row, key in ((4, "memory_parts"), (3, "set_up_parts"), (2, "cpu_parts")):  # from below, so that rows stay right
        lines[row:row] = [f"    {part:<34}{value:>18.3f}" for part, value in ours.get(key, {}).items()]
    ratios = ", ".join(f"{value:.2f} of {name}" for name, value in summary["ratios"][job].items())
    return "\n".join([*lines, f"  our CPU: {ratios}" if ratios else ""]).rstrip()


def _both(each: Mapping[str, Any], share: str) -> str:
    ways = each["latency_us"][share]
    return f"{ways['to_phone'] / 1000:.2f} / {ways['to_browser'] / 1000:.2f}"


def _pesq(each: Mapping[str, Any]) -> str:
    return f"{each['pesq']['phone']:.2f} / {each['pesq']['browser']:.2f}" if each["pesq"] else "-"


_ROWS: Final[tuple[tuple[str, Callable[[Mapping[str, Any]], str]], ...]] = (
    ("CPU ms per call-second", lambda each: f"{each['cpu_ms_per_call_second']:.3f}"),
    ("CPU ms per call set up and ended", lambda each: f"{each['set_up_cpu_ms']:.2f}"),
    ("memory per call, kB", lambda each: f"{each['memory_kb_per_call']}"),
    ("latency p50 ms, to phone / browser", lambda each: _both(each, "p50")),
    ("latency p99 ms, to phone / browser", lambda each: _both(each, "p99")),
    ("PESQ, phone / browser", _pesq),
    ("packets lost", lambda each: f"{each['lost']}"),
)
