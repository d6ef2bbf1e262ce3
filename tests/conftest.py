"""What all tests share: the last words of the processes that ran when a test failed."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from hypothesis import settings

from tests.harness.program import last_words

# How fast an example runs says more about the machine than about us: speed is `make bench`'s matter.
settings.register_profile("webtrunk", deadline=None)
settings.load_profile("webtrunk")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        report.sections += [(f"last words of {name}", text) for name, text in last_words()]
    return report
