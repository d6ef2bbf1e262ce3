"""`webtrunk play`: a sound into a call that is up."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from gateway.soundnames import SILENCE, is_country

Ask = Callable[[Path | None, str, str, dict[str, Any] | None], dict[str, Any]]
"""Configuration file, method, path, body → the running gateway's answer; ends the program in words if there is none."""


def make_play(ask: Ask, config_option: Callable[[Any], Any]) -> click.Command:
    """The command, which asks the running gateway by `ask`."""

    @click.command()
    @config_option
    @click.argument("call_id")
    @click.argument("file", required=False)
    @click.option("--to", type=click.Choice(["trunk", "browser", "both"]), default="both", show_default=True)
    @click.option("--loop", is_flag=True, help="Over and over, until stopped.")
    @click.option("--stop", is_flag=True, help="Stop what is playing.")
    def play(path: Path | None, call_id: str, file: str | None, to: str, loop: bool, stop: bool) -> None:
        """Play a sound file into a call that is up, or stop it. Meanwhile that side does not hear the other one.

        FILE is anything with sound in it (WAV, MP3, Ogg, …), or a country whose ringback tone is meant (DE).
        """
        if bool(file) == stop:
            raise click.UsageError("Give either a FILE or --stop.")
        where = f"api/calls/{urllib.parse.quote(call_id, safe='')}/play"
        if file is None:
            answer = ask(path, "DELETE", f"{where}?to={to}", None)
            click.echo("Stopped." if answer.get("stopped") else "Nothing was playing.")
            return
        answer = ask(path, "POST", where, {"file": _absolute(file), "to": to, "loop": loop})
        click.echo(
            f"Playing {file}, {answer.get('seconds', 0):.1f} s, to {'both sides' if to == 'both' else 'the ' + to}."
        )

    return play


def _absolute(file: str) -> str:
    """The gateway may have been started in another directory."""
    return file if is_country(file) or file == SILENCE else str(Path(file).absolute())
