import asyncio

import pytest

from call.causes import Cause, Ending
from call.errors import LimitReached, Overloaded
from gateway.admission import Admission
from gateway.config import LimitSettings, TrunkSettings

TRUNKS = {
    "demo": TrunkSettings(host="h", allow=("*",), max_calls=2, max_minutes_per_day=0),
    "many": TrunkSettings(host="h", allow=("*",), max_minutes_per_day=0),
}
A_MOMENT = 0.2 / 60


def admission(**limits: float) -> Admission:
    return Admission(LimitSettings.model_validate({"user_minutes_per_day": 0} | limits), TRUNKS)


def never(ending: Ending) -> None:
    pytest.fail(f"it ended: {ending}")


def test_stopping_gateway_takes_no_calls() -> None:
    door = admission()
    door.check()
    door.stop()
    with pytest.raises(Overloaded, match="about to stop"):
        door.check()


def test_check_of_the_load_is_asked() -> None:
    def full() -> None:
        raise Overloaded("The gateway is full.")

    with pytest.raises(Overloaded, match="is full"):
        Admission(LimitSettings(), TRUNKS, (full,)).check()


def test_user_and_trunk_have_caps_of_their_own() -> None:
    door = admission(user_calls=1)
    door.begin("a", "demo", caller="alice")
    with pytest.raises(LimitReached, match="User alice has 1 outgoing call") as caught:
        door.begin("b", "demo", caller="alice")
    assert "limits.user_calls" in caught.value.hint
    door.begin("c", "demo", caller="bob")
    with pytest.raises(LimitReached, match="Trunk demo has 2 calls") as caught:
        door.begin("d", "demo", caller="carol")
    assert "trunk.demo.max_calls" in caught.value.hint
    door.end("a")
    door.begin("e", "demo", caller="alice")


async def test_calls_that_come_in_use_up_nothing_of_a_users() -> None:
    door = admission(user_calls=1, user_calls_per_minute=1, user_minutes_per_day=A_MOMENT)
    door.begin("in", "demo")
    door.answer("in", never)
    assert not door._timers, "no minutes of anybody's"
    door.begin("out", "demo", caller="alice")
    with pytest.raises(LimitReached, match="Trunk demo has 2 calls"):
        door.begin("third", "demo")


async def test_call_without_a_limit_has_no_end() -> None:
    door = admission()
    door.begin("a", "demo", caller="alice")
    door.answer("a", never)
    assert not door._timers


async def test_minutes_that_are_used_up_end_all_calls_that_share_them_once_and_in_words() -> None:
    door = admission(user_minutes_per_day=A_MOMENT)
    ends: asyncio.Queue[tuple[str, Ending]] = asyncio.Queue()
    for call_id, caller in (("a", "alice"), ("b", "alice"), ("c", "bob")):
        door.begin(call_id, "many", caller=caller)
    door.answer("a", lambda ending: ends.put_nowait(("a", ending)))
    door.answer("b", lambda ending: ends.put_nowait(("b", ending)))
    async with asyncio.timeout(5):
        (first, ending), (second, _) = await ends.get(), await ends.get()
    assert {first, second} == {"a", "b"}
    assert (ending.cause, ending.sip_status) == (Cause.LIMIT, 200)
    assert ending.sentence.startswith("User alice has used")
    assert "limits.user_minutes_per_day" in ending.hint
    door.end("a")
    door.answer("c", never)
    assert ends.empty(), "they say goodbye, which is not hurried"


async def test_nothing_is_watched_once_nobody_talks() -> None:
    door = admission(user_minutes_per_day=1)
    door.begin("a", "demo", caller="alice")
    door.answer("a", never)
    assert door._timers
    door.end("a")
    assert not door._timers
