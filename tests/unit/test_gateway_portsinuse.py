"""Ports that are taken while a configuration is checked: a remark, no mistake."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.__main__ import main
from gateway.portsinuse import Holding, parsed
from tests.harness.ports import HOST, free_block
from tests.unit.servers import stranger

US = f"{Path('/proc/self/comm').read_text().strip()} (process {os.getpid()})"


def checked(directory: Path, **ports: object) -> Result:
    """What `webtrunk check` says of these ports; all others are any that are free."""
    any_port = {"listen.port": 0, "admin.port": 0, "sip.udp_port": 0, "media.browser_port": 0}
    given = any_port | {"media.rtp_ports": [50_000, 60_000]} | ports
    file = directory / "webtrunk.toml"
    lines = (f"{setting} = {port}\n" for setting, port in given.items())
    file.write_text(f'auth.mode = "open"\nrecords.url = "sqlite://"\n{"".join(lines)}')
    return CliRunner().invoke(main, ["check", "-c", str(file)])


@contextlib.contextmanager
def bound(*ports: int, host: str = HOST) -> Iterator[None]:
    """These UDP ports are ours."""
    with contextlib.ExitStack() as stack:
        for port in ports:
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).bind((host, port))
        yield


def test_ports_that_are_free_are_not_spoken_of(tmp_path: Path) -> None:
    tcp, udp, *_ = free_block(2)
    result = checked(tmp_path, **{"listen.port": tcp, "sip.udp_port": udp})
    assert result.exit_code == 0, result.output
    assert "ports in use" not in result.output


def test_port_in_use_is_told_with_its_setting_and_who_has_it_and_is_no_mistake(tmp_path: Path) -> None:
    sip, browser = free_block(2)
    with bound(sip), bound(browser, host="0.0.0.0"):
        result = checked(tmp_path, **{"sip.udp_port": sip, "media.browser_port": browser})
    assert result.exit_code == 0
    assert f"ports in use by {US}: sip.udp_port ({sip}), media.browser_port ({browser}).\n" in result.output
    assert "webtrunk can start when they are free.\n" in result.output
    assert "The configuration is good.\n" in result.output


def test_port_of_the_same_number_elsewhere_is_not_in_the_way(tmp_path: Path) -> None:
    (port,) = free_block(1)
    with bound(port, host="127.0.0.2"):
        assert "in use" not in checked(tmp_path, **{"sip.udp_port": port}).output
    with bound(port):
        assert "in use" not in checked(tmp_path, **{"sip.tcp_port": port}).output, "UDP is not TCP"


def test_gateway_that_runs_is_named_as_what_has_the_ports(tmp_path: Path) -> None:
    with stranger(b'HTTP/1.0 200 OK\r\n\r\n{"title": "webtrunk"}') as port:
        result = checked(tmp_path, **{"listen.port": port})
    assert result.exit_code == 0
    assert f"listen.port ({port})" in result.output
    assert f"webtrunk runs already: http://127.0.0.1:{port}/; it must end before" in result.output


@pytest.mark.parametrize("count", [1, 3, 4])
def test_rtp_ports_of_which_few_are_free_are_told(tmp_path: Path, count: int) -> None:
    block = free_block(8)
    with bound(*block[: 2 * count : 2]):
        result = checked(tmp_path, **{"media.rtp_ports": [block[0], block[-1]]})
    assert result.exit_code == 0
    told = f"media.rtp_ports: only {4 - count} of 4 pairs of ports are free; each call takes one."
    assert (told in result.output) == (count > 2)


@pytest.mark.parametrize(
    ("local", "host", "port"),
    [
        ("0100007F:1F90", "127.0.0.1", 8080),
        ("00000000:13C4", "0.0.0.0", 5060),
        ("00000000000000000000000001000000:1F90", "::1", 8080),
        ("B80D0120000000000000000001000000:0050", "2001:db8::1", 80),
    ],
)
def test_lines_of_the_kernel_are_read(local: str, host: str, port: int) -> None:
    line = f"  0: {local} 00000000:0000 {{}} 00000000:00000000 00:00000000 00000000  0  0 4711 1 0 100 0 0 10 0"
    assert list(parsed("tcp", line.format("0A"))) == [Holding("tcp", host, port, "4711")]
    assert list(parsed("udp", line.format("07"))) == [Holding("udp", host, port, "4711")]
    assert list(parsed("tcp", line.format("01"))) == [], "a connection keeps nobody from listening"
