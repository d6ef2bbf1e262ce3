"""`sip.probe`: an open port stays silent, a closed one is told."""

from __future__ import annotations

import asyncio
import socket

from sip import probe
from sip.probe import Probe

HOST = "127.0.0.1"


async def test_a_closed_port_is_told() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind((HOST, 0))
        port = closed.getsockname()[1]
    told: list[str] = []
    await Probe.ask(HOST, port, told.append)
    assert [text.startswith(f"Nothing listens on UDP {HOST}:{port}") for text in told] == [True]


async def test_an_open_port_gets_a_keep_alive_and_nothing_is_told() -> None:
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind((HOST, 0))
    listener.setblocking(False)
    told: list[str] = []
    asking = asyncio.create_task(Probe.ask(HOST, listener.getsockname()[1], told.append))
    try:
        assert await asyncio.get_running_loop().sock_recv(listener, 100) == probe.KEEP_ALIVE
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert told == []
    finally:
        listener.close()
