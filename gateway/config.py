"""The settings, in frozen slices (`gateway.configfile` reads them)."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, Strict, field_validator

from call.codec_policy import default_codecs, serves_any_browser
from call.codecs import COMFORT_NOISE, with_comfort_noise
from call.dialplan import TrunkRule
from call.dtmf import KEEPS_TONES, DtmfPolicy
from call.sdes import Policy
from gateway.addresses import default_route_address, is_address, is_loopback
from gateway.configbase import Settings
from gateway.configfields import (
    AUTO,
    Address,
    Advertise,
    Bind,
    Caller,
    Cap,
    Codecs,
    Country,
    Database,
    Host,
    Line,
    Listed,
    Minutes,
    Name,
    Network,
    Number,
    Port,
    Prefer,
    Ringback,
    Rule,
    User,
)
from gateway.configlistening import RecordingMode, RecordingSettings, TeeSettings
from gateway.configrules import read_secret

FLOOD_PER_S: Final = 20.0
"""New calls of one trunk; never less than this is let through to the limits, which say what is wrong."""


class ListenSettings(Settings):
    """The public listener: page and signalling."""

    host: Host = "127.0.0.1"
    port: Port = 8080
    tls_cert: str = ""
    tls_key: str = ""
    origins: Listed[str] = ()
    """Origins whose pages may open the WebSocket; on loopback the listener's own are always among them."""

    @field_validator("origins")
    @classmethod
    def _exact(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not re.fullmatch(r"https?://[^/\s*]+", origin):
                raise ValueError(f"expected an exact origin such as https://phone.example.com, not {origin!r}")
        return origins

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

    @property
    def secret(self) -> str:
        """The key itself."""
        return read_secret(self.key_file) if self.key_file else self.key


class NetworkSettings(Settings):
    """One address of this machine, and what the outside knows it as (1:1 NAT)."""

    bind: Bind = "127.0.0.1"
    """An address; or "auto": that of the default route, if there is one."""
    advertise: Advertise = ""

    @property
    def public(self) -> str:
        """The address for SDP, Via and Contact."""
        return self.advertise or self.bind


class MediaSettings(Settings):
    """The media core."""

    browser_port: Port = 8082
    """One UDP port for all browsers' media."""
    rtp_ports: Annotated[tuple[int, int], Strict(False)] = (30000, 39999)
    """UDP ports for trunks' RTP and RTCP, first and last."""
    threads: Annotated[int, Field(ge=0, le=256)] = 0
    """0: one per core."""

    music: Line = ""
    """What a held far end hears: a sound file, "silence", or empty for the music that comes with webtrunk."""

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
    nameservers: Listed[Address] = ()


class SessionSettings(Settings):
    """Timers of calls, in seconds."""

    grace_s: Annotated[float, Field(ge=0, le=600)] = 30.0
    """How long a call outlives its browser's lost connection."""
    ring_s: Annotated[float, Field(ge=5, le=600)] = 60.0
    """How long an incoming call rings a page."""


class RecordSettings(Settings):
    """Where call records are kept."""

    url: Database = Field(default="", repr=False)
    """SQLAlchemy URL; empty: SQLite in the user's state directory."""

    @property
    def resolved_url(self) -> str:
        """The URL to open; makes the default directory."""
        if self.url:
            return self.url
        self.default_file.parent.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{self.default_file}"

    @property
    def default_file(self) -> Path:
        """The SQLite file that is used where no URL is set."""
        base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
        return base / "webtrunk" / "records.sqlite"


class DialplanSettings(Settings):
    """How typed numbers are read."""

    country: Country = ""
    """Two letters (ISO 3166): national numbers become international ones (+…) before they are matched."""


class LimitSettings(Settings):
    """Caps against toll fraud and runaway pages; 0 switches one off."""

    calls: Cap = 1000
    """Calls at once in the whole gateway."""
    user_calls: Cap = 4
    user_calls_per_minute: Cap = 20
    user_minutes_per_day: Minutes = 600.0
    user_pages: Cap = 20
    """Pages that one user may have open, those in their grace included."""


class UserSettings(Settings):
    """Somebody who may log in and be called."""

    display: Line = ""
    numbers: Listed[Number] = ()
    """Numbers at which trunks may call this user, besides the name itself."""
    recording: RecordingMode | None = None
    """Instead of the trunk's, and of `recording.mode`."""


class TrunkSettings(Settings):
    """A SIP peer we exchange calls with."""

    host: Host
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Default: 5060, 5061 for TLS."""
    transport: Literal["udp", "tcp", "tls"] = "udp"
    sources: Listed[Network] = ()
    """Its calls come from there, too: many carriers call from more addresses than `host` has."""
    user: User = ""
    password: str = Field(default="", repr=False)
    password_file: str = ""
    registration: bool = False
    """It wants to be told where we are, before calls come (RFC 3261 §10)."""
    allow: Listed[Rule]
    """Prefixes of numbers ("+49"), whole names ("echo"), or "*" for everything."""
    codecs: Codecs | None = None
    """Offered to the trunk in this order; by default G.722 and G.711, as `prefer` wishes."""
    prefer: Prefer = "quality"
    """quality: browsers speak Opus, wideband first; cpu: they speak the trunk's codec, so that nothing is transcoded;
    a list: the first of these that a browser has."""
    srtp: Policy = "off"
    """Encrypted audio with keys in the SDP (SDES, RFC 4568): off, optional, or required."""
    comfort_noise: bool = False
    """Silence goes as comfort noise beside G.711 (RFC 3389), in either direction, if the trunk's SDP has it, too."""
    dtmf: DtmfPolicy = "auto"
    """How the trunk gets digits: telephone-events in RTP, SIP INFO, tones; auto: as its SDP allows (`call.dtmf`)."""
    detect_inband: bool = False
    """Tones in the trunk's audio are digits. Costs decoding, so only for trunks that send digits in no other form."""
    caller_id: Caller = ""
    """User part of From; empty: the caller's own."""
    from_host: Host = ""
    """Host part of From, where the trunk wants its own domain there."""
    ringback: Ringback = ""
    """What callers from it hear while pages ring: a country's tone ("DE"), a sound file, or their own network's."""
    recording: RecordingMode | None = None
    """Instead of `recording.mode`."""
    max_calls: Cap = 30
    """Calls at once; 0 switches the cap off, as below."""
    max_calls_per_minute: Cap = 120
    max_minutes_per_day: Minutes = 6000.0

    @property
    def secret(self) -> str:
        """The password itself."""
        return read_secret(self.password_file) if self.password_file else self.password

    @property
    def home(self) -> str:
        """Host part of From; "": our own address."""
        return self.from_host or (self.host if self.registration else "")

    @property
    def new_calls_per_s(self) -> float:
        """What comes faster is no burst of people but a flood, and costs no call record; 0: no bound."""
        twice = 2 * self.max_calls_per_minute / 60
        return twice and max(FLOOD_PER_S, twice)

    @property
    def spoken_codecs(self) -> tuple[str, ...]:
        """What the trunk may speak, in order."""
        codecs = self.codecs or default_codecs(self.prefer)
        return with_comfort_noise(codecs) if self.comfort_noise else codecs

    @property
    def sip_port(self) -> int:
        """The port that `port` or the transport's default says."""
        return self.port or (5061 if self.transport == "tls" else 5060)


class Config(Settings):
    """Everything. Only `gateway.app` sees the whole."""

    listen: ListenSettings = ListenSettings()
    admin: AdminSettings = AdminSettings()
    auth: AuthSettings
    network: Annotated[Listed[NetworkSettings], Field(min_length=1)] = (NetworkSettings(),)
    media: MediaSettings = MediaSettings()
    sip: SipSettings = SipSettings()
    session: SessionSettings = SessionSettings()
    records: RecordSettings = RecordSettings()
    dialplan: DialplanSettings = DialplanSettings()
    limits: LimitSettings = LimitSettings()
    recording: RecordingSettings = RecordingSettings()
    tee: TeeSettings = TeeSettings()
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
    def remarks(self) -> tuple[str, ...]:
        """What may be meant, but deserves a word: sentences for `webtrunk check`."""
        return (
            *self._silent_trunks(),
            *self._doubtful_trunks(),
            *self._open_keys(),
            *self._noiseless_trunks(),
            *self._toneless_trunks(),
            *self._foreign_trunks(),
            *self.recording.remarks,
            *self.tee.remarks,
        )

    @property
    def records_calls(self) -> bool:
        """Whether any call may be recorded."""
        modes = {self.recording.mode, *(user.recording for user in self.user.values())}
        return not modes | {trunk.recording for trunk in self.trunk.values()} <= {None, "off"}

    def recording_mode(self, user: str, trunk: str) -> RecordingMode:
        """Whether calls of `user` through `trunk` are recorded: what is said closest to the person counts."""
        of_user = self.user[user].recording if user in self.user else None
        of_trunk = self.trunk[trunk].recording if trunk in self.trunk else None
        return of_user or of_trunk or self.recording.mode

    def _silent_trunks(self) -> list[str]:
        words = "allow is empty: nobody can call through it, it only brings calls"
        return [f"trunk {name}: {words}." for name, trunk in self.trunk.items() if not trunk.allow]

    def _doubtful_trunks(self) -> list[str]:
        """From a loopback address no other machine can be reached, and a name may well be one."""
        bind = self.networks[0].bind
        if not is_loopback(bind):
            return []
        names = [name for name, trunk in self.trunk.items() if not is_address(trunk.host) and trunk.host != "localhost"]
        words = f"SIP is bound to {bind}, a loopback address: unless {{host}} is this machine"
        remedy = "put the network that reaches it first"
        return [f"trunk {name}: {words.format(host=self.trunk[name].host)}, {remedy}." for name in names]

    def _open_keys(self) -> list[str]:
        """Keys in SDP are as secret as the signalling (RFC 4568 §8.2)."""
        words = 'srtp is {srtp}, but its keys travel in clear over {transport}: set transport = "tls"'
        return [
            f"trunk {name}: {words.format(srtp=trunk.srtp, transport=trunk.transport)}."
            for name, trunk in self.trunk.items()
            if trunk.srtp != "off" and trunk.transport != "tls" and not is_loopback(trunk.host)
        ]

    def _noiseless_trunks(self) -> list[str]:
        words = "comfort_noise goes beside PCMU and PCMA, and codecs has neither: it changes nothing"
        return [
            f"trunk {name}: {words}."
            for name, trunk in self.trunk.items()
            if trunk.comfort_noise and COMFORT_NOISE not in trunk.spoken_codecs
        ]

    def _toneless_trunks(self) -> list[str]:
        words = 'dtmf = "inband" puts digits into the audio as tones, and none of its codecs keeps tones unharmed'
        return [
            f"trunk {name}: {words}; add PCMU, PCMA or G722."
            for name, trunk in self.trunk.items()
            if trunk.dtmf == "inband" and KEEPS_TONES.isdisjoint(trunk.spoken_codecs)
        ]

    def _foreign_trunks(self) -> list[str]:
        words = "codecs and prefer leave nothing that browsers speak: unless a page offers more, its calls end with 488"
        return [
            f"trunk {name}: {words}; add opus or PCMA to {_list_without_browsers(trunk)}."
            for name, trunk in self.trunk.items()
            if not serves_any_browser(trunk.spoken_codecs, trunk.prefer)
        ]

    @property
    def trunk_rules(self) -> tuple[TrunkRule, ...]:
        """The trunks in order, for the dial plan."""
        return tuple(TrunkRule(name, trunk.allow) for name, trunk in self.trunk.items())


def _list_without_browsers(trunk: TrunkSettings) -> str:
    """The setting that leaves nothing that browsers speak."""
    return "prefer" if serves_any_browser(trunk.spoken_codecs, "quality") else "codecs"
