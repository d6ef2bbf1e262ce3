"""Taps of the media core: what a leg's peer says, decoded beside the relay."""

from __future__ import annotations

import array
from collections.abc import Iterator

import pytest
from mediacore import Leg, Relay

from tests.harness.media import LOOPBACK, Phone, rtp_ports

LOUD = b"\x80" * 160
"""20 ms of the loudest µ-law there is."""


@pytest.fixture
def relay() -> Iterator[Relay]:
    engine = Relay(threads=1, networks=[LOOPBACK], browser_port=0, rtp_ports=rtp_ports(400))
    yield engine
    engine.close()


@pytest.fixture
def phones() -> Iterator[tuple[Phone, Phone]]:
    with Phone() as one, Phone() as other:
        yield one, other


def leg_for(relay: Relay, phone: Phone) -> Leg:
    leg = relay.rtp_leg()
    leg.set_codec("PCMU", 0)
    leg.set_remote(phone.address, None)
    return leg


def call(relay: Relay, phones: tuple[Phone, Phone]) -> tuple[Leg, Leg]:
    one, other = (leg_for(relay, phone) for phone in phones)
    relay.route(one, other)
    relay.route(other, one)
    return one, other


def say(phone: Phone, leg: Leg, packets: int) -> None:
    assert leg.address is not None
    for _ in range(packets):
        phone.say(leg.address, 0, LOUD)


def loud_ms(samples: bytes, rate_hz: int) -> float:
    return sum(abs(sample) > 10_000 for sample in array.array("h", samples)) * 1000 / rate_hz


def test_a_tap_hears_what_the_peer_says_beside_the_relay(relay: Relay, phones: tuple[Phone, Phone]) -> None:
    one, other = call(relay, phones)
    tap, silent, wide = one.tap(8000), other.tap(8000), one.tap(16_000)
    say(phones[0], one, 5)
    assert [phones[1].hear().payload for _ in range(5)] == [LOUD] * 5
    until = relay.clock_ms() + 200
    assert loud_ms(tap.read(until), 8000) == pytest.approx(100)
    assert loud_ms(wide.read(until), 16_000) == pytest.approx(100, abs=5)
    assert loud_ms(silent.read(until), 8000) == 0
    assert one.stats()["transcoding"] == other.stats()["transcoding"] == 0


def test_taps_of_two_legs_are_read_side_by_side(relay: Relay, phones: tuple[Phone, Phone]) -> None:
    one, other = call(relay, phones)
    start = relay.clock_ms()
    taps = [leg.tap(8000, start) for leg in (one, other)]
    assert [len(tap.read(start + 1000)) for tap in taps] == [16_000, 16_000]
    assert [tap.read(start + 500) for tap in taps] == [b"", b""]


def test_a_tap_that_nobody_reads_costs_the_relay_nothing(relay: Relay, phones: tuple[Phone, Phone]) -> None:
    one, _ = call(relay, phones)
    taps = [one.tap(rate_hz) for rate_hz in (8000, 8000, 16_000)]
    for _ in range(10):
        say(phones[0], one, 20)
        assert [phones[1].hear().payload for _ in range(20)] == [LOUD] * 20
    stats = one.stats()
    assert (stats["rx_packets"], stats["rx_lost"]) == (200, 0)
    assert [tap.late_ms for tap in taps] == [0, 0, 0]


def test_a_tap_outlives_its_leg_and_closes_twice(relay: Relay, phones: tuple[Phone, Phone]) -> None:
    one, _ = call(relay, phones)
    tap = one.tap(8000)
    say(phones[0], one, 1)
    phones[1].hear()
    one.close()
    assert loud_ms(tap.read(relay.clock_ms() + 100), 8000) == pytest.approx(20)
    tap.close()
    tap.close()


def test_a_rate_that_no_decoder_has_is_refused(relay: Relay, phones: tuple[Phone, Phone]) -> None:
    one, _ = call(relay, phones)
    with pytest.raises(ValueError, match="expected 8000 or 16000"):
        one.tap(44_100)
