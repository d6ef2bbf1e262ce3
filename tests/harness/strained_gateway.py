"""The gateway's command line on a machine that is too small for it.

SIGUSR1 makes every turn of the event loop late until SIGUSR2. `STARVE` starts other programs that leave the media
threads hardly a processor, until `FEED`. The bound of the media threads is so low that a storm of packets from one
process reaches it on any machine.
"""

import asyncio
import signal
import time
from typing import Any, Final

import gateway.load
from gateway.__main__ import main
from tests.harness.hogs import Hogs

STARVE: Final = signal.SIGRTMIN
FEED: Final = signal.SIGRTMIN + 1
LATE_S: Final = 1.0
MAX_THREAD_LOAD: Final = 0.03
"""One call needs less than one hundredth of a core."""

_is_strained = False
_hogs: list[Hogs] = []


def _strain(number: int, _: Any) -> None:
    global _is_strained
    _is_strained = number == signal.SIGUSR1
    if _is_strained:
        asyncio.get_running_loop().call_soon_threadsafe(_hold_up)


def _hold_up() -> None:
    """Sleep where nothing may sleep; media threads go on, as they would if Python were busy in C."""
    if _is_strained:
        time.sleep(LATE_S)
        asyncio.get_running_loop().call_later(0.01, _hold_up)


def _starve(*_: Any) -> None:
    _hogs.append(Hogs(gateway.load.MEDIA_THREAD))


def _feed(*_: Any) -> None:
    _hogs.pop().go()


if __name__ == "__main__":
    gateway.load.MAX_THREAD_LOAD = MAX_THREAD_LOAD  # type: ignore[misc]
    for each in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(each, _strain)
    signal.signal(STARVE, _starve)
    signal.signal(FEED, _feed)
    main()
