"""A gateway as a real process on free loopback ports, with its configuration and records in a directory of its own."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from demo.numbers import NUMBERS
from tests.harness.patience import PATIENCE_S, eventually
from tests.harness.ports import HOST, free_block, free_port, taken
from tests.harness.program import Program, is_alive

DEMO_NUMBERS: Final = (*NUMBERS, "nobody")
"""All that the demo phone knows, and one that it does not."""
USERS: Final[Mapping[str, Any]] = {
    "alice": {"display": "Alice", "numbers": ["100"]},
    "bob": {"display": "Bob", "numbers": ["101"]},
}
LIMITS: Final[Mapping[str, Any]] = {"user_calls": 200, "user_calls_per_minute": 10_000}
TRUNK_LIMITS: Final[Mapping[str, Any]] = {"max_calls": 200, "max_calls_per_minute": 10_000}
"""Tests call more often than people do."""
STOP_S: Final = 30.0
"""Goodbyes that a peer of the test does not confirm are waited for."""
Settings = dict[str, Any]


class GatewayProcess:
    """`webtrunk run` or `webtrunk demo`, ready to be called once it is made."""

    def __init__(self, directory: Path, settings: Settings, *, demo: bool = False, module: str = "gateway") -> None:
        """`module`: what to run instead of the gateway's own command line, with the same words."""
        self.settings = settings
        self._file = directory / "webtrunk.toml"
        self._file.write_text(toml(settings))
        verb = "demo" if demo else "run"
        self.program = Program("gateway", [sys.executable, "-m", module, verb, "-c", self._file])
        try:
            self.program.wait_for(r"webtrunk is ready", 30)
        except AssertionError:
            self.program.stop()
            raise

    @property
    def page_url(self) -> str:
        return f"http://{HOST}:{self.settings['listen']['port']}/"

    @property
    def signal_url(self) -> str:
        scheme = "wss" if self.settings["listen"].get("tls_cert") else "ws"
        return f"{scheme}://{HOST}:{self.settings['listen']['port']}/signal"

    @property
    def sip_port(self) -> int:
        return int(self.settings["sip"]["udp_port"])

    def command(self, *words: str) -> str:
        """What a `webtrunk` command with this configuration prints."""
        verb, *rest = words
        program = Program(f"webtrunk {verb}", [sys.executable, "-m", "gateway", verb, "-c", self._file, *rest])
        assert program.wait() == 0, program.log
        return program.log

    def ask(self, path: str) -> Any:
        """JSON of the admin listener."""
        with urllib.request.urlopen(f"http://{HOST}:{self.settings['admin']['port']}/api/{path}", timeout=10) as answer:
            return json.load(answer)

    async def record(self, call_id: str, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """The record of a call, once the call is over on all sides."""
        record: dict[str, Any] = {}

        def is_over() -> bool:
            record.update(self.ask(f"calls/{call_id}"))
            return bool(record["cause"] != "live")

        await eventually(is_over, timeout_s)
        return record

    async def live_entry(self, call_id: str, what: str, *, times: int = 1) -> None:
        """Wait until the journal of a live call has such an entry."""
        await eventually(lambda: self._entries(call_id, what) >= times)

    def _entries(self, call_id: str, what: str) -> int:
        return [entry["what"] for entry in self.ask(f"calls/{call_id}")["journal"]].count(what)

    async def is_idle(self, timeout_s: float = 40.0) -> dict[str, Any]:
        """Wait until there is no call; the status then."""
        began = time.monotonic()
        while (status := await asyncio.to_thread(self.ask, "status"))["calls"]:
            assert time.monotonic() - began < timeout_s, status
            await asyncio.sleep(0.05)
        return dict(status)

    def stop(self) -> None:
        """SIGTERM; it must say goodbye, exit 0, and leave neither a process nor a port behind."""
        family = self.program.descendants()
        assert self.program.stop(timeout_s=STOP_S) == 0, self.program.log
        assert not [pid for pid in family if is_alive(pid)], f"left behind: {family}"
        assert not taken(self._ports()), f"ports still held: {taken(self._ports())}"
        assert "Traceback" not in self.program.log, self.program.log

    def _ports(self) -> list[int]:
        sip, media = self.settings["sip"], self.settings["media"]
        named = [self.settings["listen"]["port"], self.settings["admin"]["port"], media["browser_port"]]
        named += [sip[key] for key in ("udp_port", "tcp_port", "tls_port") if sip.get(key)]
        first, last = media["rtp_ports"]
        return [*named, *range(first, last + 1)]


def settings_for(directory: Path, **changes: Any) -> Settings:
    """A configuration on free ports in open mode with two users; `changes` replaces or adds sections."""
    rtp = free_block(200)
    base: Settings = {
        "listen": {"host": HOST, "port": free_port()},
        "admin": {"port": free_port()},
        "auth": {"mode": "open"},
        "network": [{"bind": HOST}],
        "media": {"browser_port": free_port(), "rtp_ports": [rtp[0], rtp[-1]]},
        "sip": {"udp_port": free_port()},
        "records": {"url": f"sqlite:///{directory / 'records.sqlite'}"},
        "limits": dict(LIMITS),
        "user": dict(USERS),
        "trunk": {},
    }
    for section, values in changes.items():
        is_table = isinstance(values, dict) and section not in ("auth", "user", "trunk")
        base[section] = {**base.get(section, {}), **values} if is_table else values
    return base


def demo_settings(directory: Path, **changes: Any) -> Settings:
    """A configuration whose one trunk is the demo phone."""
    return settings_for(directory, **({"trunk": {"demo": trunk_to(free_port(), DEMO_NUMBERS)}} | changes))


def trunk_to(port: int, allow: Sequence[str], **settings: Any) -> Settings:
    """A trunk on loopback."""
    return {"host": HOST, "port": port, "allow": list(allow), **TRUNK_LIMITS, **settings}


def toml(settings: Settings) -> str:
    """The settings as TOML: one key a line, tables inline."""
    return "".join(f"{key} = {_value(value)}\n" for key, value in settings.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_value(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)
