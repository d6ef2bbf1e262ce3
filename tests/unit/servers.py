"""Listeners on loopback that are not the gateway's."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer


class _Stranger(BaseHTTPRequestHandler):
    """Answers whatever is asked with the same words."""

    words = b""

    def do_GET(self) -> None:
        self.wfile.write(self.words)

    do_DELETE = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextlib.contextmanager
def stranger(words: bytes) -> Iterator[int]:
    """Another program that answers with these words; its port."""
    with HTTPServer(("127.0.0.1", 0), type("Speaking", (_Stranger,), {"words": words})) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()
