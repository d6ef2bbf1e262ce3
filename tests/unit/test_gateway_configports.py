"""Ports that two settings want at once."""

import tomllib

import pytest

from gateway.config import Config
from gateway.configfile import ConfigError, check

OPEN = '[auth]\nmode = "open"\n'


def read(text: str) -> Config:
    return check(tomllib.loads(text), text, "webtrunk.toml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[listen]\nport = 9000\n[admin]\nport = 9000", "6: admin.port: port 9000 is listen.port already"),
        ("[listen]\nport = 8081", "4: listen.port: port 8081 is admin.port already"),
        ("[admin]\nhost = 'localhost'\nport = 8080", "5: admin.port: port 8080 is listen.port already"),
        ("[sip]\ntcp_port = 8080", "4: sip.tcp_port: port 8080 is listen.port already"),
        ("[media]\nbrowser_port = 5060", "4: media.browser_port: port 5060 is sip.udp_port already"),
        ("[sip]\nudp_port = 8082", "4: sip.udp_port: port 8082 is media.browser_port already"),
        (
            "[media]\nbrowser_port = 30001",
            "4: media.browser_port: media.browser_port (30001) lies within media.rtp_ports (30000 to 39999)",
        ),
        (
            "[media]\nrtp_ports = [5000, 5100]",
            "4: media.rtp_ports: sip.udp_port (5060) lies within media.rtp_ports (5000 to 5100)",
        ),
    ],
)
def test_port_wanted_twice_is_told_where_it_is_written(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(OPEN + text)
    assert str(caught.value) == f"webtrunk.toml:{told}"


@pytest.mark.parametrize(
    "text",
    [
        "[listen]\nport = 0\n[admin]\nport = 0\n[sip]\nudp_port = 0\ntcp_port = 0\n[media]\nbrowser_port = 0",
        "[sip]\nudp_port = 5060\ntcp_port = 5060",
        "[listen]\nport = 8082",
        "[admin]\nhost = '127.0.0.2'\nport = 8080",
    ],
    ids=["any free port", "UDP and TCP", "page and media", "other address"],
)
def test_ports_that_do_not_meet_are_fine(text: str) -> None:
    assert read(OPEN + text)


def test_wrong_port_is_told_once() -> None:
    with pytest.raises(ConfigError) as caught:
        read(f'{OPEN}[listen]\nport = "x"\n[media]\nrtp_ports = ["a", 1]\n')
    assert [m.key for m in caught.value.mistakes] == ["listen.port", "media.rtp_ports.0"]
