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
    "supported", "require", "proxy-require", "unsupported", "replaces", "min-se", "session-expires", "rseq", "rack",
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

# All patterns must be linear in what they read: a packet of 8 kB must not hold up the worker.
_CAUSE: Final = re.compile(r"cause[ \t]*=[ \t]*(\d{1,3})", re.I)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


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
    def method(self) -> str:
        """Method of a request, "" of a response."""
        return "" if self.status else self.start_line.partition(" ")[0]

    @property
    def cseq(self) -> tuple[int, str]:
        """Number and method of CSeq; (0, "") if it is none."""
        number, _, method = self.first("cseq").partition(" ")
        return (int(number), method.strip()) if number.isdecimal() else (0, "")

    @property
    def contact(self) -> str:
        """The URI of Contact, "" if there is none."""
        return name_addr(self.first("contact"))[1]

    @property
    def record_route(self) -> tuple[str, ...]:
        """All Record-Route values in wire order."""
        lines = (value for key, _, value in self.fields if key == "record-route")
        return tuple(route.strip() for line in lines for route in re.findall(r"[^,<]*<[^>]*>[^,]*", line))

    @property
    def branch(self) -> str:
        """Branch of the topmost Via."""
        found = re.search(r";\s*branch=([^;,\s]+)", self.first("via"), re.I)
        return found.group(1) if found else ""

    def requires(self, extension: str) -> bool:
        """Whether it demands this extension (RFC 3261 §20.32)."""
        demands = (value for key, _, value in self.fields if key == "require")
        return extension in (word.strip().lower() for value in demands for word in value.split(","))

    @property
    def phrase(self) -> str:
        """Reason phrase of a response."""
        phrase = self.start_line.split(" ", 2)[2].strip() if self.status and self.start_line.count(" ") > 1 else ""
        return printable(phrase)

    def first(self, name: str) -> str:
        """The first value of a header, "" if there is none."""
        return next((value for key, _, value in self.fields if key == name), "")

    @property
    def is_ending(self) -> bool:
        """True for what ends a dialog: BYE, CANCEL, a final refusal."""
        return self.status >= 300 or self.start_line.startswith(("BYE ", "CANCEL "))

    @property
    def is_cut_off(self) -> bool:
        """Whether fewer bytes came than Content-Length says (RFC 3261 §18.3)."""
        length = self.first("content-length")
        is_number = re.fullmatch(r"\d{1,9}", length) is not None
        return is_number and int(length) > len(self.body.encode(errors="surrogateescape"))

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
        """The headers that concern the other leg, in wire order; one with control characters would be two there."""
        wanted = ((name, value) for key, name, value in self.fields if key not in DIALOG_HEADERS)
        return tuple((name, value) for name, value in wanted if not _CONTROL.search(name + value))

    @property
    def q850(self) -> int | None:
        """Cause of `Reason: Q.850;cause=…` (RFC 3326)."""
        for key, _, value in self.fields:
            for reason in value.split(",") if key == "reason" else ():
                protocol, *parameters = (part.strip() for part in reason.split(";"))
                found = next(filter(None, map(_CAUSE.fullmatch, parameters)), None)
                if protocol.upper() == "Q.850" and found:
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


def tag(value: str) -> str:
    """Tag of a From or To value, "" if there is none."""
    found = re.search(r";\s*tag=([^;\s]+)", value.rpartition(">")[2], re.I)
    return found.group(1) if found else ""


def name_addr(value: str) -> tuple[str, str]:
    """Display name and URI of a From or To header (RFC 3261 §20.10)."""
    found = re.match(r'(?:"((?:[^"\\]|\\.)*)"|([^<"]*))[ \t]*<([^>]*)>', value.strip()) if "<" in value else None
    if not found:
        return "", value.partition(";")[0].strip()
    quoted, token, uri = found.groups()
    return (re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else (token or "").strip()), uri


def printable(text: str) -> str:
    """What strangers wrote, for terminals and logs: no control, format or line-breaking characters."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _sdp_part(content_type: str, body: str) -> str | None:
    boundary = re.search(r'boundary="?([^";]+)"?', content_type, re.I)
    for part in body.split("--" + boundary.group(1)) if boundary else ():
        head, _, content = part.lstrip("\r\n").partition("\r\n\r\n")
        if re.search(r"^content-type:\s*application/sdp", head, re.I | re.M):
            sdp = content.removesuffix("\r\n")  # the line break before a boundary belongs to it (RFC 2046 §5.1.1)
            return sdp if sdp.endswith("\r\n") or not sdp else sdp + "\r\n"
    return None
