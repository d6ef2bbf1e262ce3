"""Signalling v1: the JSON messages between a page and the gateway, as values.

Pure encode and decode; the prose is in `docs/signalling.md`, the JSON Schema beside it is generated
from these classes. The browser is always the offerer (design: no glare). `call` names a call within
one session: the page picks it for the calls it starts, the gateway for incoming ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError, from_json

from call.errors import PeerError

VERSION: Final = 1
MAX_MESSAGE_BYTES: Final = 65_536
"""A longer frame closes the socket with 1009."""

CallName = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
Sdp = Annotated[str, StringConstraints(min_length=1, max_length=32_768)]
Destination = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
Digits = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[0-9A-Da-d*#]+$")]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[Xx]-[A-Za-z0-9-]{1,62}$")]
HeaderValue = Annotated[str, StringConstraints(max_length=512, pattern=r"^[^\x00-\x1f\x7f]*$")]
ErrorCode = Literal[
    "unauthorized", "bad-message", "too-many-messages", "refused", "not-allowed", "not-possible", "internal"
]
"""What programs look at in an `error`; docs/signalling.md says what each one means."""
MAX_HEADER_BYTES: Final = 4096
"""Of all headers of a message, as lines of SIP: an INVITE may have 8 kB, and our SDP must fit into it, too."""


def _check_size(headers: dict[str, str]) -> dict[str, str]:
    total = sum(len(f"{name}: {value}\r\n".encode()) for name, value in headers.items())
    if total > MAX_HEADER_BYTES:
        words = "All headers together may have {most} bytes, and these have {total}"
        raise PydanticCustomError("headers_too_long", words, {"most": MAX_HEADER_BYTES, "total": total})
    return headers


PageHeaders = Annotated[dict[HeaderName, HeaderValue], Field(max_length=16), AfterValidator(_check_size)]


@dataclass(frozen=True, slots=True)
class Hello:
    """First message of a socket: who is there. Answered by `welcome`, or `error` and close 1008."""

    version: int = VERSION
    token: Annotated[str, StringConstraints(max_length=4096)] = field(default="", repr=False)
    """JWT; required unless the gateway is in open mode."""
    user: Annotated[str, StringConstraints(max_length=64)] = ""
    """Open mode only: the user to be."""
    session: Annotated[str, StringConstraints(max_length=64)] = field(default="", repr=False)
    """Key from an earlier `welcome`: take over that session and its calls."""
    type: Literal["hello"] = "hello"


@dataclass(frozen=True, slots=True)
class CallStart:
    """Call a number or name. Answered by `call.answer-sdp` at once, or by `call.ended`."""

    call: CallName
    to: Destination
    sdp: Sdp
    headers: PageHeaders = field(default_factory=dict)
    """X- headers that become headers of the INVITE."""
    type: Literal["call.start"] = "call.start"


@dataclass(frozen=True, slots=True)
class CallAccept:
    """Take an incoming call; `sdp` is the page's offer. Answered by `call.answer-sdp`, then `call.answered`."""

    call: CallName
    sdp: Sdp
    type: Literal["call.accept"] = "call.accept"


@dataclass(frozen=True, slots=True)
class CallReject:
    """Refuse an incoming call, for all tabs of the user."""

    call: CallName
    type: Literal["call.reject"] = "call.reject"


@dataclass(frozen=True, slots=True)
class CallOffer:
    """A new offer of the same call: ICE restart, new peer connection, or asked for. Answered by `call.answer-sdp`."""

    call: CallName
    sdp: Sdp
    type: Literal["call.offer"] = "call.offer"


@dataclass(frozen=True, slots=True)
class CallDtmf:
    """Send digits to the far end; from the gateway: the far end pressed one."""

    call: CallName
    digits: Digits
    type: Literal["call.dtmf"] = "call.dtmf"


@dataclass(frozen=True, slots=True)
class CallHold:
    """Hold a call that is answered (the far end hears music, the page nothing), or go on. Answered by `call.held`."""

    call: CallName
    on: bool
    type: Literal["call.hold"] = "call.hold"


@dataclass(frozen=True, slots=True)
class CallHangup:
    """End a call in any state. Answered by `call.ended`."""

    call: CallName
    type: Literal["call.hangup"] = "call.hangup"


@dataclass(frozen=True, slots=True)
class Goodbye:
    """The page goes away for good: end its calls now, without the grace for a lost socket."""

    type: Literal["goodbye"] = "goodbye"


@dataclass(frozen=True, slots=True)
class Ping:
    """Keep-alive; answered by `pong` with the same sequence."""

    sequence: int = 0
    type: Literal["ping"] = "ping"


ClientMessage = Annotated[
    Hello | CallStart | CallAccept | CallReject | CallOffer | CallDtmf | CallHold | CallHangup | Goodbye | Ping,
    Field(discriminator="type"),
]


@dataclass(frozen=True, slots=True)
class LiveCall:
    """A call of a resumed session."""

    call: str
    direction: Literal["outgoing", "incoming"]
    remote: str
    state: Literal["ringing", "answered"]
    held: bool = False
    recorded: bool = False


@dataclass(frozen=True, slots=True)
class Welcome:
    """Logged in."""

    user: str
    display: str
    session: str
    """Resume key; secret of this page."""
    resumed: bool
    grace_s: float
    """How long calls outlive a lost socket."""
    ping_s: float
    """The page pings at least this often."""
    ice_servers: tuple[dict[str, str], ...] = ()
    features: tuple[str, ...] = ()
    calls: tuple[LiveCall, ...] = ()
    version: int = VERSION
    type: Literal["welcome"] = "welcome"


@dataclass(frozen=True, slots=True)
class CallAnswerSdp:
    """The gateway's SDP answer to the page's offer. It does not mean that the far end answered."""

    call: str
    sdp: str
    record: str
    """Id of the call's record: `webtrunk call ID`."""
    codec: str = ""
    """One sentence: which codecs, and why; empty until the far end's is known."""
    type: Literal["call.answer-sdp"] = "call.answer-sdp"


@dataclass(frozen=True, slots=True)
class CallIncoming:
    """Somebody calls. Answer with `call.accept` or `call.reject`; `call.ended` withdraws it."""

    call: str
    remote: str
    """Number or name of the caller; "" when withheld."""
    display: str
    to: str
    headers: dict[str, str] = field(default_factory=dict)
    record: str = ""
    type: Literal["call.incoming"] = "call.incoming"


@dataclass(frozen=True, slots=True)
class CallProgress:
    """18x of the far end. Without early media the page plays a local ringback tone."""

    call: str
    status: int
    early_media: bool
    headers: dict[str, str] = field(default_factory=dict)
    type: Literal["call.progress"] = "call.progress"


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """The far end picked up."""

    call: str
    codec: str
    """One sentence: which codecs, and why."""
    headers: dict[str, str] = field(default_factory=dict)
    type: Literal["call.answered"] = "call.answered"


@dataclass(frozen=True, slots=True)
class CallRenegotiate:
    """Another codec became better: please send `call.offer`, without an ICE restart. Who does not stays as it is."""

    call: str
    why: str
    """One sentence."""
    type: Literal["call.renegotiate"] = "call.renegotiate"


@dataclass(frozen=True, slots=True)
class CallHeld:
    """The page holds this call now, or no longer."""

    call: str
    on: bool
    type: Literal["call.held"] = "call.held"


@dataclass(frozen=True, slots=True)
class CallRecording:
    """What is said on this call is recorded from now on, or no longer (paused or ended)."""

    call: str
    on: bool
    type: Literal["call.recording"] = "call.recording"


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The call is over and its name free. `sentence` is for the person, `hint` says what they can do."""

    call: str
    cause: str
    """One of `call.causes.Cause`: hangup, busy, no-answer, rejected, …"""
    sip_status: int
    sentence: str
    hint: str = ""
    type: Literal["call.ended"] = "call.ended"


@dataclass(frozen=True, slots=True)
class Error:
    """A message was refused; nothing was changed by it. `call` is the one that it was for; it lives on if it began."""

    code: ErrorCode
    message: str
    hint: str = ""
    call: str | None = None
    type: Literal["error"] = "error"


@dataclass(frozen=True, slots=True)
class Pong:
    """Answer to `ping`."""

    sequence: int
    type: Literal["pong"] = "pong"


ServerMessage = Annotated[
    Welcome
    | CallAnswerSdp
    | CallIncoming
    | CallProgress
    | CallAnswered
    | CallRenegotiate
    | CallDtmf
    | CallHeld
    | CallRecording
    | CallEnded
    | Error
    | Pong,
    Field(discriminator="type"),
]

_PARSING: Final = ConfigDict(cache_strings="keys")
"""Values hardly ever come twice; pydantic would keep the last 16,000 of them."""
_CALL_NAME: Final[TypeAdapter[str]] = TypeAdapter(CallName)
CLIENT: Final[TypeAdapter[ClientMessage]] = TypeAdapter(ClientMessage, config=_PARSING)
SERVER: Final[TypeAdapter[ServerMessage]] = TypeAdapter(ServerMessage, config=_PARSING)


def decode(text: str | bytes) -> ClientMessage:
    """Parse one frame of a page.

    Raises:
        PeerError: Not JSON, an unknown type, or a field that is missing or wrong; the message names it.
    """
    try:
        return CLIENT.validate_json(text, strict=True)
    except ValidationError as error:
        raise PeerError(_sentence(error), hint="See docs/signalling.md.") from error


def call_of(frame: str | bytes) -> str | None:
    """The call that a frame names, even if the rest of it is wrong."""
    try:
        return _CALL_NAME.validate_python(from_json(frame, cache_strings="keys")["call"], strict=True)
    except (ValueError, KeyError, TypeError):
        return None


def is_json_object(frame: str | bytes) -> bool:
    """Whether a frame is a message at all, though perhaps a wrong one."""
    try:
        return isinstance(from_json(frame), dict)
    except ValueError:
        return False


def encode(message: ServerMessage) -> str:
    """One frame for the page."""
    return SERVER.dump_json(message).decode()


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    if first["type"] == "union_tag_not_found":
        return "type: Field required"
    if first["type"] == "union_tag_invalid":
        return f"type: There is no message {first['ctx']['tag'][:64]!r}"
    where = ".".join(str(part)[:64] for part in first["loc"][1:] if part != "[key]")
    return f"{where}: {first['msg']}" if where else str(first["msg"])
