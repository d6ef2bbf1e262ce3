"""A process that sends hostile datagrams, so that the storm does not slow down the test that listens in it.

It sends them in bursts from many sockets, at a rate that the kernel's buffer holds even on a busy machine: what is
tested is what the gateway does with them, not how many a full buffer loses.
"""

from __future__ import annotations

import argparse
import itertools
import random
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Final

from tests.harness.hostilepackets import MAKERS, run_of_media, stun_check
from tests.harness.ports import HOST
from tests.harness.program import Program

SOCKETS: Final = 16
BURST: Final = 100
PREPARED: Final = 500
"""Different packets of a kind; then they repeat."""
STRANGER: Final = "127.0.0.9"
"""Another host, as far as the gateway can tell."""


class Storm(Program):
    """So many packets of the given kinds, each in turn, to each of the ports in turn."""

    def __init__(
        self, kinds: Sequence[str], ports: Sequence[int], *, count: int, rate: int, source: str = HOST, ufrag: str = ""
    ) -> None:
        """Kinds are those of `MAKERS`, "forged-check" (with `ufrag`, a real one) and "run-of-media"."""
        words = ["--kinds", *kinds, "--ports", *map(str, ports), "--source", source]
        words += ["--count", str(count), "--rate", str(rate), "--ufrag", ufrag]
        super().__init__("storm", [sys.executable, "-m", "tests.harness.packetstorm", *words])

    async def is_over(self, timeout_s: float = 60.0) -> None:
        """Wait until all packets are sent."""
        await self.says(r"the storm is over", timeout_s)
        assert self.wait() == 0, self.log


def prepared(kind: str, chance: random.Random, ufrag: str) -> list[bytes]:
    """Packets of one kind."""
    if kind == "run-of-media":
        return [packet for _ in range(PREPARED // 5) for packet in run_of_media(chance, 5)]
    if kind == "forged-check":
        return [stun_check(chance, ufrag) for _ in range(PREPARED)]
    return [MAKERS[kind](chance) for _ in range(PREPARED)]


def blow(packets: Iterator[bytes], ports: Sequence[int], source: str, count: int, rate: int) -> None:
    """Send in bursts, on time on average; a burst of five goes from one socket to one port, as one peer's would."""
    sockets = []
    for _ in range(SOCKETS):
        sockets.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sockets[-1].bind((source, 0))
    pairs = itertools.cycle((sock, port) for port in ports for sock in sockets)
    began = time.monotonic()
    for sent in range(0, count, BURST):
        time.sleep(max(0.0, began + sent / rate - time.monotonic()))
        for _ in range(BURST // 5):
            sock, port = next(pairs)
            for packet in itertools.islice(packets, 5):
                sock.sendto(packet, (HOST, port))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kinds", nargs="+", required=True)
    parser.add_argument("--ports", nargs="+", type=int, required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--rate", type=int, required=True)
    parser.add_argument("--ufrag", default="")
    given = parser.parse_args()
    chance = random.Random(1)
    each = [prepared(kind, chance, given.ufrag) for kind in given.kinds]
    # five of a kind, then five of the next
    fives = [packets[at : at + 5] for at in range(0, PREPARED, 5) for packets in each]
    blow(itertools.cycle(itertools.chain.from_iterable(fives)), given.ports, given.source, given.count, given.rate)
    print("the storm is over", flush=True)


if __name__ == "__main__":
    main()
