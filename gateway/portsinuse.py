"""Ports that somebody has while a configuration is checked: a remark, for it may be the gateway that will give them up.

They are looked up in Linux's tables (proc(5)) and never opened, which could get in the way of a gateway that starts.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.addresses import overlap
from gateway.config import Config
from gateway.configports import Protocol, Want, wants
from gateway.listeners import running_webtrunk

_PROC: Final = Path("/proc")
_LISTENS: Final = "0A"
"""The state of a TCP socket that waits for connections (the kernel's net/tcp_states.h)."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A port that is open now."""

    protocol: Protocol
    host: str
    port: int
    inode: str
    """By which the kernel lists the socket among the files of its process."""


def ports_in_use(config: Config) -> Iterator[str]:
    """Sentences about ports that a start would find taken; none if there is no such port. Blocking."""
    holdings = list(_holdings())
    sections = config.model_dump(include={"listen", "admin", "sip", "media"})
    wanted = list(wants(sections, [network.bind for network in config.networks]))
    taken = [(want, holding) for want in wanted for holding in holdings if _is_in_the_way(holding, want)]
    names = _names({holding.inode for _, holding in taken})
    by_holder: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for want, holding in taken:
        holder = names.get(holding.inode, "a program of another user")
        by_holder[holder][f"{want.setting} ({want.port})"] = None  # once, however many sockets it has there
    for holder, settings in by_holder.items():
        yield f"ports in use by {holder}: {', '.join(settings)}."
    if taken and (url := running_webtrunk(config.listen)):
        yield f"webtrunk runs already: {url}; it must end before it can start with this configuration."
    elif taken:
        yield "webtrunk can start when they are free."
    yield from _scarce_rtp(config, holdings)


def _is_in_the_way(holding: Holding, want: Want) -> bool:
    return (holding.protocol, holding.port) == (want.protocol, want.port) and overlap(holding.host, want.host)


def _scarce_rtp(config: Config, holdings: Collection[Holding]) -> Iterator[str]:
    """A call needs an even port and the next one; those that others have are passed over."""
    first, last = config.media.rtp_ports
    host = config.networks[0].bind
    taken = {each.port for each in holdings if each.protocol == "udp" and overlap(each.host, host)}
    pairs = [(port, port + 1) for port in range(first + first % 2, last, 2)]
    free = sum(taken.isdisjoint(pair) for pair in pairs)
    if free < len(pairs) / 2:
        yield f"media.rtp_ports: only {free} of {len(pairs)} pairs of ports are free; each call takes one."


def _holdings() -> Iterator[Holding]:
    protocols: tuple[Protocol, ...] = ("tcp", "udp")
    for protocol in protocols:
        for family in ("", "6"):
            with contextlib.suppress(OSError):  # no IPv6, or no Linux
                for line in (_PROC / "net" / f"{protocol}{family}").read_text().splitlines()[1:]:
                    yield from parsed(protocol, line)


def parsed(protocol: Protocol, line: str) -> Iterator[Holding]:
    """One line of the kernel's table, if its socket keeps others from the port."""
    _, local, _, state, _, _, _, _, _, inode, *_ = line.split()
    if protocol == "udp" or state == _LISTENS:
        address, port = local.split(":")
        yield Holding(protocol, _address(address), int(port, 16), inode)


def _address(hexadecimal: str) -> str:
    """The kernel writes each 32 bits as a number of this machine, which is little-endian wherever webtrunk is built."""
    words = [bytes.fromhex(hexadecimal[at : at + 8])[::-1] for at in range(0, len(hexadecimal), 8)]
    return str(ipaddress.ip_address(b"".join(words)))


def _names(inodes: Collection[str]) -> dict[str, str]:
    """Whose sockets they are, as far as we may look: "python (process 123)"."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    names: dict[str, str] = {}
    for process in _PROC.glob("[0-9]*") if wanted else ():
        with contextlib.suppress(OSError):  # another user's, or just gone
            for file in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if inode := wanted.get(str(file.readlink())):
                        names[inode] = f"{(process / 'comm').read_text().strip()} (process {process.name})"
    return names
