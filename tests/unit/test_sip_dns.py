"""`sip.dns`: queries and responses as bytes, and a server on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from call.errors import PeerError, TransportError
from sip import dns

HOST = "127.0.0.1"
V4, V6 = socket.AF_INET, socket.AF_INET6
QUERY = dns.question(7, "pbx.example", V4)


def response(query: bytes, *records: tuple[int, bytes], rcode: int = 0) -> bytes:
    """A response to a query; owner names are pointers to the question."""
    identity = struct.unpack_from("!H", query)[0]
    head = struct.pack("!6H", identity, 0x8180 | rcode, 1, len(records), 0, 0)
    body = b"".join(b"\xc0\x0c" + struct.pack("!2HLH", kind, 1, 60, len(data)) + data for kind, data in records)
    return head + query[12:] + body


def test_a_question_names_host_type_and_class() -> None:
    assert QUERY == b"\0\7\1\0\0\1\0\0\0\0\0\0\3pbx\7example\0\0\1\0\1"
    assert dns.question(7, "pbx.example.", V6).endswith(b"\0\0\x1c\0\1")


@pytest.mark.parametrize("host", ["a..b", "x" * 64])
def test_what_is_no_host_name_is_not_asked_for(host: str) -> None:
    with pytest.raises(TransportError, match="no host name"):
        dns.question(1, host, V4)


def test_addresses_are_found_behind_aliases() -> None:
    answer = response(QUERY, (5, b"\3sip\xc0\x10"), (1, b"\xc0\0\2\1"), (1, b"\xc0\0\2\2"), (1, b"\xc0\0\2\1"))
    assert dns.addresses(QUERY, answer, V4) == ("192.0.2.1", "192.0.2.2")
    query = dns.question(9, "pbx.example", V6)
    address = bytes.fromhex("20010db8000000000000000000000001")
    assert dns.addresses(query, response(query, (28, address)), V6) == ("2001:db8::1",)


@pytest.mark.parametrize(("rcode", "expected"), [(3, ()), (2, None), (5, None)])
def test_a_missing_name_is_told_from_a_server_that_cannot_tell(rcode: int, expected: tuple[str, ...] | None) -> None:
    assert dns.addresses(QUERY, response(QUERY, rcode=rcode), V4) == expected


@pytest.mark.parametrize("other", [dns.question(8, "pbx.example", V4), dns.question(7, "evil.example", V4), QUERY])
def test_what_answers_another_question_is_refused(other: bytes) -> None:
    forged = other if other is QUERY else response(other, (1, b"\xc0\0\2\1"))
    with pytest.raises(PeerError):
        dns.addresses(QUERY, forged, V4)


@given(st.binary(max_size=80))
def test_any_bytes_give_addresses_or_a_peer_error(tail: bytes) -> None:
    for data in (tail, response(QUERY)[:6] + b"\0\x05" + response(QUERY)[8:] + tail):
        with contextlib.suppress(PeerError):
            assert isinstance(dns.addresses(QUERY, data, V4), tuple | None)


class Server(asyncio.DatagramProtocol):
    def __init__(self, answer: Callable[[bytes], list[bytes]]) -> None:
        self._answer = answer

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        for datagram in self._answer(data):
            self._transport.sendto(datagram, addr)


@contextlib.asynccontextmanager
async def serving(answer: Callable[[bytes], list[bytes]]) -> AsyncIterator[tuple[str, int]]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: Server(answer), local_addr=(HOST, 0))
    try:
        yield transport.get_extra_info("sockname")
    finally:
        transport.close()


async def test_the_next_server_is_asked_when_one_is_silent_broken_or_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns, "TRY_S", 0.05)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind((HOST, 0))
        closed = unused.getsockname()
    async with (
        serving(lambda _: []) as silent,
        serving(lambda query: [response(query, rcode=2)]) as broken,
        serving(lambda query: [b"guess", response(query, (1, b"\xc0\0\2\1"))]) as good,
    ):
        assert await dns.lookup("pbx.example", [closed, silent, broken, good], V4) == ("192.0.2.1",)
        with pytest.raises(TransportError, match=r"no answer from the name servers"):
            await dns.lookup("pbx.example", [silent, broken], V4)


async def test_a_missing_name_is_not_asked_for_twice() -> None:
    async with (
        serving(lambda query: [response(query, rcode=3)]) as first,
        serving(lambda query: [response(query, (1, b"\xc0\0\2\1"))]) as second,
    ):
        with pytest.raises(TransportError, match=r"pbx\.example does not resolve"):
            await dns.lookup("pbx.example", [first, second], V4)


def test_the_hosts_file_is_read_by_family() -> None:
    text = "127.0.0.1 localhost me # comment you\n::1 localhost\n\n192.0.2.1\n"
    assert dns.in_hosts_file("LocalHost", V4, text) == ("127.0.0.1",)
    assert dns.in_hosts_file("localhost", V6, text) == ("::1",)
    assert dns.in_hosts_file("you", V4, text) == ()
