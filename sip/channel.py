"""Lines of JSON over the socket between gateway and worker, seen from either end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

from sip.messagelines import decode_command, encode
from sip.messages import Command, Event

MAX_LINE_BYTES = 1 << 20


class Channel:
    """One end of the socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Wrap a connected stream; use `open`."""
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, end: socket.socket) -> Channel:
        """Take over one end of a socket pair."""
        return cls(*await asyncio.open_unix_connection(sock=end, limit=MAX_LINE_BYTES))

    def send(self, message: Command | Event) -> None:
        """Queue a message; a closed socket swallows it, the reader notices."""
        if not self._writer.is_closing():
            self._writer.write(encode(message))

    async def lines(self) -> AsyncIterator[bytes]:
        """Every line until the other end closes the socket."""
        try:
            while (line := await self._reader.readline()).endswith(b"\n"):
                yield line
        except (ConnectionError, ValueError):
            return

    async def first_command(self) -> Command:
        """What the gateway says first.

        Raises:
            PeerError: It is no command, or the socket closed before.
        """
        return decode_command(await self._reader.readline())

    async def close(self) -> None:
        """Flush what is queued and close."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except (ConnectionError, BrokenPipeError):
            return
