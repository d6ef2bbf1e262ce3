"""Starting the gateway twice, and what it says about the demo phone that it brought."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.gateway import GatewayProcess, demo_settings
from tests.harness.program import Program

pytestmark = pytest.mark.interop


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    process = GatewayProcess(tmp_path, demo_settings(tmp_path), demo=True)
    yield process
    process.stop()


def test_second_start_says_that_it_runs_already_and_where(gateway: GatewayProcess, tmp_path: Path) -> None:
    second = Program("second", [sys.executable, "-m", "gateway", "demo", "-c", tmp_path / "webtrunk.toml"])
    assert second.wait() == 1
    assert f"webtrunk is running already: {gateway.page_url}" in second.lines
    assert "demo phone" not in second.log
    assert "pjsip" not in second.log
