import pytest

from webrtc.lobby import Lobby, Place, household


class Door:
    """Visitors of a lobby, by name."""

    def __init__(self, per_address: int, in_all: int) -> None:
        self.lobby = Lobby(per_address, in_all)
        self.evicted: list[str] = []

    def enter(self, address: str, name: str = "") -> Place | None:
        return self.lobby.enter(address, lambda: self.evicted.append(name or address))


def test_the_lobby_counts_by_address() -> None:
    door = Door(per_address=2, in_all=9)
    places = [door.enter("a"), door.enter("a")]
    assert door.enter("a") is None
    assert door.enter("b")
    assert places[0]
    for _ in range(2):
        door.lobby.leave(places[0])
    assert door.enter("a")
    assert (door.lobby.waiting, door.lobby.refused) == (3, 1)


def test_a_full_lobby_drives_out_the_oldest_of_the_largest_household() -> None:
    door = Door(per_address=3, in_all=4)
    for name in ("first", "second", "third"):
        assert door.enter("crowd", name)
    assert door.enter("somebody")
    assert door.enter("stranger")
    assert door.enter("friend")
    assert door.evicted == ["first", "second"]
    assert (door.lobby.waiting, door.lobby.refused) == (4, 2)


def test_one_of_the_crowd_is_refused_while_it_is_full() -> None:
    door = Door(per_address=3, in_all=4)
    for _ in range(2):
        assert door.enter("one")
        assert door.enter("other")
    assert door.enter("one") is None
    assert not door.evicted


def test_a_flood_from_many_addresses_drives_out_its_own_first() -> None:
    door = Door(per_address=8, in_all=64)
    assert door.enter("somebody")
    for number in range(1000):
        door.enter(f"crowd {number % 30}")
    assert "somebody" not in door.evicted
    assert door.lobby.waiting == 64
    assert door.enter("a friend")
    assert door.evicted[-1].startswith("crowd")


def test_who_was_driven_out_may_say_that_it_leaves() -> None:
    door = Door(per_address=2, in_all=2)
    first = door.enter("crowd")
    assert first
    assert door.enter("crowd")
    assert door.enter("friend")
    door.lobby.leave(first)
    assert door.lobby.waiting == 2


@pytest.mark.parametrize(
    ("one", "other", "are_one"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("", "", True),
    ],
)
def test_the_addresses_that_one_client_may_have_count_as_one(one: str, other: str, *, are_one: bool) -> None:
    assert (household(one) == household(other)) is are_one
