"""SRTP keys in SDP: the a=crypto lines of RFC 4568, and which of them both sides use.

A line holds the key that its writer encrypts with. Keys never appear in a `repr`, and so in no log.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Literal, cast

SuiteName = Literal["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM", "AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_32"]
Policy = Literal["off", "optional", "required"]
"""What a trunk wants: plain RTP only; SRTP where the peer takes it; SRTP or no call."""
RandomBytes = Callable[[int], bytes]

SUITES: Final[MappingProxyType[SuiteName, int]] = MappingProxyType(
    {
        "AES_CM_128_HMAC_SHA1_80": 16 + 14,
        "AEAD_AES_256_GCM": 32 + 12,
        "AEAD_AES_128_GCM": 16 + 12,
        "AES_CM_128_HMAC_SHA1_32": 16 + 14,
    }
)
"""Bytes of master key and salt (RFC 4568 §6.2, RFC 7714 §14.1), in the order in which we offer them (ADR 0011)."""

MAX_MKI_BYTES: Final = 128
_LINE: Final = re.compile(r"([0-9]{1,9})[ \t]+(\S+)[ \t]+(\S+)((?:[ \t]+\S+)*)[ \t]*")
_KEY: Final = re.compile(r"inline:([A-Za-z0-9+/]+={0,2})((?:\|[^|;]*){0,2})", re.IGNORECASE)
_LIFETIME: Final = re.compile(r"2\^[0-9]+|[0-9]+")
_MKI: Final = re.compile(r"([0-9]{1,309}):([0-9]{1,3})")
_HARMLESS: Final = re.compile(r"WSH=[0-9]+|FEC_ORDER=(FEC_SRTP|SRTP_FEC)|FEC_KEY=.*|-.*", re.IGNORECASE)
"""Session parameters that change nothing for us (RFC 4568 §6.3): a hint about the replay window, how to protect the
forward error correction that we do not speak, and whatever its writer marks as dispensable (§6.3.7)."""


@dataclass(frozen=True, slots=True)
class Crypto:
    """One a=crypto line that we can serve."""

    tag: int
    suite: SuiteName
    key: bytes = field(repr=False)
    """Master key || master salt."""
    mki: bytes = b""
    """Name of the key in every packet (RFC 3711 §3.1), empty for none."""

    def __str__(self) -> str:
        """The value of a=crypto; the default lifetime is not written."""
        mki = f"|{int.from_bytes(self.mki)}:{len(self.mki)}" if self.mki else ""
        return f"{self.tag} {self.suite} inline:{base64.b64encode(self.key).decode()}{mki}"


@dataclass(frozen=True, slots=True)
class Keys:
    """What an offer and its answer settle: one suite, and a key for each direction."""

    receive: Crypto
    """The peer's line."""
    send: Crypto
    """Ours."""

    @property
    def suite(self) -> SuiteName:
        """The same both ways (RFC 4568 §5.1.2)."""
        return self.send.suite


def parse(value: str) -> Crypto | None:
    """Read the value of a=crypto; None for a line that is malformed or that we cannot serve.

    Not served, as RFC 4568 §5.1.2 lets an answerer choose: other suites and key methods, several keys in one line, and
    session parameters that would weaken the stream or that we do not know (UNENCRYPTED_…, UNAUTHENTICATED_SRTP, KDR).
    Of several keys the writer may begin with any and change over at any time (§6.1), so that one of them is not enough.
    """
    line = _LINE.fullmatch(value.strip())
    if line is None:
        return None
    tag, name, parameters, session = line.groups()
    suite = cast(SuiteName, name.upper())
    found = _KEY.fullmatch(parameters)
    if suite not in SUITES or found is None or not all(map(_HARMLESS.fullmatch, session.split())):
        return None
    key, mki = _key(found[1]), _mki(found[2])
    if key is None or len(key) != SUITES[suite] or mki is None:
        return None
    return Crypto(int(tag), suite, key, mki)


def read(values: Iterable[str]) -> tuple[Crypto, ...]:
    """The lines that we can serve, in the order of the SDP; a tag that comes twice counts once (RFC 4568 §4)."""
    found: dict[int, Crypto] = {}
    for value in values:
        if line := parse(value):
            found.setdefault(line.tag, line)
    return tuple(found.values())


def offer(in_use: Crypto | None, random_bytes: RandomBytes) -> tuple[Crypto, ...]:
    """Lines with every suite, each with a key of its own.

    The key that is in use is offered again, first and under its tag, so that nothing changes where nothing has to.
    """
    kept = (in_use,) if in_use else ()
    fresh = [suite for suite in SUITES if not in_use or suite != in_use.suite]
    tags = (tag for tag in itertools.count(1) if not in_use or tag != in_use.tag)
    return (*kept, *(Crypto(next(tags), suite, random_bytes(SUITES[suite])) for suite in fresh))


def answer(theirs: Crypto, in_use: Crypto | None, random_bytes: RandomBytes) -> Keys:
    """Ours in answer to the line that was taken has its tag and suite, and names its key if theirs does.

    Our key stays when the suite and the form of the MKI do, so that the peer, who may not have read the answer yet,
    can decrypt what is on its way.
    """
    if in_use and in_use.suite == theirs.suite and len(in_use.mki) == len(theirs.mki):
        return Keys(theirs, replace(in_use, tag=theirs.tag))
    mki = (1).to_bytes(len(theirs.mki)) if theirs.mki else b""
    return Keys(theirs, Crypto(theirs.tag, theirs.suite, random_bytes(SUITES[theirs.suite]), mki))


def agree(ours: Sequence[Crypto], theirs: Sequence[Crypto]) -> Keys | None:
    """What an answer took from our offer: the line with the same tag and suite (RFC 4568 §5.1.3)."""
    for line in theirs:
        for mine in ours:
            if (mine.tag, mine.suite) == (line.tag, line.suite):
                return Keys(line, mine)
    return None


def _key(text: str) -> bytes | None:
    """Base64, which some phones do not pad."""
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), validate=True)
    except binascii.Error:
        return None


def _mki(text: str) -> bytes | None:
    """Read `|2^20|1:4`: a lifetime, which never ends within a call, and the MKI; None when it is neither.

    Some write the bars without anything between them.
    """
    fields = [one for one in text.split("|") if one]
    if fields and _LIFETIME.fullmatch(fields[0]):
        fields = fields[1:]
    if not fields:
        return b""
    found = _MKI.fullmatch(fields[0])
    if found is None or len(fields) > 1:
        return None
    value, length = int(found[1]), int(found[2])
    if not 1 <= length <= MAX_MKI_BYTES or value >= 1 << (8 * length):
        return None
    return value.to_bytes(length)
