"""The gateway's command line, with one thing more: SIGUSR1 blocks its Python, as a long computation would."""

import signal
import time
from typing import Any, Final

from gateway.__main__ import main

BLOCKED_S: Final = 3.0


def _block(*_: Any) -> None:
    """Busy, not asleep: the interpreter lock is held but for the moments in which Python offers it."""
    print("blocked", flush=True)
    until = time.monotonic() + BLOCKED_S
    while time.monotonic() < until:
        pass
    print("unblocked", flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, _block)
    main()
