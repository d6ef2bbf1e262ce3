"""Who is called: what was typed becomes a number or name, and that a trunk or a user."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from call.errors import PolicyError, UnknownDestination

_SCHEME: Final = re.compile(r"(tel|callto|sips?):(?://)?", re.IGNORECASE)  # schemes know no case (RFC 3986 §3.1)
_SEPARATORS: Final = re.compile(r"[\s().\-/\u00a0\u2010-\u2015]")
_NUMBER: Final = re.compile(r"\+?[0-9*#]+")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~+-]*")
MAX_LENGTH: Final = 64


@dataclass(frozen=True, slots=True)
class TrunkRule:
    """What may be called through one trunk: prefixes of numbers ("+49"), whole names ("echo"), or "*"."""

    trunk: str
    allow: tuple[str, ...]


def clean(typed: str) -> str:
    """Turn what a person typed or pasted into a number without separators, or a name.

    Raises:
        UnknownDestination: It is neither.
    """
    text = _without_uri(typed.strip())
    number = _SEPARATORS.sub("", text.replace("(0)", "")) if text.startswith("+") else _SEPARATORS.sub("", text)
    if _NUMBER.fullmatch(number) and len(number) <= MAX_LENGTH:
        return number
    if _NAME.fullmatch(text) and len(text) <= MAX_LENGTH:
        return text
    raise UnknownDestination(f"“{typed[:MAX_LENGTH]}” is neither a number nor a name.", hint="Check what you typed.")


def _without_uri(text: str) -> str:
    """The number of a tel: URI (RFC 3966 §3) or the user of a sip: URI (RFC 3261 §19.1.1).

    Parameters are nobody's number, and which host is asked is decided by our dial plan.
    """
    scheme = _SCHEME.match(text)
    if scheme is None:
        return text
    user = re.split("[;?@]", text[scheme.end() :], maxsplit=1)[0]
    if scheme[1].lower().startswith("sip"):
        user = user.partition(":")[0]  # of "user:password" or "host:port"
    return unquote(user).strip()


def is_number(destination: str) -> bool:
    """Digits, perhaps with a leading plus: something that prefixes apply to."""
    return _NUMBER.fullmatch(destination) is not None


def match_length(destination: str, rule: str) -> int:
    """How specifically `rule` allows `destination`: length of the match in characters, 0 for "*", -1 for not at all.

    Names match in any case: nobody means somebody else by “Echo”.
    """
    if rule == "*":
        return 0
    if destination.lower() == rule.lower():
        return len(rule)
    return len(rule) if is_number(destination) and is_number(rule) and destination.startswith(rule) else -1


def is_allowed(destination: str, allow: Iterable[str]) -> bool:
    """Whether any rule of a list allows the destination."""
    return any(match_length(destination, rule) >= 0 for rule in allow)


def choose_trunk(destination: str, rules: Sequence[TrunkRule]) -> str:
    """The trunk with the longest matching rule; the first configured one wins a tie.

    Raises:
        PolicyError: No trunk may reach a destination of this kind.
    """
    best, length = "", -1
    for rule in rules:
        here = max((match_length(destination, allowed) for allowed in rule.allow), default=-1)
        if here > length:
            best, length = rule.trunk, here
    if length < 0:
        raise _nothing_matches(destination, rules)
    return best


def _nothing_matches(destination: str, rules: Sequence[TrunkRule]) -> PolicyError:
    if not rules:
        return UnknownDestination(
            "No trunk is configured.",
            hint="Whoever runs the gateway can add a [trunk.NAME] table to its configuration.",
        )
    names = ", ".join(rule.trunk for rule in rules)
    if not is_number(destination):
        sentence = f"No trunk knows a destination named {destination}."
        return UnknownDestination(
            sentence,
            hint=f"Check the spelling; whoever runs the gateway can add it to `allow` of a trunk ({names}).",
        )
    sentence = f"Calls to {destination} are not allowed through any trunk."
    return PolicyError(
        sentence, hint=f"Whoever runs the gateway can add a prefix of it to `allow` of a trunk ({names})."
    )


def find_user(number: str, numbers_of: Mapping[str, Sequence[str]]) -> str | None:
    """The user whose name or one of whose clean numbers an incoming call is for; a leading plus is optional."""
    wanted = comparable(number)
    for user, numbers in numbers_of.items():
        if wanted == user.lower() or wanted in (n.removeprefix("+").lower() for n in numbers):
            return user
    return None


def comparable(number: str) -> str:
    """What two ways to write one number or name have in common; trunks send separators too (RFC 3966 §5.1.1)."""
    with contextlib.suppress(UnknownDestination):
        number = clean(number)
    return number.removeprefix("+").lower()
