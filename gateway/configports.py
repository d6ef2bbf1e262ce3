"""Ports that two settings would open at once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gateway.addresses import overlap
from gateway.tomllines import Location

Table = Mapping[str, Any]
Protocol = Literal["tcp", "udp"]


@dataclass(frozen=True, slots=True)
class Want:
    """A setting that opens a port."""

    protocol: Protocol
    section: str
    key: str
    host: str
    port: int

    @property
    def setting(self) -> str:
        """As in the documents."""
        return f"{self.section}.{self.key}"


def shared_ports(document: Table, defaults: Mapping[str, Table]) -> Iterator[tuple[Location, str]]:
    """Settings whose port another one has already; the mistake is told at one that was written down."""
    sections = {name: {**defaults[name], **_table(document, name)} for name in ("listen", "admin", "media", "sip")}
    # The browsers' port is open on every network, so on SIP's too.
    wanted = list(wants(sections, [_sip_host(document, defaults)]))
    for one, other in itertools.combinations(wanted, 2):
        if (one.protocol, one.port) == (other.protocol, other.port) and overlap(one.host, other.host):
            told, first = (other, one) if _is_written(document, other) else (one, other)
            yield (told.section, told.key), f"port {told.port} is {first.setting} already"
    udp = [want for want in wanted if want.protocol == "udp"]
    yield from _within_rtp(document, sections["media"]["rtp_ports"], udp)


def wants(sections: Mapping[str, Table], networks: Sequence[str]) -> Iterator[Want]:
    """The ports that a start opens, where `networks` has the host of each network; SIP is on the first one's.

    Port 0 is any free one, and what is no number is told by its field.
    """
    settings: Sequence[tuple[Protocol, str, str, str]] = (
        ("tcp", "listen", "port", str(sections["listen"]["host"])),
        ("tcp", "admin", "port", str(sections["admin"]["host"])),
        ("udp", "sip", "udp_port", networks[0]),
        ("tcp", "sip", "tcp_port", networks[0]),
        ("tcp", "sip", "tls_port", networks[0]),
        *(("udp", "media", "browser_port", host) for host in networks),
    )
    for protocol, section, key, host in settings:
        port = sections[section][key]
        if type(port) is int and port > 0:
            yield Want(protocol, section, key, host, port)


def _within_rtp(document: Table, rtp_ports: object, udp: list[Want]) -> Iterator[tuple[Location, str]]:
    if not isinstance(rtp_ports, list | tuple) or [type(port) for port in rtp_ports] != [int, int]:
        return
    first, last = rtp_ports
    for want in udp:
        if first <= want.port <= last:
            where = (want.section, want.key) if _is_written(document, want) else ("media", "rtp_ports")
            yield where, f"{want.setting} ({want.port}) lies within media.rtp_ports ({first} to {last})"


def _is_written(document: Table, want: Want) -> bool:
    return want.key in _table(document, want.section)


def _sip_host(document: Table, defaults: Mapping[str, Table]) -> str:
    networks = document.get("network")
    first = networks[0] if isinstance(networks, list) and networks and isinstance(networks[0], dict) else {}
    return str(first.get("bind", defaults["network"]["bind"]))


def _table(document: Table, name: str) -> Table:
    table = document.get(name, {})
    return table if isinstance(table, dict) else {}
