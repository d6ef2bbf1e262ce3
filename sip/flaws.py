"""Remembers what went wrong below the level of calls: datagrams that are no SIP, TLS that failed."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

LIMIT = 256
LIFETIME_S = 30.0

PARSE_ERROR = re.compile(
    r"(?:Error processing packet|Dropping \d+ bytes packet) from (?:[A-Z0-9]+ )?"
    r"(?P<host>\[?[0-9a-fA-F.:]+?\]?):(?P<port>\d+) ?: ?(?P<flaw>[^\r\n]*)"
)
"""What pjsip's endpoint and transport manager log about a packet that they drop."""


SYNTAX_ERROR = re.compile(
    r"(?:PJSIP )?syntax error exception when parsing '(?P<what>[^']*)' header on line (?P<line>\d+)"
)


def plain(flaw: str) -> str:
    """pjsip's words about a packet, without the names of its errors."""
    found = SYNTAX_ERROR.search(flaw)
    if found:
        return f"syntax error in line {found['line']} ({found['what']})"
    words = re.sub(r"\s*(?:\(PJ\w*\)|\[code \d+\]:?$)", "", " ".join(flaw.split()))
    return words or "it makes no sense"


@dataclass
class Flaws:
    """A bounded memory of flaws by remote address."""

    now: Callable[[], float]
    _seen: OrderedDict[tuple[str, int], tuple[float, str]] = field(default_factory=OrderedDict)

    def note(self, host: str, port: int, flaw: str) -> None:
        """Something is wrong with what came from there."""
        self._seen[host, port] = (self.now(), flaw)
        self._seen.move_to_end((host, port))
        while len(self._seen) > LIMIT:
            self._seen.popitem(last=False)

    def note_log(self, line: str) -> bool:
        """Take up a line of pjsip's log, if it is about a packet that could not be read."""
        found = PARSE_ERROR.search(line)
        if not found:
            return False
        self.note(found.group("host").strip("[]"), int(found.group("port")), plain(found.group("flaw")))
        return True

    def of(self, addresses: frozenset[str], port: int) -> str | None:
        """What was wrong lately with what came from one of these addresses."""
        for host in addresses:
            when, flaw = self._seen.get((host, port), (0.0, ""))
            if flaw and self.now() - when < LIFETIME_S:
                return flaw
        return None
