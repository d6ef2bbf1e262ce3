"""The door of a listener: connections are counted from the moment they are accepted, before TLS and before HTTP.

asyncio's own server tells nobody of a connection until its TLS handshake is done, so nothing would bound those that
never finish it, and it logs thousands of lines a second while no descriptor is free.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Final

from webrtc.lobby import Lobby

log = logging.getLogger(__name__)

HANDSHAKE_S: Final = 10.0
"""How long a client may take for its TLS handshake (RFC 8446 §2)."""
TLS_CLOSE_S: Final = 5.0
"""How long it may take to confirm the end of TLS (close_notify, RFC 8446 §6.1)."""
AT_ONCE: Final = 128
"""Accepted in one go, so that a flood does not hold up the connections that are there."""
PAUSE_S: Final = 0.5
"""How long nothing is accepted once there is no descriptor for it; the kernel lets clients wait meanwhile."""
COMPLAINT_S: Final = 60.0
"""How often that is logged at most."""
_EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Door:
    """Accepts a listener's connections; each waits on the porch until its protocol takes over."""

    def __init__(
        self,
        listener: socket.socket,
        make_protocol: Callable[[], asyncio.Protocol],
        tls: ssl.SSLContext | None,
        porch: Lobby,
    ) -> None:
        """Open the door, inside a running loop; the listener stays the caller's to close, after `close`."""
        self._listener, self._make_protocol, self._tls, self._porch = listener, make_protocol, tls, porch
        self._loop = asyncio.get_running_loop()
        self._comers: dict[asyncio.Task[None], socket.socket] = {}
        self._pause: asyncio.TimerHandle | None = None
        self._complain_from = 0.0
        self._loop.add_reader(listener, self._accept)

    def close(self) -> None:
        """Accept nothing any more, and send away who has not come in yet."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._listener)
        for connection in self._comers.values():
            _send_away(connection)

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                connection, address = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:
                continue  # it has gone already
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                self._rest(error)
                return
            self._welcome(connection, address[0])

    def _welcome(self, connection: socket.socket, address: str) -> None:
        place = self._porch.enter(address, lambda: _send_away(connection))
        if place is None:
            connection.close()
            return
        connection.setblocking(False)
        task = self._loop.create_task(self._usher(connection))
        self._comers[task] = connection
        task.add_done_callback(self._comers.pop)
        task.add_done_callback(lambda _: self._porch.leave(place))

    async def _usher(self, connection: socket.socket) -> None:
        """Until the protocol has taken the connection, or the client gave up, or the time for TLS is over."""
        times = {"ssl_handshake_timeout": HANDSHAKE_S, "ssl_shutdown_timeout": TLS_CLOSE_S} if self._tls else {}
        try:
            await self._loop.connect_accepted_socket(self._make_protocol, connection, ssl=self._tls, **times)
        except OSError as error:  # ssl.SSLError is one; the transport has closed the socket
            log.debug("a connection came to nothing: %s", error)

    def _rest(self, error: OSError) -> None:
        self._loop.remove_reader(self._listener)
        self._pause = self._loop.call_later(PAUSE_S, self._loop.add_reader, self._listener, self._accept)
        if self._loop.time() >= self._complain_from:
            self._complain_from = self._loop.time() + COMPLAINT_S
            log.warning(
                "no new connections for now: %s; raise the limit of open files if this happens without an attack",
                error.strerror,
            )


def _send_away(connection: socket.socket) -> None:
    """Its transport then reads the end, whatever stage it is in, and closes it."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
