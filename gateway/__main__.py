"""The command line: `webtrunk run`, `demo`, `check`, `token`, `calls`, `call`, `play`."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import logging
import sys
import urllib.parse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from call.errors import GatewayError, PeerError, TransportError
from gateway import callview, configfile, localhttp
from gateway.auth import MAX_CALL_S, make_token
from gateway.checkcommand import make_check
from gateway.config import Config
from gateway.playcommand import make_play

if TYPE_CHECKING:
    from gateway.records import Archive
    from gateway.sounds import Sounds

DEMO_CONFIG: Final = Path(__file__).parent.parent / "config" / "demo.toml"
HERE: Final = Path("webtrunk.toml")
DEMO_TRUNK: Final = "demo"
ASK_S: Final = 10.0
TELL_S: Final = 90.0
"""A long file takes its time to decode (gateway.soundfiles)."""
MAX_TEXT: Final = 64

_config_option = click.option(
    "--config",
    "-c",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="WEBTRUNK_CONFIG",
    help="Configuration file (TOML). Default: webtrunk.toml here if there is one, else the demo's.",
)


def _seconds(_: click.Context, __: click.Parameter, value: float | None) -> float | None:
    if value is not None and not 1 <= value <= MAX_CALL_S:  # and so not a number is refused, too
        raise click.BadParameter(f"expected seconds from 1 to {MAX_CALL_S:.0f}, not {value}")
    return value


def _short(_: click.Context, parameter: click.Parameter, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
    """Texts that the gateway takes from a token (gateway.auth)."""
    for text in (value,) if isinstance(value, str) else value:
        if len(text) > MAX_TEXT or not text.isprintable() or (parameter.required and not text.strip()):
            raise click.BadParameter(f"expected up to {MAX_TEXT} printable characters, not {text!r}")
    return value


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option("0.1.0", prog_name="webtrunk")
def main() -> None:
    """webtrunk connects web browsers with telephones: a SIP-to-WebRTC gateway."""


@main.command()
@_config_option
@click.option("--verbose", "-v", is_flag=True, help="Log more.")
def run(path: Path | None, verbose: bool) -> None:
    """Run the gateway."""
    settings, sounds = _load_to_start(path)
    click.echo(_which(path))
    _run(settings, sounds, verbose=verbose)


@main.command()
@click.option("--config", "-c", "path", type=click.Path(path_type=Path, dir_okay=False), default=DEMO_CONFIG)
@click.option("--verbose", "-v", is_flag=True, help="Log more.")
def demo(path: Path, verbose: bool) -> None:
    """Run the gateway with the demo phone: a real SIP phone on this machine to call."""
    settings, sounds = _load_to_start(path)
    click.echo(f"Configuration: {path}")
    _run(settings, sounds, verbose=verbose, demo=True)


@main.command()
@_config_option
@click.option("--user", required=True, callback=_short, help="Who logs in with it.")
@click.option("--ttl", default=300.0, callback=_seconds, show_default=True, help="Seconds until it expires.")
@click.option(
    "--allow", multiple=True, callback=_short, help="A prefix or name that may be called; repeatable. Default: all."
)
@click.option("--caller-id", default="", callback=_short, help="Number to show to the called.")
@click.option("--max-call", type=float, default=None, callback=_seconds, help="Longest call in seconds.")
def token(
    path: Path | None, user: str, ttl: float, allow: tuple[str, ...], caller_id: str, max_call: float | None
) -> None:
    """Make a login token (JWT) with the key of the configuration."""
    auth = _load(path).auth
    if auth.mode != "jwt":
        _fail("This configuration has auth.mode = “open”, which needs no tokens.")
    signed = make_token(auth.secret, user, ttl_s=ttl, allow=allow or None, caller_id=caller_id, max_call_s=max_call)
    click.echo(signed)


@main.command()
@_config_option
@click.option("--limit", "-n", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def calls(path: Path | None, limit: int, as_json: bool) -> None:
    """List live and past calls, the newest first."""
    settings = _load(path)
    answer = _ask(settings, f"api/calls?limit={limit}", "calls") or _kept(settings, limit)
    click.echo(json.dumps(answer, indent=2) if as_json else callview.table(answer["calls"]))


@main.command()
@_config_option
@click.argument("call_id")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def call(path: Path | None, call_id: str, as_json: bool) -> None:
    """Show one call: how it went, its quality, its journal. The beginning of an id is enough."""
    _check_id(call_id)
    settings = _load(path)
    answer = _ask(settings, f"api/calls/{urllib.parse.quote(call_id)}", "journal") or _kept_one(settings, call_id)
    click.echo(json.dumps(answer, indent=2) if as_json else callview.page(answer))


@main.command()
@_config_option
@click.argument("call_id")
@click.argument("wish", type=click.Choice(["start", "pause", "resume", "stop"]))
def record(path: Path | None, call_id: str, wish: str) -> None:
    """Record a live call: start, pause, resume or stop."""
    _check_id(call_id)
    asked = f"api/calls/{urllib.parse.quote(call_id)}/recording"
    answer = _tell(path, "POST", asked, {"do": wish})
    click.echo(callview.recording(answer["recording"]))


def _check_id(call_id: str) -> None:
    if not (call_id.isascii() and call_id.isalnum()):
        _fail("A call's id is made of letters and digits; `webtrunk calls` lists them.")


def _chosen(path: Path | None) -> Path:
    return path or (HERE if HERE.exists() else DEMO_CONFIG)


def _which(path: Path | None) -> str:
    """Which file is used, and why if nobody named it."""
    chosen = _chosen(path)
    if path is None and chosen == DEMO_CONFIG:
        return (
            f"There is no {HERE} in this directory, so this is the demo's configuration: {chosen}\n"
            "The demo phone comes with `webtrunk demo` only."
        )
    return f"Configuration: {chosen}"


def _load(path: Path | None, rehearse: configfile.Rehearsal | None = None) -> Config:
    try:
        return configfile.load(_chosen(path), rehearse)
    except GatewayError as error:
        _fail(str(error))


def _load_to_start(path: Path | None) -> tuple[Config, Sounds]:
    """Load what a start would read, too: it is refused whole, with every mistake, before anything starts."""
    from gateway.rehearsal import rehearse
    from gateway.sounds import Sounds

    sounds = Sounds()
    return _load(path, partial(rehearse, sounds=sounds)), sounds


def _run(settings: Config, sounds: Sounds, *, verbose: bool, demo: bool = False) -> None:
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
    )
    for noisy in ("aiortc", "asyncio", "uvicorn", "websockets"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # Heavy imports (aiortc, pydantic models of the worker) only where a gateway really starts.
    from gateway.app import Addresses, Gateway

    def ready(addresses: Addresses) -> None:
        click.echo(callview.greeting(addresses, settings, demo=demo))
        sys.stdout.flush()

    async def body() -> None:
        await Gateway(settings, sounds, demo_trunk=DEMO_TRUNK if demo else "").run(ready)

    if demo and DEMO_TRUNK not in settings.trunk:
        _fail("The demo phone needs a [trunk.demo] table; see config/demo.toml.")
    _until_done(body)


def _until_done(body: Callable[[], Any]) -> None:
    try:
        asyncio.run(body())
    except GatewayError as error:
        _fail(str(error), error.hint)
    except ExceptionGroup as group:
        known = [error for error in group.exceptions if isinstance(error, GatewayError)]
        if not known:
            raise
        _fail(str(known[0]), known[0].hint)


def _tell(path: Path | None, method: str, where: str, body: dict[str, Any] | None) -> dict[str, Any]:
    """Ask the running gateway to do something; its answer."""
    admin = _admin(_load(path))
    try:
        status, answer = localhttp.ask(f"http://{admin}/{where}", TELL_S, method, body)
    except PeerError:
        status, answer = 0, {}
    except TransportError:
        _fail("The gateway is not running.", f"Nothing of ours answers at {admin} (`admin.port`).")
    if status != 200:
        _fail(callview.harmless(str(answer.get("detail", f"{_stranger_at(admin)}."))))
    return answer


main.add_command(make_play(_tell, _config_option))
main.add_command(make_check(lambda path: _load_to_start(path)[0], _which, _config_option))


def _admin(settings: Config) -> str:
    host = f"[{settings.admin.host}]" if ":" in settings.admin.host else settings.admin.host
    return f"{host}:{settings.admin.port}"


def _ask(settings: Config, path: str, key: str) -> dict[str, Any] | None:
    """The running gateway's answer, which has `key`; None if there is no such gateway."""
    where = _admin(settings)
    try:
        status, answer = localhttp.ask(f"http://{where}/{path}", ASK_S)
    except PeerError:
        status, answer = 0, {}
    except TransportError:
        click.echo("The gateway is not running; these are the calls that it kept.", err=True)
        return None
    if status == 200 and key in answer:
        return answer
    if "title" in answer and "detail" in answer:  # RFC 9457
        _fail(callview.harmless(str(answer["detail"])))
    click.echo(f"{_stranger_at(where)}; these are the calls that it kept.", err=True)
    return None


def _stranger_at(where: str) -> str:
    return f"What answers at {where} (`admin.port`) is not this gateway"


def _kept(settings: Config, limit: int) -> dict[str, Any]:
    with _archive(settings) as archive:
        return {"calls": [dataclasses.asdict(record) for record in archive.recent(limit)]}


def _kept_one(settings: Config, call_id: str) -> dict[str, Any]:
    with _archive(settings) as archive:
        record = archive.find(call_id)
    if record is None:
        _fail("There is no such call, or its beginning fits several.")
    return dataclasses.asdict(record)


@contextlib.contextmanager
def _archive(settings: Config) -> Iterator[Archive]:
    from gateway.records import Archive
    from gateway.recordsfile import locate

    try:
        with contextlib.closing(Archive(locate(settings.records))) as archive:
            yield archive
    except TransportError as error:
        _fail(str(error), error.hint)


def _fail(sentence: str, hint: str = "") -> NoReturn:
    click.echo(sentence, err=True)
    if hint:
        click.echo(hint, err=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
