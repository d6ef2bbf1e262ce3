"""Rules between settings, looked at in the raw document: a mistake elsewhere must not hide these.

Each rule gives the place of its own key, and passes over values that are wrong in themselves: those are told
by their fields.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from call import dialplan
from gateway.addresses import is_elsewhere, is_loopback, is_unspecified
from gateway.configfields import AUTO
from gateway.configports import shared_ports
from gateway.soundnames import SILENCE, is_country
from gateway.tomllines import Location

Table = Mapping[str, Any]
Found = tuple[Location, str]

MIN_KEY: Final = 32
"""Characters of an HS256 key (RFC 7518 §3.2 asks for 256 bits)."""
_MAKE_KEY: Final = "`openssl rand -hex 32` makes one"


def across(document: Table, defaults: Mapping[str, Table]) -> list[Found]:
    """All that is wrong between settings; `defaults` of the sections stand for what is not there."""
    return [
        *_login(document, defaults),
        *_listen(_table(document, "listen")),
        *_sip(_table(document, "sip")),
        *_sound(("media", "music"), _text(_table(document, "media"), "music")),
        *itertools.chain.from_iterable(_network(at, network) for at, network in enumerate(_networks(document))),
        *itertools.chain.from_iterable(_trunk(name, trunk) for name, trunk in _named(document, "trunk")),
        *_recording(document),
        *_tee(_table(document, "tee")),
        *_out_of_reach(document, defaults),
        *_shared_numbers(document),
        *shared_ports(document, defaults),
    ]


def read_secret(path: str) -> str:
    """The text of a file with a key or password, without the white space around it.

    Raises:
        ValueError: It cannot be read; the words name the file.
    """
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text") from error
    except ValueError as error:  # a NUL in the path
        raise ValueError(f"{path!r} is not the name of a file") from error


def _login(document: Table, defaults: Mapping[str, Table]) -> Iterator[Found]:
    listen, auth = _table(document, "listen"), _table(document, "auth")
    host = _text(listen, "host") or str(defaults["listen"]["host"])
    mode = auth.get("mode", "jwt")
    if mode == "open" and not is_loopback(host):
        yield ("auth", "mode"), f"open works only while listen.host is a loopback address, and it is {host}"
    if "auth" in document and mode == "jwt":
        if not is_loopback(host) and not listen.get("origins"):
            yield ("listen", "origins"), 'expected the origin of the page, e.g. ["https://phone.example.com"]'
        if isinstance(document["auth"], dict):
            yield from _login_key(auth)


def _login_key(auth: Table) -> Iterator[Found]:
    if _given(auth, "key") == _given(auth, "key_file"):
        where: Location = ("auth", "key_file") if _given(auth, "key") else ("auth",)
        yield where, f"mode jwt needs exactly one of key and key_file; {_MAKE_KEY.replace('one', 'a key')}"
        return
    yield from _secret_file(("auth",), auth, "key_file", shortest=MIN_KEY)
    key = _text(auth, "key")
    if key and len(key) < MIN_KEY:
        yield ("auth", "key"), _short("the key", MIN_KEY)


def _listen(listen: Table) -> Iterator[Found]:
    yield from _tls_pair("listen", listen)


def _sip(sip: Table) -> Iterator[Found]:
    yield from _tls_pair("sip", sip)
    yield from _file(("sip", "tls_ca"), _text(sip, "tls_ca"))
    if sip.get("tls_port") is not None and not _given(sip, "tls_cert") and not _given(sip, "tls_key"):
        yield ("sip", "tls_port"), "tls_port needs tls_cert and tls_key"


def _tls_pair(section: str, table: Table) -> Iterator[Found]:
    for key, other in (("tls_cert", "tls_key"), ("tls_key", "tls_cert")):
        yield from _file((section, key), _text(table, key))
        if _given(table, key) and not _given(table, other):
            yield (section, key), f"needs {other} beside it"


def _network(at: int, network: Table) -> Iterator[Found]:
    bind, advertise = _text(network, "bind"), _text(network, "advertise")
    if bind == AUTO and advertise and advertise != AUTO:
        words = "bind auto advertises the address that it finds; give bind as an address instead"
        yield ("network", at, "advertise"), words
    if is_unspecified(bind) and not _given(network, "advertise"):
        yield ("network", at, "bind"), f"bind {bind} needs advertise: the address that browsers and trunks can reach"


def _trunk(name: str, trunk: Table) -> Iterator[Found]:
    where: Location = ("trunk", name)
    if _given(trunk, "password") and _given(trunk, "password_file"):
        yield (*where, "password_file"), "expected only one of password and password_file"
    elif not _given(trunk, "user"):
        for key in ("password", "password_file"):
            if _given(trunk, key):
                yield (*where, key), "a password needs user"
        if trunk.get("registration") is True:
            yield (*where, "registration"), "a registration needs user"
    yield from _secret_file(where, trunk, "password_file", shortest=1)
    yield from _sound((*where, "ringback"), _text(trunk, "ringback"))


def _recording(document: Table) -> Iterator[Found]:
    recording = _table(document, "recording")
    tables = [("recording", recording.get("mode"))]
    tables += [
        (f"{kind}.{name}", table.get("recording"))
        for kind in ("user", "trunk")
        for name, table in _named(document, kind)
    ]
    recorded = [name for name, mode in tables if mode in ("all", "on-demand")]
    if recorded and not _given(recording, "folder"):
        yield ("recording", "folder"), f"expected a folder for the files, since {recorded[0]} asks for recordings"
    yield from _file(("recording", "consent_tone"), _text(recording, "consent_tone"))


def _tee(tee: Table) -> Iterator[Found]:
    if _given(tee, "authorization") and _given(tee, "authorization_file"):
        yield ("tee", "authorization_file"), "expected only one of authorization and authorization_file"
    yield from _secret_file(("tee",), tee, "authorization_file", shortest=1)
    yield from _file(("tee", "tls_ca"), _text(tee, "tls_ca"))


def _out_of_reach(document: Table, defaults: Mapping[str, Table]) -> Iterator[Found]:
    """SIP is bound to the first network: from a loopback address nothing can be sent to another machine."""
    first: Table = next(iter(_networks(document)), {})
    bind = _text({**defaults["network"], **first}, "bind")
    outside = [(n, host) for n, trunk in _named(document, "trunk") if is_elsewhere(host := _text(trunk, "host"))]
    if not is_loopback(bind) or not outside:
        return
    name, host = outside[0]
    words = f"trunk {name} ({host}) cannot be reached from {bind}, a loopback address"
    remedy = 'put the network that reaches it first, e.g. one with bind = "auto"'
    yield ("network", 0, "bind") if "bind" in first else ("trunk", name, "host"), f"{words}: {remedy}"


def _shared_numbers(document: Table) -> Iterator[Found]:
    owners: dict[str, str] = {}
    for user, settings in _named(document, "user"):
        numbers = settings.get("numbers")
        known = [number for number in numbers if isinstance(number, str)] if isinstance(numbers, list) else []
        for number in (user, *known):
            if (other := owners.setdefault(dialplan.comparable(number), user)) != user:
                yield ("user", user, "numbers"), f"{number} belongs to user {other} already"


def _secret_file(where: Location, table: Table, key: str, *, shortest: int) -> Iterator[Found]:
    if not (path := _text(table, key)):
        return
    try:
        if len(read_secret(path)) < shortest:
            yield (*where, key), _short(path, shortest)
    except ValueError as error:
        yield (*where, key), str(error)


def _short(what: str, shortest: int) -> str:
    return f"{what} is empty" if shortest == 1 else f"{what} must have at least {shortest} characters; {_MAKE_KEY}"


def _file(where: Location, path: str) -> Iterator[Found]:
    if path and not Path(path).is_file():
        yield where, f"there is no file {path if path.isprintable() else repr(path)}"


def _sound(where: Location, source: str) -> Iterator[Found]:
    if source and source != SILENCE and not is_country(source):
        yield from _file(where, source)


def _table(document: Table, name: str) -> Table:
    table = document.get(name, {})
    return table if isinstance(table, dict) else {}


def _named(document: Table, name: str) -> list[tuple[str, Table]]:
    """[name.X] tables, those that are tables."""
    return [(key, table) for key, table in _table(document, name).items() if isinstance(table, dict)]


def _networks(document: Table) -> list[Table]:
    networks = document.get("network", [])
    return [n if isinstance(n, dict) else {} for n in networks] if isinstance(networks, list) else []


def _text(table: Table, key: str) -> str:
    value = table.get(key, "")
    return value.strip() if isinstance(value, str) else ""


def _given(table: Table, key: str) -> bool:
    return bool(table.get(key, "") != "")
