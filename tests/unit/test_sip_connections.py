"""`sip.connections`: a trunk may not take every handle of pjsip's."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from sip.connections import LIMIT, Connections

Ends = list[socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = [socket.socket() for _ in range(LIMIT)]
    yield made
    for end in made:
        end.close()


@pytest.fixture
def full(ends: Ends) -> Connections:
    connections = Connections()
    assert all(connections.take("192.0.2.1", end.fileno()) for end in ends)
    return connections


def test_an_address_may_have_so_many_connections_and_no_more(full: Connections, ends: Ends) -> None:
    with socket.socket() as one_more:
        assert not full.take("192.0.2.1", one_more.fileno())
        assert full.take("192.0.2.2", one_more.fileno())


def test_a_connection_that_ended_makes_room_even_if_its_descriptor_is_taken_again(
    full: Connections, ends: Ends
) -> None:
    ends.pop().close()
    with socket.socket() as next_one:
        assert full.take("192.0.2.1", next_one.fileno())
