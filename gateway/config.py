"""The settings: one TOML file, read once, checked whole, handed out in frozen slices."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from call.dialplan import TrunkRule
from call.errors import GatewayError
from gateway.tomllines import Location, line_index, line_of

Port = Annotated[int, Field(ge=0, le=65535)]
Host = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9.:_-]+$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Line = Annotated[str, StringConstraints(max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")]
CodecName = Literal["opus", "PCMU", "PCMA"]

AUTO: Final = "auto"
MIN_KEY: Final = 32
"""Characters of an HS256 key (RFC 7518 §3.2 asks for 256 bits)."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a listener on `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def default_route_address() -> str:
    """Our IPv4 address on the way to the rest of the world; "" without a route. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1 (RFC 5737)
        except OSError:
            return ""
        address: str = probe.getsockname()[0]
        return "" if is_loopback(address) else address


def _check_tls_pair(cert: str, key: str) -> None:
    if bool(cert) != bool(key):
        raise ValueError("tls_cert and tls_key are needed together")
    _check_file("tls_cert", cert)
    _check_file("tls_key", key)


def _check_file(key: str, path: str) -> None:
    if path and not Path(path).is_file():
        raise ValueError(f"{key}: there is no file {path}")


def _read_file(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error


class Settings(BaseModel):
    """Base of every slice: frozen, and an unknown key is a mistake, not a wish."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class ListenSettings(Settings):
    """The public listener: page and signalling."""

    host: Host = "127.0.0.1"
    port: Port = 8080
    tls_cert: str = ""
    tls_key: str = ""
    origins: tuple[str, ...] = ()
    """Origins whose pages may open the WebSocket; on loopback the listener's own are always among them."""

    @field_validator("origins")
    @classmethod
    def _exact(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not re.fullmatch(r"https?://[^/\s*]+", origin):
                raise ValueError(f"expected an exact origin such as https://phone.example.com, not {origin!r}")
        return origins

    @model_validator(mode="after")
    def _both(self) -> Self:
        _check_tls_pair(self.tls_cert, self.tls_key)
        return self

    @property
    def is_loopback(self) -> bool:
        """Only this machine reaches the listener."""
        return is_loopback(self.host)


class AdminSettings(Settings):
    """The admin listener: API for the command line; never reachable by a browser user."""

    host: Host = "127.0.0.1"
    port: Port = 8081

    @field_validator("host")
    @classmethod
    def _only_here(cls, host: str) -> str:
        if not is_loopback(host):
            raise ValueError("the admin listener has no login yet: expected a loopback address such as 127.0.0.1")
        return host


class AuthSettings(Settings):
    """Who may call."""

    mode: Literal["jwt", "open"] = "jwt"
    key: str = Field(default="", repr=False)
    """HS256 key; or `key_file`, a file that holds it."""
    key_file: str = ""

    @model_validator(mode="after")
    def _has_key(self) -> Self:
        if self.mode == "jwt":
            if bool(self.key) == bool(self.key_file):
                raise ValueError("mode jwt needs exactly one of key and key_file; `openssl rand -hex 32` makes a key")
            if len(self.secret) < MIN_KEY:
                raise ValueError(f"the key must have at least {MIN_KEY} characters; `openssl rand -hex 32` makes one")
        return self

    @property
    def secret(self) -> str:
        """The key itself."""
        return _read_file(self.key_file).strip() if self.key_file else self.key


class NetworkSettings(Settings):
    """One address of this machine, and what the outside knows it as (1:1 NAT)."""

    bind: str = "127.0.0.1"
    """An address; or "auto": that of the default route, if there is one."""
    advertise: str = ""

    @field_validator("bind", "advertise")
    @classmethod
    def _address(cls, value: str) -> str:
        if value and value != AUTO:
            try:
                ipaddress.ip_address(value)
            except ValueError:
                raise ValueError(f"expected an IP address, not {value!r}") from None
        return value

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.advertise == AUTO:
            raise ValueError("advertise is an IP address; only bind can be auto")
        if self.bind == AUTO and self.advertise:
            raise ValueError("bind auto advertises the address that it finds; give bind as an address instead")
        if not self.advertise and self.bind != AUTO and ipaddress.ip_address(self.bind).is_unspecified:
            raise ValueError(f"bind {self.bind} needs advertise: the address that browsers and trunks can reach")
        return self

    @property
    def public(self) -> str:
        """The address for SDP, Via and Contact."""
        return self.advertise or self.bind


class MediaSettings(Settings):
    """The media core."""

    browser_port: Port = 8082
    """One UDP port for all browsers' media."""
    rtp_ports: tuple[int, int] = (30000, 39999)
    """UDP ports for trunks' RTP and RTCP, first and last."""
    threads: Annotated[int, Field(ge=0, le=256)] = 0
    """0: one per core."""

    @field_validator("rtp_ports")
    @classmethod
    def _range(cls, ports: tuple[int, int]) -> tuple[int, int]:
        first, last = ports
        if not 1024 <= first < last <= 65535 or last - first < 3:
            raise ValueError("expected [first, last] within 1024…65535 with room for two calls, e.g. [30000, 39999]")
        return ports


class SipSettings(Settings):
    """The SIP listener."""

    udp_port: Port = 5060
    tcp_port: Port | None = None
    tls_port: Port | None = None
    tls_cert: str = ""
    tls_key: str = ""
    tls_ca: str = ""
    """Authorities that sign trunks' certificates; empty: the system's."""
    tls_verify: bool = True
    nameservers: tuple[Host, ...] = ()

    @model_validator(mode="after")
    def _tls(self) -> Self:
        _check_tls_pair(self.tls_cert, self.tls_key)
        if self.tls_port is not None and not self.tls_cert:
            raise ValueError("tls_port needs tls_cert and tls_key")
        _check_file("tls_ca", self.tls_ca)
        return self


class SessionSettings(Settings):
    """Timers of calls, in seconds."""

    grace_s: Annotated[float, Field(ge=0, le=600)] = 30.0
    """How long a call outlives its browser's lost connection."""
    ring_s: Annotated[float, Field(ge=5, le=600)] = 60.0
    """How long an incoming call rings a page."""


class RecordSettings(Settings):
    """Where call records are kept."""

    url: str = ""
    """SQLAlchemy URL; empty: SQLite in the user's state directory."""

    @property
    def resolved_url(self) -> str:
        """The URL to open; makes the default directory."""
        if self.url:
            return self.url
        base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "webtrunk"
        base.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{base / 'records.sqlite'}"


class DialplanSettings(Settings):
    """How typed numbers are read."""

    country: Annotated[str, StringConstraints(pattern=r"^([A-Z]{2})?$")] = ""
    """Two letters (ISO 3166): national numbers become international ones (+…) before they are matched."""


class LimitSettings(Settings):
    """Caps against toll fraud and runaway pages; 0 switches one off."""

    calls: Annotated[int, Field(ge=0)] = 1000
    """Calls at once in the whole gateway."""
    user_calls: Annotated[int, Field(ge=0)] = 4
    user_calls_per_minute: Annotated[int, Field(ge=0)] = 20
    user_minutes_per_day: Annotated[float, Field(ge=0)] = 600.0


class UserSettings(Settings):
    """Somebody who may log in and be called."""

    display: Line = ""
    numbers: tuple[Line, ...] = ()
    """Numbers at which trunks may call this user, besides the name itself."""


class TrunkSettings(Settings):
    """A SIP peer we exchange calls with."""

    host: Host
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Default: 5060, 5061 for TLS."""
    transport: Literal["udp", "tcp", "tls"] = "udp"
    user: Line = ""
    password: str = Field(default="", repr=False)
    password_file: str = ""
    allow: tuple[Annotated[str, StringConstraints(min_length=1, max_length=64)], ...]
    """Prefixes of numbers ("+49"), whole names ("echo"), or "*" for everything."""
    codecs: Annotated[tuple[CodecName, ...], Field(min_length=1)] = ("PCMU", "PCMA")
    """Offered to the trunk in this order."""
    prefer: Literal["quality", "cpu"] = "quality"
    """quality: browsers speak Opus; cpu: they speak the trunk's G.711, so that nothing is transcoded."""
    caller_id: Line = ""
    """User part of From; empty: the caller's own."""
    max_calls: Annotated[int, Field(ge=0)] = 30
    """Calls at once; 0 switches the cap off, as below."""
    max_calls_per_minute: Annotated[int, Field(ge=0)] = 120
    max_minutes_per_day: Annotated[float, Field(ge=0)] = 6000.0

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.password and self.password_file:
            raise ValueError("expected only one of password and password_file")
        if (self.password or self.password_file) and not self.user:
            raise ValueError("a password needs user")
        _check_file("password_file", self.password_file)
        return self

    @property
    def secret(self) -> str:
        """The password itself."""
        return _read_file(self.password_file).strip() if self.password_file else self.password

    @property
    def sip_port(self) -> int:
        """The port that `port` or the transport's default says."""
        return self.port or (5061 if self.transport == "tls" else 5060)


class Config(Settings):
    """Everything. Only `gateway.app` sees the whole."""

    listen: ListenSettings = ListenSettings()
    admin: AdminSettings = AdminSettings()
    auth: AuthSettings
    network: Annotated[tuple[NetworkSettings, ...], Field(min_length=1)] = (NetworkSettings(),)
    media: MediaSettings = MediaSettings()
    sip: SipSettings = SipSettings()
    session: SessionSettings = SessionSettings()
    records: RecordSettings = RecordSettings()
    dialplan: DialplanSettings = DialplanSettings()
    limits: LimitSettings = LimitSettings()
    user: dict[Name, UserSettings] = {}
    trunk: dict[Name, TrunkSettings] = {}

    @property
    def networks(self) -> tuple[NetworkSettings, ...]:
        """The networks with `auto` looked up, each address once; an `auto` that finds nothing falls away."""
        found: dict[str, NetworkSettings] = {}
        for network in self.network:
            bind = default_route_address() if network.bind == AUTO else network.bind
            if bind:
                found.setdefault(bind, NetworkSettings(bind=bind, advertise=network.advertise))
        return tuple(found.values()) or (NetworkSettings(),)

    @property
    def trunk_rules(self) -> tuple[TrunkRule, ...]:
        """The trunks in order, for the dial plan."""
        return tuple(TrunkRule(name, trunk.allow) for name, trunk in self.trunk.items())


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong in a configuration file."""

    line: int
    key: str
    expected: str


class ConfigError(GatewayError):
    """The configuration cannot be used; `mistakes` has all of them."""

    def __init__(self, file: str, mistakes: list[Mistake]) -> None:
        self.file = file
        self.mistakes = sorted(mistakes, key=lambda mistake: mistake.line)
        lines = [f"{file}:{m.line}: {m.key + ': ' if m.key else ''}{m.expected}" for m in self.mistakes]
        super().__init__("\n".join(lines))


def load(path: Path) -> Config:
    """Read and check a configuration file.

    Raises:
        ConfigError: With every mistake that was found.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(str(path), [Mistake(1, "", f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), [Mistake(1, "", "is not UTF-8 text")]) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), [_syntax_mistake(error)]) from error
    return check(document, text, str(path))


def check(document: dict[str, Any], text: str, file: str) -> Config:
    """Turn a parsed document into a Config; `text` is where the lines come from.

    Raises:
        ConfigError: With every mistake that was found.
    """
    lines = line_index(text)
    config: Config | None = None
    mistakes: list[Mistake] = []
    try:
        config = Config.model_validate(document)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        mistakes = [_mistake(e["loc"], _words(dict(e)), lines) for e in errors if not _follows(e["loc"], errors)]
    mistakes += [_mistake(location, words, lines) for location, words in _across(document)]
    if mistakes or config is None:
        raise ConfigError(file, mistakes)
    return config


def _across(document: dict[str, Any]) -> list[tuple[Location, str]]:
    """Rules that span sections; looked at in the raw document, so that mistakes elsewhere do not hide them."""
    found: list[tuple[Location, str]] = []
    listen, auth = _table(document, "listen"), _table(document, "auth")
    host = str(listen.get("host", "127.0.0.1"))
    if auth.get("mode") == "open" and not is_loopback(host):
        found.append((("auth", "mode"), f"open works only while listen.host is a loopback address, and it is {host}"))
    if "auth" in document and auth.get("mode", "jwt") == "jwt" and not is_loopback(host) and not listen.get("origins"):
        found.append((("listen", "origins"), 'expected the origin of the page, e.g. ["https://phone.example.com"]'))
    return found + _trunks_out_of_reach(document) + _shared_numbers(document)


def _trunks_out_of_reach(document: dict[str, Any]) -> list[tuple[Location, str]]:
    """SIP is bound to the first network: from a loopback address nothing can be sent to another machine."""
    networks = document.get("network", [{}])
    first = networks[0] if isinstance(networks, list) and networks else {}
    bind = first.get("bind", "127.0.0.1") if isinstance(first, dict) else ""
    if not isinstance(bind, str) or not is_loopback(bind):
        return []
    outside = [
        (name, trunk["host"])
        for name, trunk in _table(document, "trunk").items()
        if isinstance(trunk, dict) and isinstance(trunk.get("host"), str) and _is_elsewhere(trunk["host"])
    ]
    if not outside:
        return []
    name, host = outside[0]
    words = f"trunk {name} ({host}) cannot be reached from {bind}, a loopback address"
    remedy = 'put the network that reaches it first, e.g. one with bind = "auto"'
    location: Location = ("network", 0, "bind") if "bind" in first else ("trunk", name, "host")
    return [(location, f"{words}: {remedy}")]


def _is_elsewhere(host: str) -> bool:
    """An address that is not on loopback; names are looked up later, by the SIP worker."""
    try:
        return not ipaddress.ip_address(host.strip()).is_loopback
    except ValueError:
        return False


def _shared_numbers(document: dict[str, Any]) -> list[tuple[Location, str]]:
    found: list[tuple[Location, str]] = []
    owners: dict[str, str] = {}
    for user, settings in _table(document, "user").items():
        numbers = settings.get("numbers") if isinstance(settings, dict) else None
        known = [number for number in numbers if isinstance(number, str)] if isinstance(numbers, list) else []
        for number in (user, *known):
            if (other := owners.setdefault(number.removeprefix("+").lower(), user)) != user:
                found.append((("user", user, "numbers"), f"{number} belongs to user {other} already"))
    return found


def _follows(location: Location, errors: Sequence[Any]) -> bool:
    """A list counts as too short only because an entry of it was wrong: one mistake, not two."""
    return any(len(e["loc"]) > len(location) and e["loc"][: len(location)] == location for e in errors)


def _table(document: dict[str, Any], name: str) -> dict[str, Any]:
    table = document.get(name, {})
    return table if isinstance(table, dict) else {}


def _mistake(location: Location, words: str, lines: dict[Location, int]) -> Mistake:
    return Mistake(line_of(location, lines), ".".join(str(part) for part in location), words)


_MESSAGES: Final = {
    "missing": "is missing",
    "string_pattern_mismatch": "has characters or a form that is not allowed here",
    "too_short": "needs at least one entry",
    "extra_forbidden": "is not a setting; check the spelling",
}


def _words(error: dict[str, Any]) -> str:
    if error["type"] in _MESSAGES:
        return _MESSAGES[error["type"]]
    message = str(error["msg"]).removeprefix("Value error, ").replace("Input should be", "expected")
    given = error.get("input")
    shown = isinstance(given, str | int | float | bool) and not {"password", "key"} & set(error["loc"])
    return f"{message}, not {given!r}" if shown and "not " not in message else message


def _syntax_mistake(error: tomllib.TOMLDecodeError) -> Mistake:
    match = re.search(r"\(at line (\d+), column \d+\)", str(error))
    line = int(match.group(1)) if match else 1
    return Mistake(line, "", f"not valid TOML: {re.sub(r' [(]at .*[)]', '', str(error))}")
