from typing import Any

from bench.bars import judge_sip
from bench.sipworker import Mill, SipFigures
from sip.messages import Accept, Answered, Ended, Incoming, Invite, Release


class Posted:
    """What an agent was told to do."""

    def __init__(self) -> None:
        self.commands: list[Any] = []

    def post(self, command: Any) -> None:
        self.commands.append(command)


def mill() -> tuple[Mill, Posted, Posted]:
    made, caller, callee = Mill(), Posted(), Posted()
    made.caller, made.callee = caller, callee  # type: ignore[assignment]
    return made, caller, callee


def incoming(leg: str) -> Incoming:
    return Incoming(leg, "caller", "100", "", "", "id", "127.0.0.1:5060", "offer", ())


def test_a_call_that_was_answered_and_hung_up_counts_and_the_next_begins() -> None:
    made, caller, callee = mill()
    made.call()
    made.on_called(incoming("i1"))
    made.on_calling(Answered("c1", "answer", ()))
    made.on_calling(Ended("c1", by="us", status=200))
    assert [type(command) for command in callee.commands] == [Accept]
    assert [type(command) for command in caller.commands] == [Invite, Release, Invite]
    assert (made.done, made.stop()) == (1, {})


def test_a_call_that_failed_does_not_count_and_is_told() -> None:
    made, caller, _ = mill()
    made.call()
    made.on_calling(Ended("c1", by="fault", status=503, detail="overload"))
    made.on_lost("The worker died.")
    assert (made.done, made.stop()) == (0, {"503 overload": 1, "The worker died.": 1})
    made.on_calling(Ended("c2", by="fault", status=503))
    assert len(caller.commands) == 2  # none after the stop


def test_failed_calls_and_a_busy_machine_are_doubts() -> None:
    figures = SipFigures(200, {}, {"others": 0.5, "stolen": 0.1}, {"503 overload": 2})
    assert figures.doubts() == [
        "SIP worker: 2 calls failed: 503 overload",
        "SIP worker: others kept 0.6 cores of this machine busy",
    ]
    assert SipFigures(200, {}, {"others": 0.0, "stolen": 0.0}).doubts() == []


def test_the_bar_of_the_sip_worker() -> None:
    assert judge_sip(150, {"caller": 1.0}).holds
    missed = "MISSES  SIP worker: 149 calls per second, 1.00 ms of CPU per call as caller (bar: ≥ 150 calls per second)"
    assert missed in str(judge_sip(149, {"caller": 1.0}))
