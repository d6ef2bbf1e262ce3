from typing import Any

from bench.bars import judge
from bench.measure import Figures, by_part, faults
from bench.summary import by_round, crowd, few, summarize, table


def media(lost: int = 0, **changes: Any) -> dict[str, Any]:
    way = {"sent": 100, "lost": lost, "duplicates": 0, "latency_us": {"p50": 50, "p99": 300}}
    return {"to_phone": way, "to_browser": way, "unauthentic": 0, "refused": 0, "latest_send_us": 10} | changes


def figures(subject: str, cpu: float, job: str = "relay") -> Figures:
    heard = {"phone": {"pesq_nb": 3.9}, "browser": {"pesq_nb": 4.0}}
    return Figures(subject, job, 20, cpu={"Rust threads": cpu}, media=media(), quality=heard)


def test_a_ratio_compares_within_a_round_so_that_a_slow_machine_does_not_matter() -> None:
    rounds = [figures("webtrunk", 1), figures("rtpengine", 2), figures("webtrunk", 5), figures("rtpengine", 10)]
    assert summarize(rounds, [])["ratios"]["relay"] == {"rtpengine": 0.5}


def test_the_median_of_each_part_is_given() -> None:
    summary = summarize([figures("webtrunk", cpu) for cpu in (1, 9, 2)], [{"UDP send": 3.0}, {"UDP send": 5.0}])
    assert summary["medians"]["relay"]["webtrunk"]["cpu_parts"] == {"Rust threads": 2}
    assert summary["primitives_us"] == {"UDP send": 4.0}


def test_the_table_names_every_doubt() -> None:
    text = table(
        summarize([figures("webtrunk", 1), figures("floor", 1)], []), [], ["floor, relay: 3 packets were lost"]
    )
    assert "! floor, relay: 3 packets were lost" in text
    assert "1.00 of floor" in text


def test_rust_threads_are_told_from_pythons() -> None:
    threads = {
        ("gateway", "media-0"): 2.0,
        ("gateway", "python"): 1.0,
        ("gateway", "media-1"): 3.0,
        ("SIP worker", "x"): 4.0,
    }
    assert by_part(threads) == {"Rust threads": 5.0, "gateway Python": 1.0, "SIP worker": 4.0}


def test_losses_and_a_late_generator_are_faults() -> None:
    assert faults(media()) == []
    assert faults(media(lost=2))[0] == "2 of 100 packets to phone were lost"
    assert "late" in faults(media(latest_send_us=30_000))[0]


def test_a_crowded_machine_is_a_doubt() -> None:
    alone, crowded = figures("webtrunk", 1), figures("webtrunk", 1)
    crowded.shares = {"others": 1.0, "stolen": 0.5}
    assert crowd([alone]) == []
    assert "1.5 cores" in crowd([crowded])[0]


def test_one_busy_measurement_is_named_among_many_quiet_ones() -> None:
    rounds = [figures(subject, 1) for _ in range(3) for subject in ("webtrunk", "rtpengine")]
    rounds[3].shares = {"others": 0.3}
    rounds[4].set_up_shares = {"others": 0.7}
    assert crowd(rounds) == [
        "rtpengine, relay, round 2: others kept 0.3 cores of this machine busy",
        "webtrunk, relay, round 3: others kept 0.7 cores of this machine busy during set-up",
    ]


def test_fewer_than_three_rounds_are_a_doubt() -> None:
    assert few([figures("webtrunk", 1), figures("floor", 1)]) == ["1 round only: take 3 or more"]
    assert few([figures("webtrunk", 1)] * 3) == few([]) == []


def test_a_bar_that_only_the_median_holds_says_so() -> None:
    rounds = [figures("webtrunk", 1) for _ in range(3)]
    for each, ms in zip(rounds, (9.04, 17.56, 9.5), strict=True):
        each.set_up = {"gateway": ms}
    alone = [summarize(each, []) for each in by_round(rounds)]
    (set_up,) = [bar for bar in judge(summarize(rounds, []), alone) if bar.name == "relay, set-up"]
    assert (set_up.holds, set_up.misses) == (True, ("17.6 ms",))
    assert str(set_up).endswith("(bar: ≤ 10 ms), by the median only: 1 of the rounds missed it (17.6 ms)")


def test_a_bar_holds_by_the_floor_where_rtpengine_is_too_fast() -> None:
    runs = [figures("webtrunk", 1.25), figures("rtpengine", 1.5), figures("floor", 1.0)]
    cpu, latency, memory, pesq = judge(summarize(runs, []))
    assert (cpu.holds, latency.holds, memory.holds, pesq.holds) == (True, True, True, True)
    assert "1.25 of floor" in str(cpu)


def test_a_missed_bar_is_said() -> None:
    slow, better = figures("webtrunk", 2), figures("rtpengine", 2)
    slow.memory, slow.set_up = {"gateway": 151.0}, {"gateway": 10.5}
    better.quality = {"phone": {"pesq_nb": 4.2}, "browser": {"pesq_nb": 4.0}}
    found = judge(summarize([slow, better], []))
    missed = [bar.name for bar in found if not bar.holds]
    assert missed == ["relay, CPU", "relay, memory per call", "relay, set-up", "relay, PESQ"]
    assert "MISSES  relay, memory per call: 151 kB (bar: ≤ 150 kB)" in table(summarize([slow], []), found, [])
