"""Ports that two settings would open at once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.addresses import overlap
from gateway.tomllines import Location

Table = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Want:
    """A setting that opens a port."""

    section: str
    key: str
    host: str
    port: int

    @property
    def setting(self) -> str:
        return f"{self.section}.{self.key}"


def shared_ports(document: Table, defaults: Mapping[str, Table]) -> Iterator[tuple[Location, str]]:
    """Settings whose port another one has already; the mistake is told at one that was written down."""
    sections = {name: {**defaults[name], **_table(document, name)} for name in ("listen", "admin", "media", "sip")}
    sip_host = _sip_host(document, defaults)
    tcp = [
        *_wants(sections, "listen", str(sections["listen"]["host"]), "port"),
        *_wants(sections, "admin", str(sections["admin"]["host"]), "port"),
        *_wants(sections, "sip", sip_host, "tcp_port", "tls_port"),
    ]
    # The browsers' port is open on every network, so on SIP's too.
    udp = [*_wants(sections, "sip", sip_host, "udp_port"), *_wants(sections, "media", sip_host, "browser_port")]
    for one, other in (*itertools.combinations(tcp, 2), *itertools.combinations(udp, 2)):
        if one.port == other.port and overlap(one.host, other.host):
            told, first = (other, one) if _is_written(document, other) else (one, other)
            yield (told.section, told.key), f"port {told.port} is {first.setting} already"
    yield from _within_rtp(document, sections["media"]["rtp_ports"], udp)


def _within_rtp(document: Table, rtp_ports: object, udp: list[_Want]) -> Iterator[tuple[Location, str]]:
    if not isinstance(rtp_ports, list | tuple) or [type(port) for port in rtp_ports] != [int, int]:
        return
    first, last = rtp_ports
    for want in udp:
        if first <= want.port <= last:
            where = (want.section, want.key) if _is_written(document, want) else ("media", "rtp_ports")
            yield where, f"{want.setting} ({want.port}) lies within media.rtp_ports ({first} to {last})"


def _wants(sections: Mapping[str, Table], section: str, host: str, *keys: str) -> Iterator[_Want]:
    """Port 0 is any free one, and what is no number is told by its field."""
    for key in keys:
        port = sections[section][key]
        if type(port) is int and port > 0:
            yield _Want(section, key, host, port)


def _is_written(document: Table, want: _Want) -> bool:
    return want.key in _table(document, want.section)


def _sip_host(document: Table, defaults: Mapping[str, Table]) -> str:
    networks = document.get("network")
    first = networks[0] if isinstance(networks, list) and networks and isinstance(networks[0], dict) else {}
    return str(first.get("bind", defaults["network"]["bind"]))


def _table(document: Table, name: str) -> Table:
    table = document.get(name, {})
    return table if isinstance(table, dict) else {}
