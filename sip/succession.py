"""How the SIP ports pass from the worker of a gateway that is gone to that of the next one.

The old worker holds them until its goodbyes are heard, for they must go out, and be answered, where their calls were.
A port that both had would give the responses of one to the other, so the new one waits. It finds the old one by a name
in the kernel (unix(7), abstract sockets) that is there for as long as the process is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from typing import Final

from sip.messages import Start

log = logging.getLogger("sip.succession")

SLACK_S: Final = 1.0
"""An old worker may have been told to stop a moment after it lost its gateway."""


@contextlib.contextmanager
def announced(bind: str, udp_port: int) -> Iterator[None]:
    """Meanwhile, whoever wants these ports waits for the end of this process."""
    with socket.socket(socket.AF_UNIX) as sign:
        with contextlib.suppress(OSError):  # somebody has the name: then a successor waits for that one
            sign.bind(_name(bind, udp_port))
            sign.listen()
        yield


async def wait_for_predecessor(start: Start) -> None:
    """Return once no other worker says goodbye on our ports, or it should have ended long ago."""
    try:
        reader, writer = await asyncio.open_unix_connection(_name(start.bind, start.udp_port))
    except OSError:  # there is none: as ever
        return
    patience_s = start.goodbyes_s + SLACK_S
    log.warning(
        "the SIP worker of a gateway that is gone still ends its calls on port %d: waiting for at most %g s",
        start.udp_port,
        patience_s,
    )
    with contextlib.closing(writer), contextlib.suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(patience_s):
            await reader.read()


def _name(bind: str, udp_port: int) -> str:
    return f"\0webtrunk-sip-{bind}-{udp_port}"
