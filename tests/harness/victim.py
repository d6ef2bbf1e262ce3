"""The way of a page's call to the gateway, for somebody who can forge its address."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final

from tests.harness.pagelike import PageCall
from tests.harness.patience import PATIENCE_S

CAPTURED: Final = 200


class Victim:
    """The socket of a call that is up; what the page itself sends is captured on its way."""

    def __init__(self, call: PageCall) -> None:
        assert call.audio is not None
        (transceiver,) = call.audio.pc.getTransceivers()
        dtls: Any = transceiver.sender.transport
        ice: Any = dtls.transport
        self._send = ice._send
        ice._send = self._capture
        self._media: deque[bytes] = deque(maxlen=CAPTURED)
        self._news = asyncio.Event()

    async def captured(self, count: int, timeout_s: float = PATIENCE_S) -> list[bytes]:
        """The next so many media packets that the page has sent."""
        assert count <= CAPTURED
        self._media.clear()
        async with asyncio.timeout(timeout_s):
            while len(self._media) < count:
                self._news.clear()
                await self._news.wait()
        return list(self._media)[:count]

    async def forge(self, packets: list[bytes]) -> None:
        """Send these from the page's own address; a pause now and then lets the page's audio through."""
        for number, packet in enumerate(packets):
            await self._send(packet)
            if number % 50 == 49:
                await asyncio.sleep(0.02)

    async def _capture(self, data: bytes) -> None:
        if data[0] >> 6 == 2:
            self._media.append(data)
            self._news.set()
        await self._send(data)
