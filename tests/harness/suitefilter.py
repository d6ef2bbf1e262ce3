"""Stands between the gateway and a phone on UDP and leaves one SRTP suite in the gateway's offers.

baresip takes the first suite that is offered, and the gateway always offers the mandatory one first (ADR 0011).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from call.sdes import SuiteName
from tests.harness.ports import HOST

Address = tuple[str, int]


@asynccontextmanager
async def only_suite(suite: SuiteName, listen_port: int, phone_port: int) -> AsyncIterator[None]:
    """What comes to `listen_port` goes to the phone without the other suites; what it says goes back as it is."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Filter(suite, (HOST, phone_port)), local_addr=(HOST, listen_port)
    )
    try:
        yield
    finally:
        transport.close()


class _Filter(asyncio.DatagramProtocol):
    def __init__(self, suite: SuiteName, phone: Address) -> None:
        self._suite, self._phone = suite, phone
        self._gateway: Address | None = None
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, source: Address) -> None:
        assert self._transport is not None
        if source == self._phone:
            self._transport.sendto(data, self._gateway)
        else:
            self._gateway = source
            self._transport.sendto(filtered(data.decode(), self._suite).encode(), self._phone)


def filtered(message: str, suite: SuiteName) -> str:
    """A SIP message (RFC 3261 §7) whose SDP offers this suite and no other."""
    head, _, body = message.partition("\r\n\r\n")
    lines = body.split("\r\n")
    body = "\r\n".join(line for line in lines if not line.startswith("a=crypto:") or f" {suite} " in line)
    head = re.sub(r"(?im)^(Content-Length[ \t]*:[ \t]*)[0-9]+", rf"\g<1>{len(body)}", head)
    return f"{head}\r\n\r\n{body}"
