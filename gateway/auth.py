"""Who may come in: short-lived JWTs (RFC 7519, HS256), or open mode on loopback."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt

from call.errors import PolicyError
from gateway.config import AuthSettings, UserSettings
from gateway.configrules import MIN_KEY
from webrtc.signalling import Hello

log = logging.getLogger(__name__)

ALGORITHM: Final = "HS256"
LEEWAY_S: Final = 5
MAX_CALL_S: Final = 366 * 24 * 3600.0
"""More than a year is a mistake."""
_ASK_AGAIN: Final = "Ask the site for a new token; `webtrunk token` makes one."


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who was let in, and what they may do."""

    user: str
    display: str
    allow: tuple[str, ...] | None = None
    """Destinations of the token, by the rules of `call.dialplan`; None: all that the trunks allow."""
    caller_id: str = ""
    max_call_s: float | None = None


def make_token(
    secret: str,
    user: str,
    *,
    ttl_s: float,
    allow: tuple[str, ...] | None = None,
    caller_id: str = "",
    max_call_s: float | None = None,
) -> str:
    """A signed token for one user."""
    now = time.time()
    claims: dict[str, Any] = {"sub": user, "iat": int(now), "exp": int(now + ttl_s)}
    optional = {
        "allow": None if allow is None else list(allow),
        "caller_id": caller_id or None,
        "max_call_s": max_call_s,
    }
    claims |= {name: value for name, value in optional.items() if value is not None}
    return jwt.encode(claims, secret, algorithm=ALGORITHM)


class Gatekeeper:
    """Decides about a `hello`."""

    def __init__(self, settings: AuthSettings, users: Mapping[str, UserSettings]) -> None:
        self._settings, self._users = settings, users

    def admit(self, hello: Hello) -> Identity:
        """Let somebody in.

        Raises:
            PolicyError: The token is missing, expired, forged, or lacks something.
        """
        if self._settings.mode == "open":
            return self._admit_by_name(hello.user)
        if not hello.token:
            raise PolicyError("This gateway asks for a token.", hint=_ASK_AGAIN)
        return self._identity(_verified(hello.token, self._key()))

    def _key(self) -> str:
        """The key as its file has it now; one that is just being replaced may be short, and anybody could guess it."""
        try:
            key = self._settings.secret
            flaw = "" if len(key) >= MIN_KEY else f"{self._settings.key_file} has fewer than {MIN_KEY} characters"
        except ValueError as error:
            key, flaw = "", str(error)
        if flaw:
            log.error("nobody can log in: %s", flaw)
            hint = "Try again in a minute; whoever runs the gateway finds the reason in its log."
            raise PolicyError("Nobody can log in now.", hint=hint)
        return key

    def _admit_by_name(self, user: str) -> Identity:
        if not _is_text(user, 64):
            raise PolicyError("The name of the user is not a short text.", hint="Choose up to 64 printable characters.")
        name = user or next(iter(self._users), "guest")
        if self._users and name not in self._users:
            known = ", ".join(self._users)
            raise PolicyError(f"There is no user {name!r}.", hint=f"Known users: {known}. Add [user.NAME] to the file.")
        return Identity(name, self._display(name))

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        user, allow, limit = claims["sub"], claims.get("allow"), claims.get("max_call_s")
        caller_id = claims.get("caller_id", "")
        if not _is_text(user, 64) or not user or not _is_text(caller_id, 64):
            raise PolicyError("The token's sub or caller_id is not a short text.", hint=_ASK_AGAIN)
        if allow is not None and not (isinstance(allow, list) and all(_is_text(rule, 64) for rule in allow)):
            raise PolicyError("The token's allow is not a list of prefixes and names.", hint=_ASK_AGAIN)
        if limit is not None and not (type(limit) in (int, float) and 0 < limit <= MAX_CALL_S):
            raise PolicyError("The token's max_call_s is not a number of seconds, up to a year.", hint=_ASK_AGAIN)
        return Identity(user, self._display(user), tuple(allow) if allow is not None else None, caller_id, limit)

    def _display(self, user: str) -> str:
        settings = self._users.get(user)
        return settings.display if settings and settings.display else user


def _verified(token: str, secret: str) -> Mapping[str, Any]:
    try:
        options: Any = {"require": ["exp", "sub"]}
        return jwt.decode(token, secret, algorithms=[ALGORITHM], leeway=LEEWAY_S, options=options)
    except jwt.ExpiredSignatureError:
        raise PolicyError("The token has expired.", hint=_ASK_AGAIN) from None
    except jwt.InvalidSignatureError:
        sentence = "The token was not signed with this gateway's key."
        raise PolicyError(sentence, hint="Check `auth.key` here and the key of the site that made it.") from None
    except jwt.InvalidTokenError as error:
        raise PolicyError(f"The token cannot be used: {error}.", hint=_ASK_AGAIN) from None


def _is_text(value: object, limit: int) -> bool:
    return isinstance(value, str) and len(value) <= limit and value.isprintable()
