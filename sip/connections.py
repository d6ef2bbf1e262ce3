"""TCP and TLS connections that come in: how many one address may have at once."""

from __future__ import annotations

import os
from collections import defaultdict
from typing import Final

LIMIT: Final = 64
"""For each address. A trunk needs one or two; pjsip has handles for some thousand."""


class Connections:
    """The connections that are up, by the address that they come from.

    pjsip tells nobody when a handshake fails or a connection ends, so a connection is known by its descriptor and
    inode: it is up as long as the one still means the other.
    """

    def __init__(self) -> None:
        self._by_host: defaultdict[str, dict[int, int]] = defaultdict(dict)

    def take(self, host: str, descriptor: int) -> bool:
        """Count a new connection; False: its address has enough."""
        kept = {each: inode for each, inode in self._by_host[host].items() if _inode(each) == inode}
        self._by_host[host] = kept
        if len(kept) >= LIMIT:
            return False
        kept[descriptor] = _inode(descriptor)
        return True


def _inode(descriptor: int) -> int:
    try:
        return os.fstat(descriptor).st_ino
    except OSError:  # closed
        return 0
