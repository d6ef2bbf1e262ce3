import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from call.causes import Cause, Ending, cancelled, hung_up
from call.codecs import CodecName, Format
from call.coupling import Accept, Command, Press, Progress, Release, Side, Suit
from call.interworking import Choice
from call.leg import Answered, Ended, LegEvent, Pressed, Ringing, Settled
from gateway.browserleg import BrowserLeg
from gateway.callrecord import LIVE, CallRecord
from gateway.livecall import Direction, LiveCall
from gateway.trunkleg import TrunkLeg

BECAUSE = Choice("PCMU", "because")
STOP = Ending(Cause.GATEWAY_ERROR, 503, "The gateway was stopped.")


@dataclass
class LegRecorder:
    """A leg that keeps its commands and confirms its release."""

    emit: Callable[[LegEvent], None]
    codec: CodecName = "PCMU"
    choice: Choice = BECAUSE
    takes_noise: bool = False
    commands: list[Command] = field(default_factory=list)
    fails_on: type[Command] | None = None
    media: Any = None
    speaker: Any = None

    def post(self, command: Command) -> None:
        if self.fails_on is not None and isinstance(command, self.fails_on):
            raise RuntimeError("a bug")
        if self.commands and isinstance(self.commands[-1], Release):
            return  # as the real ones
        self.commands.append(command)
        if isinstance(command, Release):
            self.emit(Ended(command.ending))


class Bench:
    """A call between two recorders, running."""

    def __init__(self, direction: Direction = "outgoing", max_s: float | None = None) -> None:
        self.live = LiveCall("id1", direction, user="alice", remote="echo", trunk="demo", max_s=max_s)
        browser_side = self.live.browser_side
        self.browser = LegRecorder(self.live.report_of(browser_side).emit)
        self.trunk = LegRecorder(self.live.report_of(browser_side.other).emit)
        self.live.browser = cast(BrowserLeg, self.browser)
        self.live.trunk = cast(TrunkLeg, self.trunk)
        self.running = asyncio.create_task(self.live.run())

    async def record(self) -> CallRecord:
        async with asyncio.timeout(5):
            return await self.running


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    bench.running.cancel()
    await asyncio.gather(bench.running, return_exceptions=True)


async def test_answered_call_leaves_a_whole_record(bench: Bench) -> None:
    bench.trunk.emit(Ringing(180))
    bench.trunk.emit(Answered())
    bench.browser.emit(Pressed("5"))
    bench.trunk.emit(Ended(hung_up("echo")))
    record = await bench.record()
    assert bench.browser.commands == [Progress(180, False), Accept(), Release(hung_up("echo"))]
    assert bench.trunk.commands == [Press("5")]
    assert (record.cause, record.sip_status, record.sentence) == ("hangup", 200, "echo hung up.")
    assert (record.user, record.remote, record.trunk, record.direction) == ("alice", "echo", "demo", "outgoing")
    assert record.started_at <= (record.answered_at or 0) <= (record.ended_at or 0)
    assert "PCMU" in record.codecs
    assert [entry["what"] for entry in record.journal] == ["answered", "ends"]


@pytest.mark.parametrize(
    ("browser_codec", "browser_takes", "trunk_takes", "is_said"),
    [
        ("opus", False, True, True),
        ("PCMU", True, True, True),
        ("PCMU", False, True, False),
        ("opus", False, False, False),
        ("PCMU", True, False, False),
    ],
)
async def test_record_says_where_silence_goes_as_comfort_noise(
    bench: Bench, browser_codec: CodecName, browser_takes: bool, trunk_takes: bool, is_said: bool
) -> None:
    bench.browser.choice = Choice(browser_codec, "because")
    bench.browser.takes_noise, bench.trunk.takes_noise = browser_takes, trunk_takes
    assert bench.live.record().codecs.endswith("; silence goes to the trunk as comfort noise.") == is_said


async def test_answer_is_saved_at_once_for_a_gateway_that_may_be_killed(bench: Bench) -> None:
    saved: list[CallRecord] = []
    bench.live.save = saved.append
    bench.live.keep()
    bench.trunk.emit(Answered())
    bench.trunk.emit(Ended(hung_up("echo")))
    await bench.record()
    bench.live.keep()  # as a recording would whose disk is late
    begun, answered = saved
    assert (begun.answered_at, begun.cause) == (None, LIVE)
    assert answered.answered_at is not None
    assert (answered.cause, answered.sentence) == (LIVE, "The call is up.")


async def test_call_that_was_never_answered_has_no_answer_time(bench: Bench) -> None:
    bench.browser.emit(Ended(cancelled("Alice")))
    record = await bench.record()
    assert record.answered_at is None
    assert record.cause == "cancelled"
    assert bench.trunk.commands == [Release(cancelled("Alice"))]


async def test_first_end_is_the_reason_that_is_kept(bench: Bench) -> None:
    bench.browser.emit(Ended(cancelled("Alice")))
    bench.trunk.emit(Ended(hung_up("echo")))
    assert (await bench.record()).cause == "cancelled"


async def test_live_call_has_a_record_too(bench: Bench) -> None:
    record = bench.live.record()
    assert (record.cause, record.ended_at, record.sentence) == (LIVE, None, "The call is being set up.")
    bench.trunk.emit(Answered())
    bench.trunk.emit(Ended(hung_up("echo")))
    await bench.record()


async def test_incoming_call_couples_the_media_before_it_is_answered() -> None:
    bench = Bench("incoming")
    order: list[str] = []
    bench.live.couple_media(lambda: order.append(f"coupled after {len(bench.trunk.commands)}"))
    bench.browser.emit(Ringing(180))
    bench.browser.emit(Answered())
    bench.trunk.emit(Ended(hung_up("+4930")))
    record = await bench.record()
    assert bench.trunk.commands == [Progress(180, False), Accept()]
    assert order[:2] == ["coupled after 0", "coupled after 1"]
    assert record.direction == "incoming"


async def test_limit_ends_an_answered_call_in_words(bench: Bench) -> None:
    words = Ending(Cause.LIMIT, 200, "The minutes are used up.")
    bench.live.on_answer = lambda: bench.live.end(words)
    bench.trunk.emit(Answered())
    record = await bench.record()
    assert (record.cause, record.sentence) == ("limit", "The minutes are used up.")
    assert bench.browser.commands[-1] == bench.trunk.commands[-1] == Release(words)


async def test_login_limits_how_long_a_call_lasts() -> None:
    bench = Bench(max_s=0.01)
    bench.trunk.emit(Answered())
    record = await bench.record()
    assert (record.cause, record.sip_status) == ("limit", 200)
    assert "your login allows" in record.sentence
    assert "max_call_s" in record.hint


async def test_gateway_that_stops_ends_both_legs(bench: Bench) -> None:
    bench.live.end(STOP)
    record = await bench.record()
    assert bench.browser.commands == bench.trunk.commands == [Release(STOP)]
    assert record.sentence == "The gateway was stopped."


async def test_our_own_bug_ends_this_call_and_is_written_down(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.browser.emit(Ringing(180))  # a caller does not ring
    record = await bench.record()
    assert (record.cause, record.sip_status) == ("gateway-error", 500)
    assert "gateway error" in [entry["what"] for entry in record.journal]
    assert any(entry.exc_info for entry in caplog.records)


@pytest.mark.parametrize("command", [Accept, Release])
async def test_leg_that_stumbles_still_lets_the_call_end(bench: Bench, command: type[Command]) -> None:
    bench.browser.fails_on = command
    bench.trunk.emit(Answered())
    bench.trunk.emit(Ended(hung_up("echo")))
    assert (await bench.record()).ended_at is not None


async def test_digits_before_the_answer_are_not_lost_in_early_media(bench: Bench) -> None:
    bench.trunk.emit(Ringing(183, early_media=True))
    bench.browser.emit(Pressed("1"))
    bench.browser.emit(Ended(cancelled("Alice")))
    await bench.record()
    assert Press("1") in bench.trunk.commands


async def test_the_browser_learns_what_the_trunk_speaks_with_the_answer_and_the_record_what_both_do(
    bench: Bench,
) -> None:
    spoken = Format("PCMA", 8)
    bench.trunk.codec = "PCMA"
    bench.trunk.emit(Ringing(183))
    bench.trunk.emit(Settled(spoken))
    bench.trunk.emit(Answered())
    bench.trunk.emit(Settled(spoken))
    bench.browser.emit(Settled(spoken))
    bench.trunk.emit(Ended(hung_up("echo")))
    bench.browser.choice = Choice("PCMA", "because")
    record = await bench.record()
    assert bench.browser.commands == [Progress(183, False), Accept(), Suit(spoken), Release(hung_up("echo"))]
    assert bench.trunk.commands == [Suit(spoken)]
    assert record.codecs == "Both speak PCMA: relayed without transcoding (because)."


def test_sides_follow_the_direction() -> None:
    async def sides() -> list[Side]:
        directions: tuple[Direction, ...] = ("outgoing", "incoming")
        return [LiveCall("x", one, user="u", remote="r", trunk="t").browser_side for one in directions]

    assert asyncio.run(sides()) == [Side.CALLER, Side.CALLEE]
