"""Give memory back to the system: after a burst of calls glibc would keep all that their handshakes needed at once."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import time
from typing import Final

PERIOD_S: Final = 5.0
TRIM_ABOVE_BYTES: Final = 1 << 20
"""Less is not worth the work: the next calls will use it."""
COLLECTING: Final = 0.005
"""Share of the time that may go into looking for what ended calls left."""


class _MallInfo(ctypes.Structure):
    """glibc's struct mallinfo2 (malloc.h)."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


class Heap:
    """The C heap of this process."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None)
        self._free_after_trim = 0
        self._collect_at = 0.0
        if self.can_trim:
            self._libc.mallinfo2.restype = _MallInfo

    @staticmethod
    def settle() -> None:
        """Take what is there for the life of the process, all modules above all, out of the collector's sight."""
        gc.collect()
        gc.freeze()

    def collect(self, now: float) -> None:
        """Free what ended calls left, if it is time.

        A call is a knot of objects that know each other, 40 kB of them with those of its handshake. By itself Python
        looks for such knots every few hundred calls.
        """
        if now < self._collect_at:
            return
        began = time.perf_counter()
        gc.collect()
        self._collect_at = now + (time.perf_counter() - began) / COLLECTING

    @property
    def can_trim(self) -> bool:
        """Whether the C library is one that must be asked (glibc from 2.33 on)."""
        return hasattr(self._libc, "malloc_trim") and hasattr(self._libc, "mallinfo2")

    def free_bytes(self) -> int:
        """What was freed and not given back; fragments that cannot be given back are in it."""
        return int(self._libc.mallinfo2().fordblks)

    def trim(self) -> None:
        """Give back every whole page that is free."""
        self._libc.malloc_trim(0)
        self._free_after_trim = self.free_bytes()

    def is_worth_it(self) -> bool:
        """Whether much more is free than the last time could not give back."""
        return self.free_bytes() > self._free_after_trim + TRIM_ABOVE_BYTES

    async def run(self) -> None:
        """Look now and then, for as long as the gateway runs; trim off the event loop, which others need."""
        while True:
            await asyncio.sleep(PERIOD_S)
            self.collect(asyncio.get_running_loop().time())
            if self.can_trim and self.is_worth_it():
                await asyncio.to_thread(self.trim)
