"""A stub resolver for configured name servers: addresses of a host over UDP (RFC 1035, RFC 3596).

Only for `nameservers` of the configuration; without it the system's own resolver is asked.
"""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import socket
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from call.errors import PeerError, TransportError

TYPES: Final = {socket.AF_INET: 1, socket.AF_INET6: 28}
"""A and AAAA (RFC 1035 §3.2.2, RFC 3596 §2.1)."""
CLASS_IN: Final = 1
RECURSION_DESIRED: Final = 0x0100
IS_RESPONSE, RCODE_MASK, NAME_ERROR = 0x8000, 0x000F, 3
POINTER: Final = 0xC0
HEADER: Final = struct.Struct("!6H")
RECORD: Final = struct.Struct("!2HLH")
TRY_S: Final = 1.5
"""How long one server may take before the next is asked."""
HOSTS_FILE: Final = Path("/etc/hosts")


def question(identity: int, host: str, family: socket.AddressFamily) -> bytes:
    """A query for the addresses of one family.

    Raises:
        TransportError: The host is no name that DNS could hold.
    """
    try:
        labels = [label.encode("idna") for label in host.rstrip(".").split(".")]
        if not all(labels):
            raise UnicodeError("empty label")
    except UnicodeError as error:
        raise TransportError(f"{host!r} is no host name ({error}).") from error
    name = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    return HEADER.pack(identity, RECURSION_DESIRED, 1, 0, 0, 0) + name + struct.pack("!2H", TYPES[family], CLASS_IN)


def addresses(query: bytes, response: bytes, family: socket.AddressFamily) -> tuple[str, ...] | None:
    """The addresses in a response, () if the name has none, None if the server cannot tell.

    Raises:
        PeerError: The datagram is no response to the query.
    """
    try:
        identity, flags, _, answers, _, _ = HEADER.unpack_from(response)
        is_ours = identity == HEADER.unpack_from(query)[0] and flags & IS_RESPONSE
        if not is_ours or response[HEADER.size : len(query)].lower() != query[HEADER.size :].lower():
            raise PeerError("not a response to our question")
        if flags & RCODE_MASK:
            return () if flags & RCODE_MASK == NAME_ERROR else None
        found = [data for kind, data in _records(response, len(query), answers) if kind == TYPES[family]]
        return tuple(dict.fromkeys(str(ipaddress.ip_address(data)) for data in found))
    except (struct.error, IndexError, ValueError) as error:
        raise PeerError(f"not a DNS message: {error}") from error


def _records(message: bytes, offset: int, count: int) -> Iterator[tuple[int, bytes]]:
    """Type and data of the answer section; owner names are skipped, so a CNAME chain is followed as sent."""
    for _ in range(count):
        while message[offset] and message[offset] < POINTER:
            offset += 1 + message[offset]
        offset += 2 if message[offset] else 1
        kind, _, _, length = RECORD.unpack_from(message, offset)
        offset += RECORD.size + length
        yield kind, message[offset - length : offset]


class _Asker(asyncio.DatagramProtocol):
    """Waits for the response to one query on a connected socket."""

    def __init__(self, query: bytes, family: socket.AddressFamily) -> None:
        self._query, self._family = query, family
        self.answer: asyncio.Future[tuple[str, ...] | None] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, _: object) -> None:
        try:
            found = addresses(self._query, data, self._family)
        except PeerError:
            return  # somebody guesses (RFC 5452 §9.1): go on waiting
        if not self.answer.done():
            self.answer.set_result(found)

    def error_received(self, _: Exception) -> None:
        if not self.answer.done():
            self.answer.set_result(None)


async def lookup(host: str, servers: Sequence[tuple[str, int]], family: socket.AddressFamily) -> tuple[str, ...]:
    """Ask one server after the other.

    Raises:
        TransportError: None of them could tell, or the name does not exist.
    """
    query = question(secrets.randbits(16), host, family)
    for server in servers:
        found = await _ask(query, server, family)
        if found:
            return found
        if found is not None:
            raise TransportError(f"The name {host} does not resolve (so says the name server {server[0]}).")
    names = ", ".join(server for server, _ in servers)
    raise TransportError(f"The name {host} does not resolve: no answer from the name servers ({names}).")


async def _ask(query: bytes, server: tuple[str, int], family: socket.AddressFamily) -> tuple[str, ...] | None:
    loop = asyncio.get_running_loop()
    try:
        transport, asker = await loop.create_datagram_endpoint(lambda: _Asker(query, family), remote_addr=server)
    except OSError:
        return None
    try:
        transport.sendto(query)
        async with asyncio.timeout(TRY_S):
            return await asker.answer
    except TimeoutError:
        return None
    finally:
        transport.close()


def in_hosts_file(host: str, family: socket.AddressFamily, text: str | None = None) -> tuple[str, ...]:
    """The addresses that /etc/hosts gives a name: localhost and its like are not in DNS."""
    lines = (text if text is not None else HOSTS_FILE.read_text(errors="replace")).splitlines()
    entries = [line.partition("#")[0].split() for line in lines]
    is_v6 = family == socket.AF_INET6
    return tuple(
        e[0] for e in entries if len(e) > 1 and host.lower() in map(str.lower, e[1:]) and (":" in e[0]) == is_v6
    )
