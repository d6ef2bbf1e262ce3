"""The scripted SIP peer on TCP or TLS: a listener whose connections can be broken."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
from collections.abc import AsyncIterator

from tests.interop.sip_peer import HOST, Peer


class StreamPeer(Peer):
    """One listener; an address is the other end of a connection (RFC 3261 §18.3 frames what comes over it)."""

    def __init__(self, protocol: str) -> None:
        super().__init__()
        self.protocol = protocol
        self._connections: dict[tuple[str, int], asyncio.StreamWriter] = {}
        self._serving: asyncio.Task[None] | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def listen(cls, tls: ssl.SSLContext | None = None, *, buffer: int = 1 << 16) -> AsyncIterator[StreamPeer]:
        """A peer on a free port; `buffer`: so many bytes, about, may come unread."""
        peer = cls("tls" if tls else "tcp")
        listener = socket.create_server((HOST, 0))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        async with await asyncio.start_server(peer._serve, sock=listener, ssl=tls, limit=buffer) as server:
            peer.port = server.sockets[0].getsockname()[1]
            peer._server = server
            try:
                yield peer
            finally:
                await peer.break_connections()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address: tuple[str, int] = writer.get_extra_info("peername")
        self._connections[address] = writer
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lstrip()  # a keep-alive is CRLF CRLF (RFC 5626 §3.5.1)
                if length := re.search(rb"(?im)^(?:content-length|l)[ \t]*:[ \t]*(\d+)", head):
                    self.datagram_received(head + await reader.readexactly(int(length.group(1))), address)
        self._connections.pop(address, None)
        writer.close()

    async def connect(self, port: int) -> tuple[str, int]:
        """Open a TCP connection to a gateway on loopback; its address."""
        reader, writer = await asyncio.open_connection(HOST, port)
        self._connections[HOST, port] = writer
        self._serving = asyncio.create_task(self._serve(reader, writer))
        return HOST, port

    def send(self, text: str | bytes, address: tuple[str, int]) -> None:
        """Say it over that connection."""
        self._connections[address].write(text.encode() if isinstance(text, str) else text)

    async def break_connections(self) -> None:
        """Abort them all; new ones are accepted as before."""
        writers = list(self._connections.values())
        self._connections.clear()
        for writer in writers:
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def stop_reading(self) -> None:
        """What comes over the connections that are up stays in the way."""
        for writer in self._connections.values():
            writer.transport.pause_reading()  # type: ignore[attr-defined]

    def shut(self) -> None:
        """Nobody listens any more."""
        self._server.close()
