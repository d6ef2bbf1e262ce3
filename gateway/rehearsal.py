"""A start rehearsed: what it would load and write is tried, all of it, so that every mistake is told at once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from call.errors import GatewayError
from gateway.addresses import check_ours, is_address
from gateway.config import Config, RecordSettings
from gateway.configfields import AUTO
from gateway.configrules import Found
from gateway.listeners import check_authorities, check_certificate
from gateway.recorder import check_folder
from gateway.recordsfile import check_file, locate
from gateway.soundnames import SILENCE
from gateway.sounds import Sounds
from gateway.tee import destination
from gateway.tomllines import Location

Attempt = Callable[[], object]


def rehearse(config: Config, sounds: Sounds) -> list[Found]:
    """What a start would stumble over, each with the place of its setting. Blocking.

    Nothing of it stays but in `sounds`, which have what they need from then on: a long file takes seconds to decode.
    """
    return [(where, words) for where, attempt in _attempts(config, sounds) if (words := _failure(attempt))]


def _attempts(config: Config, sounds: Sounds) -> Iterator[tuple[Location, Attempt]]:
    for at, network in enumerate(config.network):
        if network.bind != AUTO:
            yield ("network", at, "bind"), partial(check_ours, network.bind)
    if is_address(config.listen.host):
        yield ("listen", "host"), partial(check_ours, config.listen.host)
    for section, pair in (("listen", config.listen), ("sip", config.sip)):
        yield (section, "tls_cert"), partial(check_certificate, pair.tls_cert, pair.tls_key, section)
    yield ("sip", "tls_ca"), partial(check_authorities, config.sip.tls_ca, "sip.tls_ca")
    for where, source in _sounds(config):
        if source not in ("", SILENCE):
            yield where, partial(sounds.prepare, source)
    if config.recording.folder:
        yield ("recording", "folder"), partial(_try_folder, config.recording.folder)
    yield ("records", "url"), partial(_try_records, config.records)
    if config.tee.url:
        yield ("tee", "tls_ca"), partial(destination, config.tee)


def _sounds(config: Config) -> Iterator[tuple[Location, str]]:
    yield ("media", "music"), config.media.music
    for name, trunk in config.trunk.items():
        yield ("trunk", name, "ringback"), trunk.ringback
    tone = config.recording.consent_tone
    yield ("recording", "consent_tone"), tone if isinstance(tone, str) else ""


def _failure(attempt: Attempt) -> str:
    try:
        attempt()
    except GatewayError as error:
        return f"{error} {error.hint}".rstrip()
    return ""


def _try_folder(folder: str) -> None:
    with _taking_back(Path(folder)):
        check_folder(folder)


def _try_records(settings: RecordSettings) -> None:
    if settings.url:
        from gateway.records import check  # SQLAlchemy, which the settings have loaded for this URL

        check(settings.url)
        return
    with _taking_back(settings.default_file.parent):
        locate(settings)
        check_file(str(settings.default_file))


@contextlib.contextmanager
def _taking_back(folder: Path) -> Iterator[None]:
    """Who checks need not be who runs the gateway, and would own the folder: if it is made here it goes again."""
    made = [path for path in (folder, *folder.parents) if not os.path.lexists(path)]
    try:
        yield
    finally:
        for path in made:
            with contextlib.suppress(OSError, ValueError):
                path.rmdir()
