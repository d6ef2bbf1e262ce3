"""The frozen commands and events between the gateway and its SIP worker process.

`sip.messagelines` writes and reads them. The gateway names the legs: `leg` is the gateway's id for calls it places, and
the worker's `w…` id for calls that come in. Headers are (name, value) pairs in wire order; no CR, no LF.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from sip.dialogstate import DialogState

Headers = tuple[tuple[str, str], ...]
Transport = Literal["udp", "tcp", "tls"]
Fault = Literal["", "dns", "timeout", "transport", "auth", "malformed", "media", "worker"]


@dataclass(frozen=True, slots=True)
class TrunkAccount:
    """What the worker must know of one trunk."""

    name: str
    host: str
    port: int
    transport: Transport = "udp"
    user: str = ""
    password: str = field(default="", repr=False)
    from_host: str = ""
    """Host part of From; empty: our advertised address."""
    no_response_s: float = 8.0
    """Not even a 100 by then: the trunk is given up (timer B of RFC 3261, 32 s, is too long for a person)."""
    new_calls_per_s: float = 0.0
    """More INVITEs from there are refused before anything is kept of them; 0: no bound."""
    sources: tuple[str, ...] = ()
    """Networks that its requests come from, too: a carrier may call from more addresses than its host has."""
    registers: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """First command: open the transports and get ready. Answered by `Started` or `StartFailed`."""

    bind: str
    advertise: str
    udp_port: int
    """0 picks a free port; None is not allowed: UDP is always there."""
    tcp_port: int | None = None
    tls_port: int | None = None
    tls_cert: str = ""
    tls_key: str = ""
    tls_ca: str = ""
    """PEM file of the authorities that sign trunks' certificates; empty: the system's."""
    tls_verify: bool = True
    user_agent: str = "webtrunk"
    nameservers: tuple[str, ...] = ()
    """Empty: those of /etc/resolv.conf."""
    max_calls: int = 4000
    gateway_silence_s: float = 60.0
    """A gateway that hangs holds calls that nobody hears: after so long without a word the worker ends them."""
    goodbyes_s: float = 16.0
    """How long BYE and CANCEL may be repeated at the end: half of timer F (RFC 3261), seven BYEs."""
    trunks: tuple[TrunkAccount, ...] = ()
    type: Literal["start"] = "start"


@dataclass(frozen=True, slots=True)
class Invite:
    """Place a call through a trunk. Answered by `Ringing`…, then `Answered` or `Ended`."""

    leg: str
    trunk: str
    number: str
    """User part of the Request-URI, not yet escaped."""
    sdp: str
    from_user: str = ""
    """Empty: the trunk's user, else "anonymous"."""
    from_display: str = ""
    headers: Headers = ()
    timeout_s: float = 180.0
    """Without a final answer by then: CANCEL, and `Ended` with 408."""
    type: Literal["invite"] = "invite"


@dataclass(frozen=True, slots=True)
class Progress:
    """Send 18x to an incoming INVITE, with our SDP when early media shall flow."""

    leg: str
    status: int = 180
    sdp: str | None = None
    headers: Headers = ()
    type: Literal["progress"] = "progress"


@dataclass(frozen=True, slots=True)
class Accept:
    """Send 200 to an incoming INVITE, with our SDP (the answer, or the offer when the INVITE had none)."""

    leg: str
    sdp: str
    headers: Headers = ()
    type: Literal["accept"] = "accept"


@dataclass(frozen=True, slots=True)
class Release:
    """End the leg as its state demands: CANCEL, BYE, or this final status. Harmless when it is gone."""

    leg: str
    status: int = 487
    reason: str = ""
    """Reason phrase of a final response."""
    headers: Headers = ()
    type: Literal["release"] = "release"


@dataclass(frozen=True, slots=True)
class Reoffer:
    """Send a re-INVITE with this SDP offer. Answered by `Reanswered`."""

    leg: str
    sdp: str
    type: Literal["reoffer"] = "reoffer"


@dataclass(frozen=True, slots=True)
class Reanswer:
    """Answer the `Reoffered` of a leg: 200 with our SDP, or a refusal (488, 491) that keeps the session as it was."""

    leg: str
    status: int
    sdp: str | None = None
    type: Literal["reanswer"] = "reanswer"


@dataclass(frozen=True, slots=True)
class SendDtmf:
    """Send digits by INFO, one after the other. Answered by `DtmfRefused` only if the peer takes them not."""

    leg: str
    digits: str
    duration_ms: int
    type: Literal["send-dtmf"] = "send-dtmf"


@dataclass(frozen=True, slots=True)
class Ping:
    """Ask for a heartbeat now."""

    sequence: int
    type: Literal["ping"] = "ping"


@dataclass(frozen=True, slots=True)
class Farewell:
    """End a dialog of a worker that was lost, or whose BYE or CANCEL was. Answered by `Parted`."""

    number: int
    dialog: DialogState
    type: Literal["farewell"] = "farewell"


@dataclass(frozen=True, slots=True)
class Stop:
    """Send BYE or CANCEL for all calls, answer with `Stopped`, exit 0."""

    type: Literal["stop"] = "stop"


Command = Annotated[
    Start | Invite | Progress | Accept | Release | Reoffer | Reanswer | SendDtmf | Ping | Farewell | Stop,
    Field(discriminator="type"),
]


@dataclass(frozen=True, slots=True)
class Started:
    """The transports are open on these ports; None: not asked for."""

    udp_port: int
    tcp_port: int | None
    tls_port: int | None
    pid: int
    type: Literal["started"] = "started"


@dataclass(frozen=True, slots=True)
class StartFailed:
    """The worker cannot work; `sentence` says what was in the way and what to do. It exits 1."""

    sentence: str
    type: Literal["start-failed"] = "start-failed"


@dataclass(frozen=True, slots=True)
class Incoming:
    """INVITE from a trunk, already answered with 100."""

    leg: str
    trunk: str
    number: str
    """User part of the Request-URI, unescaped."""
    from_user: str
    from_display: str
    call_id: str
    source: str
    """ip:port it came from."""
    sdp: str | None
    headers: Headers
    type: Literal["incoming"] = "incoming"


@dataclass(frozen=True, slots=True)
class InviteRefused:
    """An INVITE from a trunk that got its final response before there was a leg of it (RFC 3261 §8.2)."""

    trunk: str
    number: str
    """User part of the Request-URI, unescaped."""
    from_user: str
    status: int
    detail: str
    """Why, as the second half of a sentence."""
    fault: Fault = ""
    """media: it has no SDP that can be read."""
    type: Literal["invite-refused"] = "invite-refused"


@dataclass(frozen=True, slots=True)
class Ringing:
    """18x to our INVITE."""

    leg: str
    status: int
    sdp: str | None
    headers: Headers
    type: Literal["ringing"] = "ringing"


@dataclass(frozen=True, slots=True)
class Answered:
    """Call is confirmed: 2xx to our INVITE, or ACK to our 2xx. `sdp` is the remote SDP in force."""

    leg: str
    sdp: str
    headers: Headers
    type: Literal["answered"] = "answered"


@dataclass(frozen=True, slots=True)
class Reoffered:
    """re-INVITE or UPDATE with an offer; waits for `Reanswer`. `sdp` None: it wants our offer."""

    leg: str
    sdp: str | None
    type: Literal["reoffered"] = "reoffered"


@dataclass(frozen=True, slots=True)
class Reanswered:
    """Final answer to our `Reoffer`, or to a session refresh of the worker's own: 200 with the remote SDP in force.
    A refusal (of a `Reoffer` only) leaves the session as it was."""

    leg: str
    status: int
    sdp: str | None
    type: Literal["reanswered"] = "reanswered"


@dataclass(frozen=True, slots=True)
class Ended:
    """The leg is over and its name free; nothing follows for it."""

    leg: str
    by: Literal["peer", "us", "fault"]
    """peer: BYE, CANCEL or a final response ≥ 300 came in; us: `Release` did it; fault: nobody said so."""
    status: int
    """Final response, 200 for BYE, 487 for CANCEL; what we would have sent for a fault."""
    phrase: str = ""
    """The peer's own reason phrase."""
    fault: Fault = ""
    """dns: host does not resolve; timeout: no answer at all; transport: refused or broken connection, TLS;
    auth: our credentials were refused (401/407 twice, or none configured); malformed: the answer was garbage."""
    detail: str = ""
    """Words for the operator: pjsip's own error text, which name did not resolve, …"""
    q850: int | None = None
    """Cause of a Reason header (RFC 3326), if any."""
    headers: Headers = ()
    type: Literal["ended"] = "ended"


@dataclass(frozen=True, slots=True)
class InfoDtmf:
    """A digit that came by SIP INFO; "" is a hook flash."""

    leg: str
    digit: str
    duration_ms: int
    type: Literal["info-dtmf"] = "info-dtmf"


@dataclass(frozen=True, slots=True)
class DtmfRefused:
    """These digits of a `SendDtmf` did not reach the peer."""

    leg: str
    digits: str
    status: int
    """Its answer; 0: INFO could not be sent; `infodigits.NO_ROOM`: too many wait for their answer."""
    type: Literal["dtmf-refused"] = "dtmf-refused"


@dataclass(frozen=True, slots=True)
class DialogNote:
    """A dialog is new or has changed; kept by the gateway in case that this worker is lost."""

    dialog: DialogState
    type: Literal["dialog-note"] = "dialog-note"


@dataclass(frozen=True, slots=True)
class DialogOver:
    """The SIP stack has done with a dialog, which may be long after its leg ended."""

    dialog: DialogState
    is_lost: bool
    """The connection broke with our last request, so that the far end may still believe in the dialog."""
    type: Literal["dialog-over"] = "dialog-over"


@dataclass(frozen=True, slots=True)
class Parted:
    """A `Farewell` is done; `status` is the final response of the peer, 408 if there was none."""

    number: int
    status: int
    type: Literal["parted"] = "parted"


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Sent every 0.5 s with sequence 0, and on `Ping` with its sequence."""

    sequence: int
    calls: int
    type: Literal["heartbeat"] = "heartbeat"


@dataclass(frozen=True, slots=True)
class Registered:
    """What a trunk said to our REGISTER (RFC 3261 §10), each time that it says something."""

    trunk: str
    status: int
    """Final response; 408: there was none."""
    phrase: str
    until: float
    """Unix time; 0: we are not registered."""
    type: Literal["registered"] = "registered"


@dataclass(frozen=True, slots=True)
class Stopped:
    """All dialogs are closed; the worker exits."""

    type: Literal["stopped"] = "stopped"


LegEvent = Incoming | Ringing | Answered | Reoffered | Reanswered | Ended | InfoDtmf | DtmfRefused
TrunkEvent = LegEvent | InviteRefused
"""What concerns calls; the other events are about the worker itself."""
Event = Annotated[
    Started | StartFailed | TrunkEvent | DialogNote | DialogOver | Parted | Heartbeat | Registered | Stopped,
    Field(discriminator="type"),
]
