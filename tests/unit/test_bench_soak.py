import os

from bench import health, scale, soak
from bench.health import Health
from bench.scale import Level
from bench.soak import Sample

EMPTY = Health(memory_kb=60_000, descriptors=30, threads=5, udp_drops=0)


def samples(*memory_kb: int, descriptors: int = 230, lost: int = 0) -> list[Sample]:
    return [
        Sample(60.0 * number, Health(kb, descriptors, 5, 0), 2.0, 10_000, lost, 300)
        for number, kb in enumerate(memory_kb, 1)
    ]


def level(calls: int, cpu: float, lost: int = 0) -> Level:
    return Level(calls, cpu, 1.0, 10_000, lost, 0, 0, 300, 100)


def test_memory_that_settles_is_flat() -> None:
    assert soak.judge(samples(90_000, 99_000, 100_000, 100_000, 100_500, 100_200, 100_400, 100_300), EMPTY, EMPTY) == []


def test_memory_that_creeps_is_not() -> None:
    found = soak.judge(samples(*range(100_000, 180_000, 10_000)), EMPTY, EMPTY)
    assert found[0].startswith("Memory grew by ")


def test_what_is_left_open_after_the_calls_is_named() -> None:
    left = Health(memory_kb=60_000, descriptors=45, threads=5, udp_drops=0)
    assert "45 descriptors" in soak.judge(samples(100_000), EMPTY, left)[0]


def test_lost_packets_are_counted() -> None:
    assert soak.judge(samples(100_000, 100_000, lost=3), EMPTY, EMPTY) == ["6 of 20000 packets were lost."]


def test_the_largest_level_without_loss_is_compared_with_few_calls() -> None:
    text = scale.verdict("relay", [level(50, 2.0), level(300, 2.1), level(375, 2.6, lost=4)], "x", {"late": 0})
    assert text[0] == "relay: 300 calls without loss (x)."
    assert "1.05 of that at 50 calls: holds 1.1" in text[1]
    assert "none" in text[2]


def test_a_process_is_looked_at() -> None:
    now = health.look({os.getpid(): "me"})
    assert min(now.memory_kb, now.descriptors, now.threads) > 0
    assert health.receive_buffer_errors() >= 0
