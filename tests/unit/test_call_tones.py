import itertools
import math

import pytest
from phonenumbers import SUPPORTED_REGIONS

from call import tones
from call.tones import PACKET_MS, TONES, Pulse, loop_ms, once, samples

RATE_HZ = 8000
EVERY = [(country, name) for country in sorted(TONES) for name in TONES[country]]
WANTED = "DE AT CH FR GB IE US CA IT ES NL BE PL SE NO DK FI PT CZ JP AU NZ IN BR CN"


def share(piece: list[int], hertz: int) -> float:
    """Share of the energy at one frequency."""
    angles = [math.tau * hertz * n / RATE_HZ for n in range(len(piece))]
    re = sum(sample * math.cos(angle) for sample, angle in zip(piece, angles, strict=True))
    im = sum(sample * math.sin(angle) for sample, angle in zip(piece, angles, strict=True))
    return 2 * (re * re + im * im) / (len(piece) * sum(sample * sample for sample in piece))


def test_the_countries_that_were_promised_are_there_and_exist() -> None:
    assert set(WANTED.split()) <= tones.COUNTRIES
    assert set(SUPPORTED_REGIONS) >= tones.COUNTRIES


@pytest.mark.parametrize(("country", "name"), EVERY)
def test_every_tone_is_within_what_e_180_allows_and_loops_without_a_seam(country: str, name: tones.ToneName) -> None:
    tone = TONES[country][name]
    cycle_ms = sum(pulse.ms for pulse in tone)
    assert any(pulse.hertz for pulse in tone)
    assert all(300 <= hertz <= 650 for pulse in tone for hertz in pulse.hertz)
    assert loop_ms(tone) % PACKET_MS == 0
    assert loop_ms(tone) % cycle_ms == 0
    if name == "ringback":
        assert tone[-1].hertz == ()
        assert 1 < tone[-1].ms / 1000 <= 5
        assert 3000 <= cycle_ms <= 6000
    if name in ("busy", "congestion"):
        assert len(tone) % 2 == 0


def test_some_tones_that_everybody_knows() -> None:
    assert TONES["DE"]["ringback"] == (Pulse((425,), 1000), Pulse((), 4000))
    assert TONES["US"]["busy"] == (Pulse((480, 620), 500), Pulse((), 500))
    british = TONES["GB"]["ringback"]
    assert [(pulse.hertz, pulse.ms) for pulse in british] == [
        ((400, 450), 400), ((), 200), ((400, 450), 400), ((), 2000),
    ]  # fmt: skip


def test_samples_are_the_tone_at_its_level() -> None:
    sound = samples(TONES["DE"]["ringback"], RATE_HZ)
    assert len(sound) == 15 * RATE_HZ
    beep = list(sound[:RATE_HZ])
    assert share(beep[400:4400], 425) > 0.99
    assert max(beep) == pytest.approx(7200, abs=5)
    assert not any(sound[RATE_HZ : 5 * RATE_HZ])
    assert sound[5 * RATE_HZ : 6 * RATE_HZ] == sound[:RATE_HZ]


def test_a_cycle_is_played_once() -> None:
    sound = once((Pulse((1400,), 200), Pulse((), 20)), RATE_HZ)
    assert len(sound) == 220 * RATE_HZ // 1000
    assert share(list(sound[40:1560]), 1400) > 0.99
    assert not any(sound[1600:])


def test_two_frequencies_share_the_level_and_a_tone_begins_and_ends_softly() -> None:
    sound = samples(TONES["US"]["busy"], RATE_HZ)
    beep = list(sound[: RATE_HZ // 2])
    assert share(beep[200:3400], 480) == pytest.approx(0.5, abs=0.02)
    assert share(beep[200:3400], 620) == pytest.approx(0.5, abs=0.02)
    assert abs(beep[1]) < 200
    assert abs(beep[-1]) < 200


@pytest.mark.parametrize("rate_hz", [8000, 16_000])
def test_a_continuous_tone_goes_on_where_it_begins(rate_hz: int) -> None:
    sound = samples(TONES["FR"]["dial"], rate_hz)
    step = max(abs(b - a) for a, b in itertools.pairwise(sound))
    assert abs(sound[0] - sound[-1]) <= step
