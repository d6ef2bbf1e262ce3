from itertools import groupby

import pytest

from bench.impairment import IMPAIRMENTS, LOST, Impairment, words
from bench.quality import Verdict
from bench.voice import Result, shortfalls, table


@pytest.mark.parametrize("kind", IMPAIRMENTS, ids=lambda kind: kind.name)
def test_a_pattern_is_the_same_every_time_and_loses_exactly_its_share(kind: Impairment) -> None:
    pattern = kind.pattern(3)
    assert pattern == kind.pattern(3)
    assert pattern.count(LOST) == pytest.approx(kind.loss * len(pattern), abs=kind.burst)
    assert all(delay <= 1000 * max(kind.jitter_ms, 30) for delay in pattern)


def test_another_seed_is_another_pattern() -> None:
    kind = Impairment("loss", loss=0.05)
    assert kind.pattern(0) != kind.pattern(1)


def test_bursts_have_their_length_and_do_not_touch() -> None:
    pattern = Impairment("bursts", loss=0.05, burst=3).pattern(0)
    assert {len(list(run)) for is_lost, run in groupby(pattern, lambda delay: delay == LOST) if is_lost} == {3}


def test_a_pattern_is_written_as_the_load_generator_reads_it() -> None:
    assert words([0, LOST, 4000]) == "0 x 4000\n"


def test_the_table_has_medians_over_the_seeds_beside_each_other() -> None:
    scores = {"webtrunk": (3.1, 3.5, 3.3), "rtpengine": (2.0, 2.2, 2.4)}
    results = [
        Result(subject, "transcode", "loss 5 %", seed, "to-sip", Verdict(score, 0.9, 15.0))
        for subject, each in scores.items()
        for seed, score in enumerate(each)
    ]
    line = next(line for line in table(results).splitlines() if "loss 5 %" in line)
    assert "3.30" in line
    assert "2.20" in line


def test_where_we_fall_short_is_said() -> None:
    def heard(subject: str, score: float) -> Result:
        return Result(subject, "transcode", "loss 5 %", 0, "to-sip", Verdict(score, 0.9, 15.0))

    assert shortfalls([heard("webtrunk", 3.05), heard("rtpengine", 3.0), heard("ideal", 3.1)])[0].startswith(
        "  nowhere"
    )
    assert shortfalls([heard("webtrunk", 3.05), heard("ideal", 3.1)]) == ["  everywhere within 0.1 of the ideal"]
    below, far = shortfalls([heard("webtrunk", 2.5), heard("rtpengine", 3.0), heard("ideal", 3.1)])
    assert "PESQ 2.50, below rtpengine's 3.00" in below
    assert "PESQ 2.50, ideal 3.10" in far
