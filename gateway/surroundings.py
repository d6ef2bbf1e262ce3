"""What surrounds a leg of a call: what it needs of the house, and where it reports."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from call.leg import LegEvent
from gateway.relays import Relays
from gateway.sounds import Sounds
from webrtc.dtls import Certificates

Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a leg needs of the house."""

    relays: Relays
    sounds: Sounds
    certificates: Certificates
    spawn: Spawn
    grace_s: float


@dataclass(frozen=True, slots=True)
class Report:
    """Where a leg tells its call what happened."""

    emit: Callable[[LegEvent], None]
    note: Callable[[str, str], None]
    """what, why"""
