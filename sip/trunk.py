"""A trunk as the worker sees it: the URIs of a call through it, and whose an incoming request is."""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote

from call.errors import PolicyError
from sip.messages import Headers, Invite, TrunkAccount
from sip.siptext import SipText, name_addr, request_user, uri_host_port, uri_user

USER_SAFE: Final = "-_.!~*'()&=+$,;?/"
"""Characters that stand for themselves in the user part (RFC 3261 §25.1)."""


def bracketed(host: str) -> str:
    """A host as a URI wants it: IPv6 addresses in brackets (RFC 3986 §3.2.2)."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def is_address(host: str) -> bool:
    """True for a literal IP address."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def escape_user(user: str) -> str:
    """Escape what the user part of a SIP URI cannot hold; `#` of a number becomes %23."""
    return quote(user, safe=USER_SAFE)


def refuse_line_breaks(values: Iterable[str]) -> None:
    """Nobody may smuggle a header into a message.

    Raises:
        PolicyError: A value holds CR, LF or NUL.
    """
    if any(re.search(r"[\r\n\0]", value) for value in values):
        raise PolicyError("A header value or number holds a line break.", hint="Remove it.")


def check(command: Invite) -> None:
    """Refuse an INVITE that could not be written safely.

    Raises:
        PolicyError: A line break where none may be, or a header that is the dialog's own business.
    """
    refuse_line_breaks((command.number, command.from_user, command.from_display))
    check_headers(command.headers)


def check_headers(headers: Headers) -> None:
    """Refuse header names that are no tokens, and values with line breaks.

    Raises:
        PolicyError: The header cannot be sent.
    """
    for name, value in headers:
        if not re.fullmatch(r"[A-Za-z0-9.!%*_+`'~-]+", name):
            raise PolicyError(f"{name!r} is no header name (RFC 3261 §25.1).")
        refuse_line_breaks((value,))


def request_uri(trunk: TrunkAccount, number: str) -> str:
    """Where the INVITE for a number goes."""
    return f"sip:{escape_user(number)}@{_address(trunk)}"


def registrar_uri(trunk: TrunkAccount) -> str:
    """Where we register (RFC 3261 §10.2: no user part)."""
    return f"sip:{_address(trunk)}"


def _address(trunk: TrunkAccount) -> str:
    transport = "" if trunk.transport == "udp" else f";transport={trunk.transport}"
    return f"{bracketed(trunk.host)}:{trunk.port}{transport}"


def called_user(trunk: TrunkAccount, message: SipText) -> str:
    """Whom a call is for: the user part of the Request-URI; where that is the Contact that we registered, of To."""
    user = request_user(message)
    is_contact = trunk.registers and user == trunk.user
    return (uri_user(name_addr(message.first("to"))[1]) if is_contact else "") or user


def from_header(trunk: TrunkAccount, command: Invite, advertise: str) -> str:
    """Value of the From header, without tag."""
    user = command.from_user or trunk.user or "anonymous"
    display = re.sub(r'(["\\])', r"\\\1", command.from_display)
    prefix = f'"{display}" ' if display else ""
    return f"{prefix}<sip:{escape_user(user)}@{bracketed(trunk.from_host or advertise)}>"


def contact(user: str, advertise: str, port: int | None, transport: str) -> str:
    """Contact of our end of a dialog; without `port` the gate puts in that of the connection it is sent on."""
    suffix = "" if transport == "udp" else f";transport={transport}"
    prefix = f"{escape_user(user)}@" if user else ""
    where = bracketed(advertise) if port is None else f"{bracketed(advertise)}:{port}"
    return f"<sip:{prefix}{where}{suffix}>"


def split_source(source: str) -> tuple[str, int]:
    """Address and port of pjsip's `ip:port` or `[ip]:port`."""
    host, _, port = source.rpartition(":")
    return host.strip("[]"), int(port) if port.isdigit() else 0


def is_from(trunk: TrunkAccount, host: str, addresses: Mapping[str, frozenset[str]]) -> bool:
    """Whether what comes from this address is the trunk's. `addresses` holds the resolved ones of each trunk's host."""
    if host in addresses.get(trunk.host, frozenset()):
        return True
    return any(ipaddress.ip_address(host) in network for network in _networks(trunk.sources))


@functools.cache
def _networks(sources: tuple[str, ...]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(map(ipaddress.ip_network, sources))


def trunk_of(
    source: str, message: SipText, trunks: Iterable[TrunkAccount], addresses: Mapping[str, frozenset[str]]
) -> TrunkAccount | None:
    """Whose request this is: by source address, then source port, then the From and Contact URIs.

    `addresses` as for `is_from`. None: a stranger.
    """
    host, port = split_source(source)
    candidates = [trunk for trunk in trunks if is_from(trunk, host, addresses)]
    if len(candidates) < 2:
        return candidates[0] if candidates else None
    by_port = [trunk for trunk in candidates if trunk.transport == "udp" and trunk.port == port]
    for header in ("contact", "from"):
        if len(by_port) == 1:
            break
        named_host, named_port = uri_host_port(message.first(header))
        by_port = [
            trunk
            for trunk in by_port or candidates
            if (named_port or 5060) == trunk.port and named_host in {trunk.host.lower(), trunk.from_host.lower(), host}
        ]
    return (by_port or candidates)[0]
