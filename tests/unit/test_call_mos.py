import pytest
from hypothesis import given
from hypothesis import strategies as st

from call import mos
from call.mos import CODECS, burst_ratio, mos_of, rating


def stats(**changes: object) -> dict[str, object]:
    base: dict[str, object] = {
        "codec": "PCMU",
        "rx_packets": 1000,
        "rx_lost": 0,
        "rx_loss_bursts": 0,
        "rx_jitter_ms": 0.0,
        "tx_packets": 1000,
        "remote_lost": 0,
        "remote_jitter_ms": 0.0,
        "rtt_ms": 10.0,
    }
    return base | changes


def test_the_default_values_give_the_published_rating_and_mos() -> None:
    assert rating() == pytest.approx(93.2, abs=0.05)
    assert mos_of(rating()) == pytest.approx(4.41, abs=0.005)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58), (0, 1.0), (-5, 1.0), (100, 4.5), (120, 4.5)],
)
def test_mos_is_that_of_g_107_annex_b(value: float, expected: float) -> None:
    assert mos_of(value) == pytest.approx(expected, abs=0.01)


def test_g_729_costs_its_impairment() -> None:
    assert rating() - rating(codec=CODECS["G729"]) == pytest.approx(11)


@pytest.mark.parametrize(
    ("percent", "burst", "effective"), [(1, 1, 3.64), (5, 1, 15.78), (5, 2, 17.21), (100, 1, 75.94)]
)
def test_loss_costs_what_the_formula_says(percent: float, burst: float, effective: float) -> None:
    """95 * Ppl / (Ppl / BurstR + Bpl), with 25.1 for G.711 with concealment (G.113 table I.2)."""
    assert rating() - rating(loss=percent / 100, burst=burst) == pytest.approx(effective, abs=0.01)


def test_delay_is_felt_beyond_150_ms() -> None:
    assert rating(100) == pytest.approx(90.7, abs=0.1)
    assert rating(100) - rating(150) < 2
    assert rating(150) - rating(300) > 15


@given(st.floats(0, 5000), st.floats(0, 1), st.floats(0, 1), st.floats(1, 50), st.sampled_from(sorted(CODECS)))
def test_more_loss_never_sounds_better_and_everything_stays_on_the_scale(
    delay: float, loss: float, more: float, burst: float, codec: str
) -> None:
    better = rating(delay, CODECS[codec], min(loss, more), burst)
    worse = rating(delay, CODECS[codec], max(loss, more), burst)
    assert 0 <= worse <= better <= 93.3
    assert 1 <= mos_of(worse) <= mos_of(better) <= 4.5


def test_bursts_are_loss_that_comes_together() -> None:
    assert burst_ratio(0, 0, 0.0) == 1
    assert burst_ratio(10, 10, 0.05) == 1
    assert burst_ratio(30, 10, 0.05) == pytest.approx(2.85)
    assert burst_ratio(3, 0, 0.1) == 1


def test_nothing_is_said_before_anything_is_measured() -> None:
    figures = mos.with_quality(stats(rx_packets=49, remote_lost=None))
    assert [figures[key] for key in ("rx_r", "rx_mos", "tx_r", "tx_mos")] == [None] * 4
    assert mos.with_quality({})["rx_mos"] is None
    assert mos.received(stats(codec="iLBC")) is None


def test_each_direction_is_judged_by_its_own_counters() -> None:
    clean = mos.with_quality(stats())
    assert clean["rx_mos"] == clean["tx_mos"] == 4.39
    lossy = mos.with_quality(stats(rx_lost=53, rx_loss_bursts=53))
    assert lossy["rx_mos"] < 4.0 < lossy["tx_mos"]
    bursty = mos.with_quality(stats(rx_lost=53, rx_loss_bursts=10))
    assert bursty["rx_mos"] < lossy["rx_mos"]
    far = mos.with_quality(stats(remote_lost=100, rtt_ms=600.0))
    assert far["tx_mos"] < far["rx_mos"] < 3.9
    assert mos.with_quality(stats(remote_lost=-4))["tx_mos"] == 4.39


def test_what_comes_too_late_to_be_transcoded_is_lost_and_the_buffer_is_delay() -> None:
    late = mos.with_quality(stats(rx_lost=20, rx_loss_bursts=20), {"tx_too_late": 30, "tx_buffer_ms": 0.0})
    lost = mos.with_quality(stats(rx_packets=970, rx_lost=50, rx_loss_bursts=50))
    assert late["rx_r"] == lost["rx_r"] < late["tx_r"]
    relayed = mos.with_quality(stats(rx_jitter_ms=20.0), {"tx_too_late": 0, "tx_buffer_ms": None})
    assert relayed["rx_r"] == mos.with_quality(stats(rx_jitter_ms=20.0))["rx_r"]
    deep = mos.with_quality(stats(rx_jitter_ms=20.0), {"tx_too_late": 0, "tx_buffer_ms": 200.0})
    assert deep["rx_mos"] < relayed["rx_mos"]
    assert mos.with_quality(stats(), {"tx_too_late": 5000})["rx_mos"] >= 1


def test_the_counters_themselves_are_kept() -> None:
    assert mos.with_quality(stats()).items() >= stats().items()
