"""Starting the gateway twice, and what it says about the demo phone that it brought."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.gateway import GatewayProcess, demo_settings
from tests.harness.program import Program

pytestmark = pytest.mark.interop

OPENED = (("listen", "port"), ("admin", "port"), ("media", "browser_port"), ("sip", "udp_port"))


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


def test_check_beside_a_running_gateway_says_who_has_the_ports_and_disturbs_nobody(gateway: GatewayProcess) -> None:
    told = gateway.command("check")
    ports = {f"{section}.{key} ({gateway.settings[section][key]})" for section, key in OPENED}
    assert all(port in told for port in ports), told
    assert f"(process {gateway.program.pid})" in told
    assert f"webtrunk runs already: {gateway.page_url}" in told
    assert gateway.ask("status")["calls"] == 0
    assert "ERROR" not in gateway.program.log


def test_demo_phone_that_is_killed_is_missed_in_the_log(gateway: GatewayProcess) -> None:
    os.kill(demo_phone_of(gateway), signal.SIGKILL)
    line = gateway.program.wait_for("demo phone was killed by signal 9")
    assert "ERROR" in line.string
    assert "started again" in line.string


def test_demo_phone_that_ends_with_the_gateway_at_ctrl_c_is_not_missed(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path, demo_settings(tmp_path), demo=True)
    os.killpg(gateway.program.pid, signal.SIGINT)  # Ctrl-C
    assert gateway.program.wait() == 0
    assert "demo phone was" not in gateway.program.log
    assert "demo phone ended" not in gateway.program.log


def demo_phone_of(gateway: GatewayProcess) -> int:
    family = gateway.program.descendants()
    (phone,) = (pid for pid in family if b"\0-m\0demo\0" in Path(f"/proc/{pid}/cmdline").read_bytes())
    return phone
