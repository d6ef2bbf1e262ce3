import pytest

from call.dialplan import TrunkRule
from call.errors import PolicyError, UnknownDestination
from gateway.auth import Identity
from gateway.config import UserSettings
from gateway.routing import Route, Router, international

USERS = {"alice": UserSettings(numbers=("100", "+49301")), "bob": UserSettings()}
RULES = (TrunkRule("germany", ("+49", "echo")), TrunkRule("short", ("1",)))
ROUTER = Router(RULES, USERS, "DE")
ALICE = Identity("alice", "Alice")


@pytest.mark.parametrize(
    ("typed", "route"),
    [
        ("030 123456", Route("germany", "+4930123456")),
        ("+49 30 123456", Route("germany", "+4930123456")),
        ("112", Route("short", "112")),
        ("echo", Route("germany", "echo")),
    ],
)
def test_what_is_typed_finds_number_and_trunk(typed: str, route: Route) -> None:
    assert ROUTER.outgoing(typed, ALICE) == route


def test_login_that_allows_less_than_the_trunk_is_respected() -> None:
    caller = Identity("alice", "Alice", allow=("+4930",))
    assert ROUTER.outgoing("030123456", caller).number == "+4930123456"
    with pytest.raises(PolicyError, match=r"Your login does not allow calls to \+4989123456") as caught:
        ROUTER.outgoing("089123456", caller)
    assert "allow" in caught.value.hint


def test_login_that_allows_more_than_the_trunk_gains_nothing() -> None:
    with pytest.raises(PolicyError, match="not allowed through any trunk"):
        ROUTER.outgoing("+12125550100", Identity("alice", "Alice", allow=("*",)))


def test_unreadable_destination_is_refused() -> None:
    with pytest.raises(UnknownDestination):
        ROUTER.outgoing("sip:x@y", ALICE)


@pytest.mark.parametrize(("number", "user"), [("100", "alice"), ("49301", "alice"), ("BOB", "bob"), ("7", None)])
def test_incoming_number_finds_its_user(number: str, user: str | None) -> None:
    assert ROUTER.incoming(number) == user


@pytest.mark.parametrize(
    ("number", "country", "expected"),
    [
        ("030123456", "DE", "+4930123456"),
        ("0049301234567", "DE", "+49301234567"),
        ("2125550100", "US", "+12125550100"),
        ("030123456", "", "030123456"),
        ("+12125550100", "DE", "+12125550100"),
        ("110", "DE", "110"),
        ("*21#", "DE", "*21#"),
        ("echo", "DE", "echo"),
    ],
)
def test_national_numbers_become_international(number: str, country: str, expected: str) -> None:
    assert international(number, country) == expected
