"""One gateway with a trunk for every kind of peer; tests start the peers that they need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from call.sdes import SUITES, SuiteName
from tests.harness.baresip import Baresip, Credentials, Encryption, Transport
from tests.harness.certificates import Authority
from tests.harness.gateway import GatewayProcess, demo_settings, trunk_to
from tests.harness.linphone import Linphone
from tests.harness.ports import free_block, free_port
from tests.harness.program import hurry
from tests.harness.sipp import Sipp
from tests.harness.speech import Speech

PASSWORD: Final = "correct horse"


@dataclass(frozen=True)
class PhoneKind:
    """One way for a desk phone to be a trunk; the trunk and its one number have the same name."""

    name: str
    transport: Transport
    codec: str
    prefer: str | tuple[str, ...] = "quality"
    srtp: str = "off"
    """What the trunk of the gateway wants."""
    encryption: Encryption = ""
    """What the phone does."""
    only_suite: SuiteName | None = None
    """The one suite of our offers that reaches the phone, through a filter on the port above it."""

    @property
    def is_transcoded(self) -> bool:
        """The browser speaks Opus unless the route prefers to save CPU."""
        return self.codec != "opus" and self.prefer == "quality"


PHONES: Final = (
    PhoneKind("udp-pcmu", "udp", "PCMU"),
    PhoneKind("udp-pcma", "udp", "PCMA"),
    PhoneKind("udp-opus", "udp", "opus"),
    PhoneKind("udp-g722", "udp", "G722"),
    PhoneKind("udp-wide", "udp", "G722", prefer="cpu"),
    PhoneKind("udp-cheap", "udp", "PCMA", prefer="cpu"),
    PhoneKind("tcp-pcmu", "tcp", "PCMU"),
    PhoneKind("tls-pcmu", "tls", "PCMU"),
)
SECURE_PHONES: Final = (
    PhoneKind("tls-secret", "tls", "PCMU", srtp="required", encryption="srtp-mand"),
    PhoneKind("udp-secret", "udp", "PCMA", srtp="optional", encryption="srtp"),
    PhoneKind("udp-open", "udp", "PCMU", srtp="optional"),
    PhoneKind("udp-refused", "udp", "PCMU", srtp="required"),
)
SUITE_PHONES: Final = tuple(
    PhoneKind(f"udp-suite-{number}", "udp", "PCMU", srtp="required", encryption="srtp-mand", only_suite=suite)
    for number, suite in enumerate(SUITES, 1)
)
G729_PHONES: Final = (
    PhoneKind("udp-g729", "udp", "G729"),
    PhoneKind("udp-g729-pcmu", "udp", "G729", prefer=("PCMU",)),
)
"""Debian's baresip does not speak it: these are Linphones."""
ALL_PHONES: Final = (*PHONES, *SECURE_PHONES, *SUITE_PHONES, *G729_PHONES)


@dataclass(frozen=True)
class House:
    """The gateway, and where its trunks expect their peers."""

    gateway: GatewayProcess
    authority: Authority
    phone_ports: dict[str, int]
    """Where baresip, or Linphone, listens for UDP and TCP; TLS is one above."""
    sipp_port: int
    digest_port: int

    @property
    def grace_s(self) -> float:
        """How long a call outlives its lost browser."""
        return float(self.gateway.settings["session"]["grace_s"])


@pytest.fixture(scope="session", autouse=True)
def priority() -> None:
    hurry()


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("gateway")
    authority = Authority(directory / "certificates")
    phone_ports = {kind.name: free_block(2)[0] for kind in ALL_PHONES}
    sipp_port, digest_port = free_port(), free_port()
    settings = demo_settings(directory, session={"grace_s": 2}, sip=_sip_settings(authority))
    settings["trunk"] |= {kind.name: _phone_trunk(kind, phone_ports[kind.name]) for kind in ALL_PHONES}
    settings["trunk"]["sipp"] = trunk_to(sipp_port, ["sipp"])
    settings["trunk"]["digest"] = trunk_to(digest_port, ["digest"], user="me", password=PASSWORD)
    gateway = GatewayProcess(directory, settings, demo=True)
    yield House(gateway, authority, phone_ports, sipp_port, digest_port)
    gateway.stop()


def _sip_settings(authority: Authority) -> dict[str, Any]:
    certificate, key = authority.issue("gateway")
    tls = {"tls_port": free_port(), "tls_cert": certificate, "tls_key": key, "tls_ca": authority.certificate}
    return {"udp_port": free_port(), "tcp_port": free_port(), **tls}


def _phone_trunk(kind: PhoneKind, port: int) -> dict[str, Any]:
    codecs = ["opus", "PCMU"] if kind.codec == "opus" else [kind.codec]
    port += kind.transport == "tls" or kind.only_suite is not None
    return trunk_to(port, [kind.name], transport=kind.transport, codecs=codecs, prefer=kind.prefer, srtp=kind.srtp)


@pytest.fixture
def desk_phone(house: House, other_speech: Speech, tmp_path: Path) -> Iterator[Callable[..., Baresip]]:
    """Starts baresip where the trunk of that kind expects it."""
    running: list[Baresip] = []

    def start(kind: PhoneKind, says: Speech = other_speech) -> Baresip:
        tls = Credentials(house.authority.issue_together(kind.name), house.authority.certificate)
        phone = Baresip(
            tmp_path / kind.name,
            says,
            user=kind.name,
            port=house.phone_ports[kind.name],
            transport=kind.transport,
            codec=kind.codec,
            tls=tls if kind.transport == "tls" else None,
            encryption=kind.encryption,
        )
        running.append(phone)
        return phone

    yield start
    for phone in running:
        phone.stop()


@pytest.fixture
def linphone(house: House, other_speech: Speech, tmp_path: Path) -> Iterator[Callable[..., Linphone]]:
    """Starts Linphone where the trunk of that kind expects it."""
    running: list[Linphone] = []

    def start(kind: PhoneKind, says: Speech = other_speech) -> Linphone:
        running.append(Linphone(tmp_path / kind.name, says, user=kind.name, port=house.phone_ports[kind.name]))
        return running[-1]

    yield start
    for phone in running:
        phone.stop()


@pytest.fixture
def sipp(house: House, tmp_path: Path) -> Iterator[Callable[..., Sipp]]:
    """Runs a scenario as the trunk "sipp" or "digest": `calls="alice"` calls, without it SIPp waits to be called."""
    running: list[Sipp] = []

    def run(*steps: str, calls: str = "", trunk: str = "sipp") -> Sipp:
        remote = house.gateway.sip_port if calls else None
        port = house.sipp_port if trunk == "sipp" else house.digest_port
        running.append(Sipp(tmp_path, "scenario", steps, port=port, remote=remote, user=calls or trunk))
        return running[-1]

    yield run
    for each in running:
        each.stop()
