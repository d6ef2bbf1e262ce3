"""Asks the network whether anybody listens on a UDP port.

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
        self.refused: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def error_received(self, exc: Exception) -> None:
        """The kernel passes on an ICMP error."""
        if not self.refused.done():
            self.refused.set_result(str(exc))

    @classmethod
    async def ask(cls, host: str, port: int, on_refused: Callable[[str], None]) -> None:
        """Send one keep-alive and tell when it is refused."""
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
                reason = await protocol.refused
            on_refused(f"Nothing listens on UDP {host}:{port} ({reason}).")
        except TimeoutError:
            return
        finally:
            transport.close()
