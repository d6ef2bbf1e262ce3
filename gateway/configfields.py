"""The kinds of values in a configuration: each is checked by itself, normalised, and says what it expected."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import AfterValidator, Field, PlainValidator, Strict, StringConstraints, WrapValidator

from call import codecs, dialplan, tones
from call.errors import UnknownDestination
from gateway.addresses import is_address
from gateway.builtin import transcoded_codecs
from gateway.soundnames import is_country

AUTO: Final = "auto"

_NO_HOST: Final = re.compile(r"[^A-Za-z0-9.:_-]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_NO_USER: Final = re.compile(r"""[\x00-\x20\x7f"<>\\]""")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def _host(value: str) -> str:
    if not value:
        raise ValueError("expected a host name or an IP address, and it is empty")
    if found := _NO_HOST.search(value):
        raise ValueError(f"{value!r} has {found.group()!r}, which belongs in no host name or IP address")
    if ":" in value and not is_address(value):
        raise ValueError(f"expected a host name or an IP address, not {value!r}; a port has a key of its own")
    return value


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(f"{value!r} is no name: letters, digits, and after the first also . _ -")
    return value


def _line(value: str) -> str:
    if found := _CONTROL.search(value):
        raise ValueError(f"has a control character, {found.group()!r}")
    return value


def _user(value: str) -> str:
    if found := _NO_USER.search(value):
        raise ValueError(f"{value!r} has {found.group()!r}, which belongs in no user name of a trunk")
    return value


def _address(value: str) -> str:
    if not is_address(value):
        raise ValueError(f"expected an IP address, not {value!r}")
    return value


def _bind(value: str) -> str:
    return value if value == AUTO else _address(value)


def _advertise(value: str) -> str:
    if value == AUTO:
        raise ValueError("advertise is an IP address; only bind can be auto")
    return _address(value) if value else value


def _network(value: str) -> str:
    try:
        network = ipaddress.ip_network(value)
    except ValueError:
        raise ValueError(f"expected an IP address, or a network such as '203.0.113.0/28', not {value!r}") from None
    if network.prefixlen == 0:
        raise ValueError(f"{value!r} would make everybody this trunk")
    return str(network)


def _number(value: str) -> str:
    try:
        return dialplan.clean(value)
    except UnknownDestination:
        raise ValueError(f"{value!r} is neither a number nor a name that could be called") from None


def _caller(value: str) -> str:
    return _number(value) if value else value


def _rule(value: str) -> str:
    if value == "*":
        return value
    rule = _number(value)
    if dialplan.is_number(rule) and rule.endswith("*") and rule[0] not in "*#":
        raise ValueError(f"{value!r} fits no number: {rule.rstrip('*')!r} alone stands for all that begin with it")
    return rule


def _country(value: str) -> str:
    # Its tables take a moment to load; most configurations name no country.
    from phonenumbers import SUPPORTED_REGIONS

    if value and value not in SUPPORTED_REGIONS:
        raise ValueError(f"expected the two capital letters of a country (ISO 3166), such as 'DE', not {value!r}")
    return value


def _sound(value: str) -> str:
    if is_country(value) and value not in tones.COUNTRIES:
        known = ", ".join(sorted(tones.COUNTRIES))
        raise ValueError(f"the tones of {value!r} are not known; known are {known}; a sound file needs its ending")
    return value


def _database(value: str) -> str:
    """Never tells the URL: it may hold a password."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    if not value:
        return value
    try:
        dialect = make_url(value).get_dialect()
        dialect.import_dbapi()
    except ArgumentError:
        raise ValueError("expected a SQLAlchemy URL of a database it knows, such as sqlite:////var/calls.db") from None
    except ImportError as error:
        raise ValueError(f"this database needs the Python package {error.name}, which is not installed") from None
    if dialect.is_async:
        raise ValueError("this is an asynchronous driver; name the plain one, such as sqlite: or postgresql+psycopg:")
    return value


def _codec(value: str) -> str:
    try:
        name = codecs.canonical(value)
    except ValueError:
        known = ", ".join(codecs.CODECS)
        raise ValueError(
            f"{value!r} is no codec of webtrunk ({known}); one that is only passed on is written with its clock, "
            "as in a=rtpmap: 'iLBC/8000'"
        ) from None
    if name == "G729" and name not in transcoded_codecs():
        raise ValueError("G729 is not built in: install libbcg729-dev and set up again with WEBTRUNK_G729=1 (README)")
    return name


def _prefer(value: object) -> str | tuple[str, ...]:
    if isinstance(value, str) and value in ("quality", "cpu"):
        return value
    if not isinstance(value, list | tuple) or not value or not all(isinstance(codec, str) for codec in value):
        raise ValueError(f"expected 'quality', 'cpu' or a list of codecs such as [\"PCMA\", \"opus\"], not {value!r}")
    return _different(value, lambda written: tuple(_codec(codec) for codec in written))


def _different(written: Sequence[object], read: Callable[[Any], tuple[str, ...]]) -> tuple[str, ...]:
    codecs = read(written)
    for at, codec in enumerate(codecs):
        if codec in codecs[:at]:
            raise ValueError(f"{written[at]!r} is there twice")
    return codecs


T = TypeVar("T")
Listed = Annotated[tuple[T, ...], Strict(False)]
"""A list of TOML: strictly it would be no tuple."""
Port = Annotated[int, Field(ge=0, le=65535)]
Cap = Annotated[int, Field(ge=0, le=1_000_000)]
"""So many calls or pages at most, more than any machine carries; 0: no cap."""
Minutes = Annotated[float, Field(ge=0, le=1_000_000_000)]
"""So many minutes at most: more would be more than a day has, of as many calls as a cap may allow; 0: no cap."""
Host = Annotated[str, StringConstraints(max_length=253), AfterValidator(_host)]
Name = Annotated[str, StringConstraints(max_length=64), AfterValidator(_name)]
Line = Annotated[str, StringConstraints(max_length=256), AfterValidator(_line)]
User = Annotated[str, StringConstraints(max_length=256), AfterValidator(_user)]
"""Who we are to a trunk (the user part of our address, and the digest user name of RFC 8760)."""
Address = Annotated[str, AfterValidator(_address)]
Network = Annotated[str, AfterValidator(_network)]
Bind = Annotated[str, AfterValidator(_bind)]
Advertise = Annotated[str, AfterValidator(_advertise)]
Number = Annotated[str, AfterValidator(_number)]
"""A number or name, as the dial plan compares them: without separators."""
Caller = Annotated[str, AfterValidator(_caller)]
Rule = Annotated[str, AfterValidator(_rule)]
"""What may be called: prefix, name, or "*"."""
Country = Annotated[str, AfterValidator(_country)]
Ringback = Annotated[Line, AfterValidator(_sound)]
Database = Annotated[str, AfterValidator(_database)]
Codec = Annotated[str, AfterValidator(_codec)]
"""In the spelling of `call.codecs`."""
Codecs = Annotated[Listed[Codec], Field(min_length=1), WrapValidator(_different)]
Prefer = Annotated[Literal["quality", "cpu"] | tuple[str, ...], PlainValidator(_prefer)]
"""What a route wishes: the best sound, the least work, or these codecs towards browsers."""
