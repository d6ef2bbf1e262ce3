"""What is measured, and the job that all subjects do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol, Self

from bench.generator import Endpoint, Generator

Codec = Literal["opus", "PCMU", "PCMA", "G722", "G729"]
Address = tuple[str, int]
HOST: Final = "127.0.0.1"
# Not all calls say the same at once: where in the speech they begin, in frames, by their number.
OFFSET_STEP: Final = 37
BROWSER_OFFSET: Final = 0
PHONE_OFFSET: Final = 191


@dataclass(frozen=True, slots=True)
class Job:
    """What the media of every call is turned into: the browser's codec into the phone's, and back."""

    name: str
    browser: Codec
    phone: Codec = "PCMU"
    voice: str = ""
    """How the browser encodes, if not as its codec's name says (`bench.speech.VOICES`)."""
    knows_gcm: bool = True
    """Whether the browser has AES-GCM for SRTP, or only AES_CM_128_HMAC_SHA1_80."""

    @property
    def spoken(self) -> str:
        """The browser's voice."""
        return self.voice or self.browser


TRANSCODE: Final = Job("transcode", "opus")
RELAY: Final = Job("relay", "PCMU")
RELAY_CM: Final = Job("relay-cm", "PCMU", knows_gcm=False)
JOBS: Final[Mapping[str, Job]] = {
    job.name: job for job in (TRANSCODE, RELAY, RELAY_CM, Job("g722", "opus", "G722"), Job("g729", "opus", "G729"))
}


class Connected(Protocol):
    """One call that is up: both endpoints know where to send."""

    browser: Endpoint
    phone: Endpoint
    srtp: str
    """Profile that protects the browser's side."""

    async def end(self) -> None:
        """Hang up; returns when the subject has let go of the call."""


class Subject(Protocol):
    """Something that carries calls between browsers and phones; running inside `async with`."""

    name: str
    version: str

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    async def connect(self, generator: Generator, job: Job, number: int) -> Connected:
        """Make one call, ICE and DTLS included; `number` is unique within the subject's life."""

    def processes(self) -> Mapping[int, str]:
        """Its processes by id, and what each is called in the results."""
