"""What all tests share: two voices, and the last words of the processes that ran when a test failed."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.harness.program import last_words

if TYPE_CHECKING:
    from tests.harness.speech import Speech

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


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Speech:
    """What the browser says."""
    from tests.harness.speech import WORDS, speak  # it loads scipy, which most tests do not need

    return speak(WORDS, tmp_path_factory.mktemp("speech") / "words.wav")


@pytest.fixture(scope="session")
def other_speech(tmp_path_factory: pytest.TempPathFactory) -> Speech:
    """What the far end says."""
    from tests.harness.speech import OTHER_WORDS, speak

    return speak(OTHER_WORDS, tmp_path_factory.mktemp("speech") / "other.wav", voice="en-us")
