"""Reads what the worker needs from a raw SIP message: status, headers, body (RFC 3261 §7).

pjsip has parsed the message already and answers for its grammar; here only text is picked out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from sip.messages import Headers

# fmt: off
DIALOG_HEADERS: Final = frozenset({
    "via", "from", "to", "call-id", "cseq", "max-forwards", "contact", "route", "record-route", "content-length",
    "content-type", "content-encoding", "content-disposition", "content-language", "allow", "allow-events",
    "supported", "require", "proxy-require", "unsupported", "min-se", "session-expires", "rseq", "rack",
    "authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate", "authentication-info",
    "mime-version", "accept", "accept-encoding", "accept-language",
})
# fmt: on
"""Headers that belong to one hop or one dialog and mean nothing on another leg (RFC 7092 §3.2)."""

COMPACT: Final = {
    "v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length", "c": "content-type",
    "e": "content-encoding", "k": "supported", "s": "subject", "r": "refer-to", "x": "session-expires",
}  # fmt: skip
"""Compact forms (RFC 3261 §7.3.3)."""

DEFAULT_DTMF_MS: Final = 160


@dataclass(frozen=True, slots=True)
class SipText:
    """A message taken apart; header names in lower case, compact forms spelled out."""

    start_line: str
    fields: tuple[tuple[str, str, str], ...]
    """Lower-case name, name as sent, value."""
    body: str

    @property
    def status(self) -> int:
        """Status code of a response, 0 of a request."""
        found = re.match(r"SIP/2\.0 (\d{3})", self.start_line)
        return int(found.group(1)) if found else 0

    @property
    def phrase(self) -> str:
        """Reason phrase of a response."""
        return self.start_line.split(" ", 2)[2].strip() if self.status and self.start_line.count(" ") > 1 else ""

    def first(self, name: str) -> str:
        """The first value of a header, "" if there is none."""
        return next((value for key, _, value in self.fields if key == name), "")

    @property
    def is_ending(self) -> bool:
        """True for what ends a dialog: BYE, CANCEL, a final refusal."""
        return self.status >= 300 or self.start_line.startswith(("BYE ", "CANCEL "))

    @property
    def sdp(self) -> str | None:
        """The body, if it is SDP (RFC 3264), alone or in a multipart body (RFC 5621)."""
        kind = self.first("content-type").lower()
        if kind.startswith("application/sdp"):
            return self.body or None
        if kind.startswith("multipart/"):
            return _sdp_part(self.first("content-type"), self.body)
        return None

    @property
    def end_to_end(self) -> Headers:
        """The headers that concern the other leg, in wire order."""
        return tuple((name, value) for key, name, value in self.fields if key not in DIALOG_HEADERS)

    @property
    def q850(self) -> int | None:
        """Cause of `Reason: Q.850;cause=…` (RFC 3326)."""
        for key, _, value in self.fields:
            if key == "reason" and (
                found := re.search(r"\bQ\.850\s*;(?:[^,]*;)?\s*cause\s*=\s*(\d{1,3})", value, re.I)
            ):
                return int(found.group(1))
        return None


def parse(message: str) -> SipText:
    """Take a message apart."""
    head, _, body = message.partition("\r\n\r\n")
    lines = re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
    fields = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            key = name.strip().lower()
            fields.append((COMPACT.get(key, key), name.strip(), value.strip()))
    return SipText(lines[0], tuple(fields), body)


def request_user(message: SipText) -> str:
    """User part of the Request-URI, unescaped."""
    parts = message.start_line.split(" ")
    return uri_user(parts[1]) if len(parts) > 1 else ""


def uri_user(uri: str) -> str:
    """User part of a SIP or TEL URI, unescaped, without its parameters."""
    found = re.match(r"(?:sips?:([^@>]*)@|tel:([^;>]*))", uri, re.I)
    if not found:
        return ""
    return unquote((found.group(1) or found.group(2) or "").partition(";")[0].partition(":")[0])


def uri_host_port(value: str) -> tuple[str, int | None]:
    """Host in lower case and port of the first SIP URI in a header value."""
    found = re.search(r"sips?:(?:[^@>\s]*@)?(\[[0-9a-f:.]+\]|[^:;>?\s]+)(?::(\d+))?", value, re.I)
    if not found:
        return "", None
    return found.group(1).strip("[]").lower(), int(found.group(2)) if found.group(2) else None


def name_addr(value: str) -> tuple[str, str]:
    """Display name and URI of a From or To header (RFC 3261 §20.10)."""
    found = re.match(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^<"]*?))\s*<([^>]*)>', value)
    if not found:
        return "", value.partition(";")[0].strip()
    quoted, token, uri = found.groups()
    return (re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else (token or "").strip()), uri


def info_dtmf(content_type: str, body: str) -> tuple[str, int] | None:
    """Digit and duration in ms of an INFO body: `application/dtmf-relay` (Signal=, Duration=) or `application/dtmf`."""
    kind = content_type.lower()
    signal = re.match(r"\s*([0-9A-Da-d*#])", body) if kind == "application/dtmf" else None
    if kind == "application/dtmf-relay":
        signal = re.search(r"^\s*Signal\s*=\s*([0-9A-Da-d*#])", body, re.I | re.M)
    if not signal:
        return None
    duration = re.search(r"^\s*Duration\s*=\s*(\d{1,5})", body, re.I | re.M)
    return signal.group(1).upper(), int(duration.group(1)) if duration else DEFAULT_DTMF_MS


def _sdp_part(content_type: str, body: str) -> str | None:
    boundary = re.search(r'boundary="?([^";]+)"?', content_type, re.I)
    for part in body.split("--" + boundary.group(1)) if boundary else ():
        head, _, content = part.lstrip("\r\n").partition("\r\n\r\n")
        if re.search(r"^content-type:\s*application/sdp", head, re.I | re.M):
            sdp = content.removesuffix("\r\n")  # the line break before a boundary belongs to it (RFC 2046 §5.1.1)
            return sdp if sdp.endswith("\r\n") or not sdp else sdp + "\r\n"
    return None
