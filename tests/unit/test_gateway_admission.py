import pytest

from call.causes import Cause
from call.errors import LimitReached, Overloaded
from gateway.admission import Admission
from gateway.config import LimitSettings, TrunkSettings

TRUNKS = {"demo": TrunkSettings(host="h", allow=("*",), max_calls=2, max_minutes_per_day=0)}


def admission(**limits: int) -> Admission:
    return Admission(LimitSettings(**({"user_minutes_per_day": 0} | limits)), TRUNKS)


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


def test_calls_that_come_in_use_up_nothing_of_a_users() -> None:
    door = admission(user_calls=1, user_calls_per_minute=1, user_minutes_per_day=1)
    door.begin("in", "demo")
    assert door.answer("in") is None, "no minutes of anybody's"
    door.begin("out", "demo", caller="alice")
    with pytest.raises(LimitReached, match="Trunk demo has 2 calls"):
        door.begin("third", "demo")


def test_call_without_a_limit_has_no_end() -> None:
    door = admission()
    door.begin("a", "demo", caller="alice")
    assert door.answer("a") is None


@pytest.mark.parametrize(
    ("token_s", "seconds", "words"),
    [(30.0, 30.0, "your login allows"), (1e6, 60.0, "alice has used the 1 minute")],
)
def test_shorter_of_token_and_minutes_ends_the_call(token_s: float, seconds: float, words: str) -> None:
    door = admission(user_minutes_per_day=1)
    door.begin("a", "demo", caller="alice")
    limit = door.answer("a", token_limit_s=token_s)
    assert limit is not None
    assert limit[0] == pytest.approx(seconds, abs=1.0)
    assert limit[1].cause is Cause.LIMIT
    assert words in limit[1].sentence
    assert limit[1].hint


def test_what_the_token_allows_shrinks_while_the_call_talks() -> None:
    door = admission()
    door.begin("a", "demo", caller="alice")
    limit = door.answer("a", talked_s=25.0, token_limit_s=30.0)
    assert limit is not None
    assert limit[0] == pytest.approx(5.0)
    over = door.answer("a", talked_s=31.0, token_limit_s=30.0)
    assert over is not None
    assert over[0] == 0.0
