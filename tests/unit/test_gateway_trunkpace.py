from gateway.trunkpace import BURST, PER_S, TrunkPace
from tests.unit.recorders import ReportRecorder


def test_flood_is_thinned_out_and_noted_once() -> None:
    now, report = 0.0, ReportRecorder()
    pace = TrunkPace(report.report, clock=lambda: now)
    assert [pace.allows() for _ in range(2_000)].count(True) == BURST
    now = 1.0
    assert [pace.allows() for _ in range(2_000)].count(True) == PER_S
    assert [what for what, _ in report.notes] == ["flood"]


def test_each_pace_says_in_the_journal_what_it_leaves_out() -> None:
    report = ReportRecorder()
    pace = TrunkPace(report.report, "re-INVITEs", 0.1, 1.0, clock=lambda: 0.0)
    assert [pace.allows(), pace.allows()] == [True, False]
    assert report.notes == [("flood", "the trunk's re-INVITEs beyond 0.1 a second are left out")]


def test_keys_as_fast_as_rtp_carries_them_all_count() -> None:
    now, report = 0.0, ReportRecorder()
    pace = TrunkPace(report.report, clock=lambda: now)
    for _ in range(1_000):
        now += 0.08
        assert pace.allows()
    assert report.notes == []
