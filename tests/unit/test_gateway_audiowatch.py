import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from call import oneway
from gateway.audiowatch import AudioWatch


@dataclass
class Bench:
    """A watch, with a peer of whom we decide everything."""

    packets: int = 0
    life_ms: float = 0.0
    expects: bool = True
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.watch = AudioWatch(
            "trunk",
            stats=lambda: {"rx_packets": self.packets, "rx_life_ms": self.life_ms},
            expects_audio=lambda: self.expects,
            tell=lambda sentence, _hint: self.told.append(sentence),
        )


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    bench.watch.answered()
    yield bench
    bench.watch.cancel()


async def test_nothing_heard_is_told_once(bench: Bench) -> None:
    bench.watch.judge()
    bench.watch.judge()
    bench.watch.soundless(True)
    assert bench.told == ["Nothing is heard from the far end."]


async def test_a_peer_that_is_heard_is_no_fault(bench: Bench) -> None:
    bench.packets = 200
    bench.watch.judge()
    assert bench.told == []


@pytest.mark.parametrize("is_early", [True, False])
async def test_silence_is_told_before_and_after_the_time_is_up(bench: Bench, is_early: bool) -> None:
    bench.packets = 200
    if is_early:
        bench.watch.soundless(True)
    bench.watch.judge()
    bench.watch.soundless(True)
    assert bench.told == ["The far end sends only silence."]


async def test_a_sound_in_time_takes_the_silence_back(bench: Bench) -> None:
    bench.packets = 200
    bench.watch.soundless(True)
    bench.watch.soundless(False)
    bench.watch.judge()
    assert bench.told == []


async def test_hold_is_no_fault(bench: Bench) -> None:
    bench.expects = False
    bench.watch.judge()
    bench.watch.soundless(True)
    assert bench.told == []


async def test_packets_that_stay_away_in_mid_call_are_told_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oneway, "STOPPED_S", oneway.STALLED_S)
    bench.packets = 200
    bench.watch.judge()
    for _ in range(2):
        bench.watch.stalled()
        async with asyncio.timeout(5):
            while bench.watch._stall is not None:  # noqa: ASYNC110 - the watch has no event for it
                await asyncio.sleep(0.01)
        bench.watch.resumed()
    assert bench.told == ["The far end is no longer heard."]


@pytest.mark.parametrize("fault", ["packets came", "resumed", "hold"])
async def test_a_pause_is_no_fault(bench: Bench, fault: str) -> None:
    bench.watch.stalled()
    timer = bench.watch._stall
    assert timer is not None
    if fault == "resumed":
        bench.watch.resumed()
        assert timer.cancelled()
        return
    bench.packets += fault == "packets came"
    bench.expects = fault != "hold"
    bench.watch.judge_stall({"rx_packets": 0}, 5)
    assert bench.told == []


async def test_silence_suppression_is_no_fault_while_rtcp_comes(bench: Bench) -> None:
    bench.watch.stalled()
    before, bench.life_ms = {"rx_packets": 0}, 4000
    bench.watch.judge_stall(before, 5)
    assert bench.told == []
    bench.watch.judge_stall(before, 13)
    assert bench.told == ["The far end is no longer heard."]


async def test_digital_silence_in_mid_call_is_told_once_and_mildly(bench: Bench) -> None:
    bench.watch.hushed()
    bench.watch.hushed()
    assert bench.told == ["The far end has been silent for a while."]


async def test_before_the_answer_and_after_the_end_nobody_is_waited_for() -> None:
    bench = Bench()
    bench.watch.stalled()
    bench.watch.hushed()
    assert bench.watch._stall is None
    assert bench.told == []
    bench.watch.answered()
    bench.watch.stalled()
    timer = bench.watch._stall
    bench.watch.cancel()
    assert timer is not None
    assert timer.cancelled()
