"""Asks the network whether anybody listens on a UDP port.

It also hears short answers that are no SIP: pjsip drops datagrams of up to 32 bytes without a word.

pjsip's socket is not connected, so the kernel does not tell it about ICMP errors, and must not: an
error of one trunk would surface in the next send to another. A connected socket of our own gets them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

KEEP_ALIVE = b"\r\n\r\n"
"""The keep-alive of RFC 5626 §3.5.1, which every SIP peer ignores or answers with CRLF."""
LISTEN_S = 1.0


class Probe(asyncio.DatagramProtocol):
    """One keep-alive; an ICMP error comes back as an exception of the socket."""

    def __init__(self) -> None:
        """Nothing refused so far."""
        self.answer: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        """Bytes that are no SIP; None: the port is closed."""

    def error_received(self, exc: Exception) -> None:
        """The kernel passes on an ICMP error."""
        if not self.answer.done():
            self.answer.set_result(None)

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Whoever answers a keep-alive with anything but CRLF or SIP answers INVITEs so, too."""
        if data.strip() and b"SIP/2.0" not in data and not self.answer.done():
            self.answer.set_result(data)

    @classmethod
    async def ask(
        cls, host: str, port: int, on_refused: Callable[[str], None], on_garbage: Callable[[str, int, str], None]
    ) -> None:
        """Send one keep-alive and tell when it is refused, or answered by something else than SIP."""
        try:
            transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
                cls, remote_addr=(host, port)
            )
        except OSError as error:
            on_refused(f"{host}:{port} cannot be reached: {error.strerror or error}.")
            return
        transport.sendto(KEEP_ALIVE)
        try:
            async with asyncio.timeout(LISTEN_S):
                answer = await protocol.answer
        except TimeoutError:
            return
        finally:
            transport.close()
        if answer is None:
            on_refused(f"Nothing listens on UDP {host}:{port}.")
        else:
            on_garbage(host, port, f"{len(answer)} bytes that are something else")
