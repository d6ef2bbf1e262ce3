"""Cuts the socket between the gateway and its SIP worker while both live."""

from __future__ import annotations

import ctypes
import os
import socket
from pathlib import Path
from typing import Final

_PIDFD_GETFD: Final = 438
"""pidfd_getfd(2); the number is the same on all architectures."""


def cut_off(worker: int) -> None:
    """From now on each side finds the socket closed by the other."""
    words = Path(f"/proc/{worker}/cmdline").read_text().split("\0")
    process = os.pidfd_open(worker)
    try:
        descriptor = ctypes.CDLL(None, use_errno=True).syscall(_PIDFD_GETFD, process, int(words[-2]), 0)
    finally:
        os.close(process)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    with socket.socket(fileno=descriptor) as shared:
        assert words[-3] == "--socket"
        shared.shutdown(socket.SHUT_RDWR)
