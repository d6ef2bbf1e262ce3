"""From what was dialled to a trunk and a number: country rules, token, dial plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import phonenumbers

from call import dialplan
from call.dialplan import TrunkRule
from call.errors import PolicyError
from gateway.auth import Identity
from gateway.config import UserSettings


@dataclass(frozen=True, slots=True)
class Route:
    """Where an outgoing call goes."""

    trunk: str
    number: str


class Router:
    """The dial plan with this gateway's trunks and users."""

    def __init__(self, rules: Sequence[TrunkRule], users: Mapping[str, UserSettings], country: str) -> None:
        self._rules, self._country = rules, country
        self._numbers = {name: user.numbers for name, user in users.items()}

    def outgoing(self, typed: str, caller: Identity) -> Route:
        """Choose number and trunk.

        Raises:
            PolicyError: Nothing matches, or this caller may not.
        """
        number = international(dialplan.clean(typed), self._country)
        trunk = dialplan.choose_trunk(number, self._rules)
        if caller.allow is not None and not dialplan.is_allowed(number, caller.allow):
            sentence = f"Your login does not allow calls to {number}."
            raise PolicyError(sentence, hint="Whoever issues your tokens can add it to their `allow` list.")
        return Route(trunk, number)

    def incoming(self, number: str) -> str | None:
        """The user whom a trunk calls, if there is one."""
        return dialplan.find_user(number, self._numbers)


def international(number: str, country: str) -> str:
    """A national number of `country` with its + and country code; anything else unchanged."""
    if not country or number.startswith("+") or not number.isdecimal():
        return number
    try:
        parsed = phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException:
        return number
    if not phonenumbers.is_valid_number(parsed):
        return number  # a short code or extension: 112 must never become +49112
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
