"""Waiting for another process, which has no events of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

PATIENCE_S: Final = 20.0
PAUSE_S: Final = 0.05


async def eventually(is_so: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
    """Wait until it is so; the question may block, so it is asked in a thread.

    Raises:
        TimeoutError: It never was.
    """
    async with asyncio.timeout(timeout_s):
        while not await asyncio.to_thread(is_so):  # noqa: ASYNC110 - see above
            await asyncio.sleep(PAUSE_S)
