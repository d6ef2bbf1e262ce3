"""An attacker's TCP connections to the public listener, byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Final

from tests.harness.gateway import GatewayProcess
from tests.harness.ports import HOST

ATTACKER: Final = "127.0.0.66"
"""Another client, as far as the gateway can tell."""
UPGRADE: Final = (
    b"GET /signal HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def port_of(gateway: GatewayProcess) -> int:
    return int(gateway.settings["listen"]["port"])


async def raw(
    gateway: GatewayProcess, words: bytes, *, receive_buffer: int = 0, source: str = ATTACKER
) -> socket.socket:
    """A TCP connection of the attacker, on which these bytes were sent."""
    connection = socket.socket()
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.setblocking(False)
    connection.bind((source, 0))
    loop = asyncio.get_running_loop()
    await loop.sock_connect(connection, (HOST, port_of(gateway)))
    with contextlib.suppress(ConnectionError):  # refused already
        await loop.sock_sendall(connection, words)
    return connection


async def upgraded(gateway: GatewayProcess, *, receive_buffer: int = 0) -> socket.socket:
    """A WebSocket of the attacker. What comes with its request would be lost, so the answer is awaited."""
    connection = await raw(gateway, UPGRADE, receive_buffer=receive_buffer)
    answer = b""
    while b"\r\n\r\n" not in answer:
        received = await asyncio.get_running_loop().sock_recv(connection, 1)
        assert received, "closed instead"
        answer += received
    assert answer.startswith(b"HTTP/1.1 101")
    return connection


def frame(payload: bytes, opcode: int = 1) -> bytes:
    """One masked frame (RFC 6455 §5.2) with a mask of zeros."""
    length = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2)
    return bytes([0x80 | opcode]) + length + bytes(4) + payload


async def is_closed(connection: socket.socket, timeout_s: float = 30.0) -> bool:
    """Read until the gateway closes."""
    loop = asyncio.get_running_loop()
    with connection, contextlib.suppress(ConnectionError):
        async with asyncio.timeout(timeout_s):
            while await loop.sock_recv(connection, 65_536):
                pass
    return True
