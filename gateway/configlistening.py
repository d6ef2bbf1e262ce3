"""The settings of what listens in on calls: recordings, and the live tee."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PlainValidator

from gateway.addresses import is_loopback
from gateway.configbase import Settings
from gateway.configrules import read_secret

RecordingMode = Literal["off", "on-demand", "all"]
"""on-demand: who asks for it (`webtrunk record`); all: from the answer on, and it may be paused."""

LEAST_AGAIN_S: Final = 5
"""A tone more often than this leaves no room to talk."""
_VALUE: Final = re.compile(r"[\x20-\x7e]+")


def _websocket(value: str) -> str:
    """Never tells the URL: it may hold a password."""
    if not value:
        return value
    try:
        url = urlsplit(value)
        is_good = url.scheme in ("ws", "wss") and bool(url.hostname) and url.port != 0
    except ValueError:
        is_good, url = False, None
    if not is_good or url is None or not _VALUE.fullmatch(value):
        raise ValueError("expected the URL of a WebSocket, such as wss://transcribe.example.com/calls")
    if url.username or url.password:
        raise ValueError("a URL with a password ends up in logs: use tee.authorization_file")
    return value


def _header(value: str) -> str:
    if value and not _VALUE.fullmatch(value):
        raise ValueError("expected one line of ASCII, such as 'Bearer …'")
    return value


def _tone(value: object) -> bool | str:
    if not isinstance(value, bool | str):
        raise ValueError(f"expected true, false or the name of a sound file in quotes, not {value!r}")
    return value.strip() if isinstance(value, str) else value


def _again_s(value: float) -> float:
    if value and not LEAST_AGAIN_S <= value <= 3600:
        raise ValueError(f"expected 0 (not again), or {LEAST_AGAIN_S} to 3600 seconds: both sides hear it each time")
    return value


class RecordingSettings(Settings):
    """Recordings of calls: stereo, the browser left and the trunk right."""

    mode: RecordingMode = "off"
    """For all calls of which neither user nor trunk says something else."""
    folder: str = ""
    """Where the files go, in a folder for each day (UTC)."""
    format: Literal["ogg", "wav"] = "ogg"
    """ogg: Opus, some 0.6 MB for a minute; wav: 4 MB."""
    consent_tone: Annotated[bool | str, PlainValidator(_tone)] = True
    """What both sides hear when a recording begins or goes on: a beep, nothing, or a sound file."""
    consent_tone_every_s: Annotated[float, AfterValidator(_again_s)] = 0.0
    """How often it is heard again; 0: never."""
    min_free_mb: Annotated[int, Field(ge=0, le=1_000_000_000)] = 500
    """Recordings stop while less is free on their disk."""

    @property
    def min_free_bytes(self) -> int:
        """The same in bytes."""
        return self.min_free_mb * 2**20

    @property
    def remarks(self) -> tuple[str, ...]:
        """What may be meant, but deserves a word."""
        if self.consent_tone is False and self.consent_tone_every_s:
            return ("recording: consent_tone_every_s changes nothing, since consent_tone is false.",)
        return ()


class TeeSettings(Settings):
    """A copy of what is said, live, to a WebSocket server, such as a transcriber."""

    url: Annotated[str, AfterValidator(_websocket)] = Field(default="", repr=False)
    """Where; empty: nowhere."""
    legs: Literal["both", "browser", "trunk"] = "both"
    authorization: Annotated[str, AfterValidator(_header)] = Field(default="", repr=False)
    """Value of the Authorization header (RFC 9110 §11.6.2); or `authorization_file`, a file that holds it."""
    authorization_file: str = ""
    tls_ca: str = ""
    """Authorities that sign the server's certificate; empty: the system's."""

    @property
    def secret(self) -> str:
        """The Authorization header; empty: none."""
        return read_secret(self.authorization_file) if self.authorization_file else self.authorization

    @property
    def remarks(self) -> tuple[str, ...]:
        """What may be meant, but deserves a word."""
        if not self.url:
            given = "authorization" if self.authorization else "authorization_file" if self.authorization_file else ""
            return (f"tee: {given} changes nothing: without url there is no tee.",) if given else ()
        host = urlsplit(self.url).hostname or ""
        if self.url.startswith("wss:") or is_loopback(host):
            return ()
        return (f"tee: what is said goes to {host} in clear; use wss:// unless nobody is on the way.",)

    @property
    def shown_url(self) -> str:
        """The URL for people: its query may hold a key."""
        return self.url.partition("?")[0].partition("#")[0]
