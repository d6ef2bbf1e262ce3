"""Whether one more call may begin, and how long it may last."""

import pytest

from call.causes import Cause
from call.errors import LimitReached, Overloaded
from gateway.admission import Admission
from gateway.config import LimitSettings, TrunkSettings

ACME = TrunkSettings(host="sip.example", allow=("*",), max_calls=2, max_minutes_per_day=10)


def admission(*checks: object, **limits: float) -> Admission:
    return Admission(LimitSettings.model_validate(limits), {"acme": ACME}, checks)  # type: ignore[arg-type]


def test_a_stopping_gateway_takes_nothing() -> None:
    door = admission()
    door.check()
    door.stop()
    with pytest.raises(Overloaded, match="about to stop"):
        door.check()


def test_a_part_that_is_overloaded_speaks_for_the_whole() -> None:
    def full() -> None:
        raise Overloaded("The gateway is full.")

    with pytest.raises(Overloaded, match="is full"):
        admission(full).check()


def test_user_trunk_and_gateway_each_have_their_cap() -> None:
    door = admission(calls=3, user_calls=1)
    door.begin("1", "alice", "acme")
    with pytest.raises(LimitReached, match="User alice"):
        door.begin("2", "alice", "acme")
    door.begin("2", "bob", "acme")
    with pytest.raises(LimitReached, match="Trunk acme"):
        door.begin("3", "carol", "acme")
    door.end("1")
    door.end("1")
    door.begin("3", "carol", "acme")


def test_the_shortest_allowance_ends_the_call() -> None:
    door = admission(user_minutes_per_day=5)
    door.begin("1", "alice", "acme")
    by_token = door.answer("1", 60)
    assert by_token is not None
    assert by_token[0] == 60
    assert by_token[1].cause is Cause.LIMIT
    by_user = door.answer("1")
    assert by_user is not None
    assert by_user[0] == pytest.approx(300, abs=1)


def test_without_caps_a_call_may_last_for_ever() -> None:
    free = TrunkSettings(host="sip.example", allow=("*",), max_minutes_per_day=0)
    door = Admission(LimitSettings(user_minutes_per_day=0), {"acme": free})
    door.begin("1", "alice", "acme")
    assert door.answer("1") is None
