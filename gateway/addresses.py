"""Addresses of this machine: what loopback is, and which address leads to the rest of the world."""

from __future__ import annotations

import ipaddress
import socket

from call.errors import TransportError


def is_address(text: str) -> bool:
    """A literal IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a listener on `host`."""
    return host == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)


def is_elsewhere(host: str) -> bool:
    """A literal address that is not on loopback; a name may lead anywhere."""
    return is_address(host) and not is_loopback(host)


def is_unspecified(host: str) -> bool:
    """0.0.0.0 or ::, every address of this machine."""
    return is_address(host) and ipaddress.ip_address(host).is_unspecified


def overlap(one: str, other: str) -> bool:
    """Whether a port that is open on one of these hosts cannot be opened on the other."""
    one, other = ("127.0.0.1" if host == "localhost" else host for host in (one, other))
    return one == other or is_unspecified(one) or is_unspecified(other)


def default_route_address() -> str:
    """Our IPv4 address on the way to the rest of the world; "" without a route. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1 (RFC 5737)
        except OSError:
            return ""
        address: str = probe.getsockname()[0]
        return "" if is_loopback(address) else address


def check_ours(address: str) -> None:
    """Look whether a port can be opened on a literal address; none stays open.

    Raises:
        TransportError: It cannot.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError as error:
        hint = "Name one that `ip address` shows, or 0.0.0.0 for all of them."
        raise TransportError(f"{address} is not an address of this machine.", hint=hint) from error
