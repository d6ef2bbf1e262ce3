import pytest

from call import tokenbucket
from call.tokenbucket import TokenBucket, TokenBuckets


def test_bucket_allows_a_burst_and_then_its_rate() -> None:
    bucket = TokenBucket(rate=2.0, burst=3.0, now=100.0)
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(100.5), bucket.take(100.5)] == [True, False]


def test_bucket_that_rested_holds_no_more_than_its_burst() -> None:
    bucket = TokenBucket(rate=10.0, burst=2.0, now=0.0)
    assert [bucket.take(1_000.0) for _ in range(3)] == [True, True, False]


def test_each_name_has_a_bucket_of_its_own() -> None:
    buckets = TokenBuckets(rate=1.0, burst=1.0)
    assert [buckets.take(name, 0.0) for name in ("alice", "alice", "bob")] == [True, False, True]
    assert buckets.take("alice", 1.0)


def test_names_that_rested_are_forgotten_and_the_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenbucket, "MAX_NAMES", 3)
    buckets = TokenBuckets(rate=1.0, burst=1.0)
    for now, name in enumerate(("alice", "bob", "carol")):
        buckets.take(name, float(now))
    buckets.take("dave", 2.5)
    assert list(buckets._buckets) == ["carol", "dave"]
    assert not buckets.take("carol", 2.5)
