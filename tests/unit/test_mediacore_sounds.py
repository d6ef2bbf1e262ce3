"""Sounds on legs of the media core, as Python starts and stops them."""

from __future__ import annotations

import itertools
import select
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from mediacore import Leg, Relay, Sound

from tests.harness.media import LOOPBACK, Phone, Rtp, rtp_ports, wait_for
from tests.harness.patience import PATIENCE_S


def silence(ms: int) -> Sound:
    return Sound(bytes(16 * ms), bytes(32 * ms))


def loud(ms: int) -> Sound:
    return Sound(b"\x40\x10" * 8 * ms, b"\x40\x10" * 16 * ms)


@pytest.fixture
def relay() -> Iterator[Relay]:
    engine = Relay(threads=2, networks=[LOOPBACK], browser_port=0, rtp_ports=rtp_ports(400))
    yield engine
    engine.close()


def listener(relay: Relay, stack: ExitStack) -> tuple[Phone, Leg]:
    phone, leg = stack.enter_context(Phone()), relay.rtp_leg()
    leg.set_codec("PCMU", 0, [(101, 8000)])
    leg.set_remote(phone.address, None)
    return phone, leg


def assert_one_stream(heard: list[Rtp]) -> None:
    """No hole in the numbers; where the player was held up, its timestamps go on with the time."""
    for before, after in itertools.pairwise(heard):
        assert after.sequence == (before.sequence + 1) % 65536
        assert (after.timestamp - before.timestamp) % 2**32 >= 160


def test_a_sound_is_heard_from_beginning_to_end_and_its_end_is_told(relay: Relay) -> None:
    with ExitStack() as stack:
        phone, leg = listener(relay, stack)
        number = relay.play(loud(190), leg)
        heard = [phone.hear() for _ in range(10)]
        assert_one_stream(heard)
        assert len({packet.payload for packet in heard[:9]}) == 1
        assert heard[9].payload.endswith(b"\xff" * 80)
        assert wait_for(relay, "played") == (leg.id, number)
        assert phone.hears_nothing()


def test_one_sound_serves_many_legs_each_from_its_own_beginning(relay: Relay) -> None:
    with ExitStack() as stack:
        sound = loud(60)
        sides = [listener(relay, stack) for _ in range(3)]
        numbers = {relay.play(sound, leg) for _, leg in sides}
        assert len(numbers) == 3
        for phone, _ in sides:
            assert_one_stream([phone.hear() for _ in range(3)])
        ended: set[object] = set()
        while ended != numbers:
            assert select.select([relay.fileno()], [], [], PATIENCE_S)[0], f"only {ended} of {numbers} ended"
            ended |= {payload for _, kind, payload in relay.events() if kind == "played"}


def test_a_loop_goes_on_until_it_is_stopped(relay: Relay) -> None:
    with ExitStack() as stack:
        phone, leg = listener(relay, stack)
        relay.play(silence(40), leg, repeats=True)
        assert_one_stream([phone.hear() for _ in range(6)])
        relay.stop(leg)
        leg.stats()
        while not phone.hears_nothing():
            pass
        assert not [event for event in relay.events() if event[1] == "played"]


def test_a_sound_follows_its_listener_to_another_codec(relay: Relay) -> None:
    with ExitStack() as stack:
        phone, leg = listener(relay, stack)
        relay.play(silence(2000), leg, repeats=True)
        assert phone.hear().payload_type == 0
        leg.set_codec("PCMA", 8)
        while (packet := phone.hear()).payload_type == 0:
            pass
        assert packet.payload == b"\xd5" * 160


def test_a_sound_may_be_chosen_before_the_codec_is_known(relay: Relay) -> None:
    with ExitStack() as stack:
        phone = stack.enter_context(Phone())
        leg = relay.rtp_leg()
        relay.play(silence(100), leg)
        leg.set_remote(phone.address, None)
        leg.set_codec("opus", 111, ptime_ms=20)
        assert phone.hear().payload_type == 111


@pytest.mark.parametrize(("narrow", "wide"), [(0, 0), (16_000, 16_000), (16 * 600_001, 32 * 600_001)])
def test_samples_that_make_no_sound_are_refused(narrow: int, wide: int) -> None:
    with pytest.raises(ValueError, match=r"expected|differently"):
        Sound(bytes(narrow), bytes(wide))


def test_a_closed_leg_plays_nothing(relay: Relay) -> None:
    with ExitStack() as stack:
        phone, leg = listener(relay, stack)
        leg.close()
        relay.play(silence(100), leg)
        relay.stop(leg)
        assert phone.hears_nothing()


def test_a_codec_that_is_only_passed_on_cannot_be_played(relay: Relay) -> None:
    with ExitStack() as stack:
        _, leg = listener(relay, stack)
        leg.set_codec("AMR/8000", 96)
        number = relay.play(silence(100), leg, repeats=True)
        assert wait_for(relay, "unplayable") == (leg.id, number)
