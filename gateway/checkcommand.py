"""`webtrunk check`: what a configuration file sets up, and what to think about."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from gateway.config import Config

Load = Callable[[Path | None], Config]
"""The configuration, good for a start; ends the program in words if it is not."""


def make_check(load: Load, which: Callable[[Path | None], str], config_option: Callable[[Any], Any]) -> click.Command:
    """The command; `which` says what file was read."""

    @click.command()
    @config_option
    def check(path: Path | None) -> None:
        """Check a configuration file and say what it sets up."""
        settings = load(path)
        # The listeners, which take long to load and which no other command needs.
        from gateway.portsinuse import ports_in_use

        click.echo(which(path))
        for line in (*_set_up(settings), *settings.remarks, *_scarce_room(settings), *ports_in_use(settings)):
            click.echo(line)
        click.echo("The configuration is good.")

    return check


def _set_up(settings: Config) -> Iterator[str]:
    for name, trunk in settings.trunk.items():
        yield f"trunk {name}: {trunk.transport} {trunk.host}:{trunk.sip_port}, allows {', '.join(trunk.allow)}"
    yield f"users: {', '.join(settings.user) or 'none'}; login: {settings.auth.mode}"
    if settings.records_calls:
        yield f"recordings: {_recorded(settings)}, {settings.recording.format}, in {_folder(settings)}"
    if settings.tee.url:
        yield f"tee: {settings.tee.legs} legs, to {settings.tee.shown_url}"


def _recorded(settings: Config) -> str:
    """Which calls are recorded: the rule, and those who have one of their own."""
    own = [
        *((f"user {name}", user.recording) for name, user in settings.user.items()),
        *((f"trunk {name}", trunk.recording) for name, trunk in settings.trunk.items()),
    ]
    exceptions = ", ".join(f"{who}: {mode}" for who, mode in own if mode)
    return f"{settings.recording.mode} (but {exceptions})" if exceptions else settings.recording.mode


def _folder(settings: Config) -> Path:
    """Where recordings go; a relative one begins where the gateway is started."""
    return Path(settings.recording.folder).absolute()


def _scarce_room(settings: Config) -> Iterator[str]:
    """What `min_free_mb` leaves of the disk on which recordings are, if that is nothing."""
    if not settings.records_calls:
        return
    folder = _folder(settings)
    try:
        disk = shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists()))
    except OSError:  # the rehearsal has said what is wrong with the folder
        return
    for what, size in (("its disk has", disk.total), ("are free on its disk", disk.free)):
        if size < settings.recording.min_free_bytes:
            least = f"recording.min_free_mb ({settings.recording.min_free_mb})"
            yield f"{least} is more than {what}, {size // 2**20} MB: nothing will be recorded."
            return
