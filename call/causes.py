"""Why a call ended: one table between SIP status, Q.850 cause and words for people (RFC 3261 §21, RFC 3326)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from call.codecs import CodecName, codec_of


class Cause(Enum):
    """How a call ended, as the page and the record see it."""

    HANGUP = "hangup"
    """Somebody hung up an answered call."""
    CANCELLED = "cancelled"
    """The caller gave up before the answer."""
    ANSWERED_ELSEWHERE = "answered-elsewhere"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    REJECTED = "rejected"
    NOT_FOUND = "not-found"
    NOT_ALLOWED = "not-allowed"
    UNAVAILABLE = "unavailable"
    REDIRECTED = "redirected"
    NO_COMMON_MEDIA = "no-common-media"
    TRUNK_AUTH = "trunk-auth"
    TRUNK_UNREACHABLE = "trunk-unreachable"
    TRUNK_ERROR = "trunk-error"
    CONNECTION_LOST = "connection-lost"
    """A leg's media or signalling went away without a word."""
    LIMIT = "limit"
    OVERLOAD = "overload"
    GATEWAY_ERROR = "gateway-error"


@dataclass(frozen=True, slots=True)
class Ending:
    """One end of one call: what to tell a SIP peer and what to tell a person."""

    cause: Cause
    sip_status: int
    sentence: str
    hint: str = ""
    q850: int | None = None


_CODEC_HINT: Final = "Check `trunk.{trunk}.codecs`."
_BY_STATUS: Final[Mapping[int, tuple[Cause, str, str]]] = MappingProxyType(
    {
        400: (Cause.TRUNK_ERROR, "Trunk {trunk} did not understand our call to {number} (400).", ""),
        403: (
            Cause.NOT_ALLOWED,
            "Trunk {trunk} does not allow calls to {number} (403).",
            "Ask its operator whether this destination and your caller id are enabled.",
        ),
        404: (Cause.NOT_FOUND, "{number} does not exist, says trunk {trunk} (404).", "Check the number."),
        406: (
            Cause.NO_COMMON_MEDIA,
            "Trunk {trunk} accepts none of our codecs (406).",
            _CODEC_HINT,
        ),
        408: (Cause.NO_ANSWER, "{number} did not answer.", "Try again later."),
        410: (Cause.NOT_FOUND, "{number} is no longer in use (410).", "Check the number."),
        480: (Cause.UNAVAILABLE, "{number} cannot be reached at the moment (480).", "Try again later."),
        484: (Cause.NOT_FOUND, "{number} is not complete, says trunk {trunk} (484).", "Check the number."),
        486: (Cause.BUSY, "{number} is busy.", "Try again later."),
        487: (Cause.CANCELLED, "The call was cancelled before it was answered.", ""),
        488: (
            Cause.NO_COMMON_MEDIA,
            "Trunk {trunk} accepts none of our codecs (488).",
            _CODEC_HINT,
        ),
        503: (Cause.TRUNK_ERROR, "Trunk {trunk} cannot take calls at the moment (503).", "Try again later."),
        600: (Cause.BUSY, "{number} is busy everywhere.", "Try again later."),
        603: (Cause.REJECTED, "{number} declined the call.", ""),
        604: (Cause.NOT_FOUND, "{number} does not exist anywhere (604).", "Check the number."),
        606: (
            Cause.NO_COMMON_MEDIA,
            "Trunk {trunk} accepts none of our codecs (606).",
            _CODEC_HINT,
        ),
    }
)

_BY_FAULT: Final[Mapping[str, tuple[Cause, str, str]]] = MappingProxyType(
    {
        "dns": (
            Cause.TRUNK_UNREACHABLE,
            "Trunk {trunk} cannot be reached: {detail}.",
            "Check `trunk.{trunk}.host` and the name servers of this machine.",
        ),
        "timeout": (
            Cause.TRUNK_UNREACHABLE,
            "Trunk {trunk} does not answer at all.",
            "Check `trunk.{trunk}.host`, `port` and `transport`, and whether a firewall is in between.",
        ),
        "transport": (
            Cause.TRUNK_UNREACHABLE,
            "Trunk {trunk} cannot be reached: {detail}.",
            "Check `trunk.{trunk}.host`, `port` and `transport`.",
        ),
        "malformed": (
            Cause.TRUNK_ERROR,
            "Trunk {trunk} answered, but {detail}.",
            "Check that `trunk.{trunk}.host` and `port` lead to a SIP server.",
        ),
        "media": (Cause.NO_COMMON_MEDIA, "The audio with trunk {trunk} could not be agreed: {detail}.", ""),
        "worker": (
            Cause.GATEWAY_ERROR,
            "The SIP part of the gateway stopped; it is being restarted.",
            "Call again in a few seconds.",
        ),
    }
)

_HINT_BY_DETAIL: Final[Mapping[str, str]] = MappingProxyType(
    {
        "certificate": "Set `sip.tls_ca` to the authority that signed it, or `sip.tls_verify = false` to trust all.",
        "loopback": "Put the `[[network]]` that reaches trunk {trunk} first.",
    }
)
"""Transport faults whose detail holds one of these words have a better hint than host and port."""

_CLASSES: Final[Mapping[int, tuple[Cause, str, str]]] = MappingProxyType(
    {
        3: (Cause.REDIRECTED, "{number} has moved ({status} {phrase}); webtrunk does not follow redirections.", ""),
        4: (Cause.TRUNK_ERROR, "Trunk {trunk} refused the call to {number}: {status} {phrase}.", ""),
        5: (Cause.TRUNK_ERROR, "Trunk {trunk} failed: {status} {phrase}.", "Try again later."),
        6: (Cause.REJECTED, "{number} refused the call: {status} {phrase}.", ""),
    }
)

_Q850: Final[Mapping[Cause, int]] = MappingProxyType(
    {
        Cause.HANGUP: 16,
        Cause.CANCELLED: 16,
        Cause.ANSWERED_ELSEWHERE: 26,
        Cause.BUSY: 17,
        Cause.NO_ANSWER: 19,
        Cause.REJECTED: 21,
        Cause.NOT_FOUND: 1,
        Cause.NOT_ALLOWED: 21,
        Cause.UNAVAILABLE: 20,
        Cause.NO_COMMON_MEDIA: 88,
        Cause.CONNECTION_LOST: 102,
        Cause.OVERLOAD: 42,
    }
)
"""ITU-T Q.850 causes for a Reason header; 127 (interworking) where nothing fits."""


def q850_of(ending: Ending) -> int:
    """The Q.850 cause to send for an ending: the peer's own where it gave one."""
    return ending.q850 if ending.q850 is not None else _Q850.get(ending.cause, 127)


def trunk_ending(
    *,
    trunk: str,
    number: str,
    status: int,
    phrase: str = "",
    fault: str = "",
    detail: str = "",
    q850: int | None = None,
) -> Ending:
    """Say why the trunk's leg of an outgoing call ended before it was answered.

    `status` is the final response, or what a fault amounts to; `fault` and `detail` are those of
    the worker's `Ended`.
    """
    if fault == "auth" or status in (401, 407):
        return _auth_ending(trunk, status, detail)
    words = {
        "trunk": trunk,
        "number": number or "The far end",
        "status": status,
        "phrase": phrase,
        "detail": _clause(detail) or "nobody knows why",
    }
    cause, sentence, hint = _BY_FAULT.get(fault) or _BY_STATUS.get(status) or _CLASSES.get(status // 100, _CLASSES[5])
    if fault == "transport":
        hint = next((better for word, better in _HINT_BY_DETAIL.items() if word in detail), hint)
    return Ending(cause, status, sentence.format(**words), hint.format(**words), q850)


def _clause(sentence: str) -> str:
    """A sentence as the second half of another one: without capital and full stop, but not "tLS"."""
    text = sentence.strip().rstrip(".")
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _auth_ending(trunk: str, status: int, detail: str) -> Ending:
    if "none is configured" in detail:
        sentence = f"Trunk {trunk} asks for a password ({status}), and none is configured."
        return Ending(Cause.TRUNK_AUTH, status, sentence, f"Set `trunk.{trunk}.user` and `trunk.{trunk}.password`.")
    sentence = f"Trunk {trunk} refused the password ({status} twice)."
    return Ending(Cause.TRUNK_AUTH, status, sentence, f"Check `trunk.{trunk}.user` and `trunk.{trunk}.password`.")


def hung_up(who: str) -> Ending:
    """An answered call that `who` ended."""
    return Ending(Cause.HANGUP, 200, f"{who} hung up.")


def cancelled(who: str) -> Ending:
    """The caller gave up before the answer."""
    return Ending(Cause.CANCELLED, 487, f"{who} hung up before the call was answered.")


def refused(who: str) -> Ending:
    """The called user pressed "refuse"."""
    return Ending(Cause.REJECTED, 603, f"{who} declined the call.")


def not_answered(who: str) -> Ending:
    """The called user let it ring."""
    return Ending(Cause.NO_ANSWER, 480, f"{who} did not answer.")


def answered_elsewhere() -> Ending:
    """Another tab or device of the same user took the call."""
    return Ending(Cause.ANSWERED_ELSEWHERE, 487, "The call was answered in another window.")


def connection_lost(which: str, hint: str = "") -> Ending:
    """A leg went silent; `which` names it in words."""
    return Ending(Cause.CONNECTION_LOST, 408, which, hint)


def no_common_codec(browser: CodecName, trunk: CodecName) -> Ending:
    """An answered call whose legs speak these, and hear nothing of each other."""
    ours, theirs = codec_of(browser).spoken, codec_of(trunk).spoken
    return Ending(
        Cause.NO_COMMON_MEDIA,
        488,
        f"The browser speaks {ours} and the trunk {theirs}, and webtrunk cannot transcode between them.",
        "Let the page offer both and answer `call.renegotiate`, or take the one that is only passed on out of "
        "`trunk.X.codecs`.",
    )


def login_limit(max_s: float) -> Ending:
    """The call lasted as long as a login allows, in seconds."""
    words = f"The call reached the {max_s:.0f} s that your login allows."
    return Ending(Cause.LIMIT, 200, words, "Whoever issues your tokens can raise `max_call_s`.")


def gateway_error() -> Ending:
    """Our own bug; the journal holds what led to it."""
    sentence = "The gateway made a mistake and ended this call."
    return Ending(Cause.GATEWAY_ERROR, 500, sentence, "`webtrunk call` shows what led to it; please report it.")


def media_core_error() -> Ending:
    """A bug of our media core, which has printed where it is."""
    sentence = "The gateway's media core made a mistake, and the call was ended."
    return Ending(Cause.GATEWAY_ERROR, 500, sentence, "The gateway's log shows where, as a panic; please report it.")
