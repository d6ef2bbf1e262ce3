"""The one door to mediacore: legs are made here, and their events leave here as values."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from mediacore import DtmfForm, Leg, Relay, Sound

from gateway.config import MediaSettings, NetworkSettings

log = logging.getLogger(__name__)

__all__ = ["Leg", "MediaEvent", "Relays", "Sound"]


@dataclass(frozen=True, slots=True)
class DtlsDatagram:
    """One DTLS datagram from the validated path."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Nominated:
    """ICE chose a path to the browser; "ip:port"."""

    path: str


@dataclass(frozen=True, slots=True)
class Detour:
    """RTP goes to this learned "ip:port" and not where the trunk's SDP says; None: as announced again."""

    source: str | None


@dataclass(frozen=True, slots=True)
class MediaStarted:
    """The first RTP of this peer, or the first after a stall."""


@dataclass(frozen=True, slots=True)
class MediaStalled:
    """No RTP for some seconds."""


@dataclass(frozen=True, slots=True)
class Soundless:
    """Packets come, and all since the beginning are silence; or no longer."""

    is_soundless: bool


@dataclass(frozen=True, slots=True)
class Hushed:
    """There was sound, but for long now only digital silence."""


@dataclass(frozen=True, slots=True)
class Undecryptable:
    """Packets arrive and none can be authenticated: the peer encrypts with another key."""


@dataclass(frozen=True, slots=True)
class DigitHeard:
    """The peer pressed a key; it was passed on already if the other leg takes digits in its media."""

    digit: str
    duration_ms: int
    form: DtmfForm


@dataclass(frozen=True, slots=True)
class BrowserSilent:
    """A browser that was here sends neither consent checks nor media (RFC 7675)."""

    why: str


@dataclass(frozen=True, slots=True)
class BrowserReturned:
    """A silent browser shows life again."""


@dataclass(frozen=True, slots=True)
class PeerSilent:
    """A trunk sent nothing for long, or a browser never came."""

    why: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A bug in the media core ended this leg: nothing is heard on it any more."""


@dataclass(frozen=True, slots=True)
class Played:
    """A sound on this leg has ended by itself; the number is what `play` gave."""

    number: int


@dataclass(frozen=True, slots=True)
class Unplayable:
    """A sound on this leg never began: we cannot encode the codec that its peer speaks."""

    number: int


@dataclass(frozen=True, slots=True)
class RtcpBye:
    """The peer said goodbye on RTCP."""


@dataclass(frozen=True, slots=True)
class DtlsOverflow:
    """DTLS datagrams were dropped because too many waited."""


Presence = MediaStarted | MediaStalled | BrowserSilent | BrowserReturned | PeerSilent | RtcpBye
MediaEvent = (
    DtlsDatagram
    | DtlsOverflow
    | Soundless
    | Hushed
    | Undecryptable
    | Nominated
    | Detour
    | DigitHeard
    | Played
    | Unplayable
    | Broken
    | Presence
)
Handler = Callable[[MediaEvent], None]

_WITH_PAYLOAD: Final[dict[str, Callable[..., MediaEvent]]] = {
    "dtls": DtlsDatagram,
    "nominated": Nominated,
    "detour": Detour,
    "played": Played,
    "unplayable": Unplayable,
    "dtmf": lambda payload: DigitHeard(*payload),
    "silent": BrowserSilent,
    "dead": PeerSilent,
}
_WITHOUT: Final[dict[str, Callable[[], MediaEvent]]] = {
    "media-started": MediaStarted,
    "media-stalled": MediaStalled,
    "undecryptable": Undecryptable,
    "soundless": lambda: Soundless(True),
    "hushed": Hushed,
    "audible": lambda: Soundless(False),
    "returned": BrowserReturned,
    "broken": Broken,
    "rtcp-bye": RtcpBye,
    "overflow": DtlsOverflow,
}


class Relays:
    """The media engine of this process, and who listens to which leg."""

    def __init__(self, media: MediaSettings, networks: Sequence[NetworkSettings]) -> None:
        """Open the browsers' port and start the threads.

        Raises:
            OSError: A port is taken or an address is not ours.
        """
        self._networks = networks
        self._handlers: dict[int, Handler] = {}
        self._relay = Relay(
            threads=media.threads or os.cpu_count() or 1,
            networks=[network.bind for network in networks],
            browser_port=media.browser_port,
            rtp_ports=media.rtp_ports,
        )
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._relay.fileno(), self._dispatch)

    @property
    def browser_candidates(self) -> tuple[tuple[str, int], ...]:
        """Addresses of the shared port, as browsers must use them."""
        return tuple((network.public, self._relay.browser_port) for network in self._networks)

    @property
    def trunk_address(self) -> str:
        """The address for the SDP that trunks get."""
        return self._networks[0].public

    def browser_leg(self, ufrag: str, pwd: str, handler: Handler) -> Leg:
        """A leg on the shared port."""
        return self._listen(self._relay.browser_leg(ufrag, pwd), handler)

    def rtp_leg(self, handler: Handler) -> Leg:
        """A leg with its own RTP and RTCP ports.

        Raises:
            OSError: No pair of ports is free.
        """
        return self._listen(self._relay.rtp_leg(0), handler)

    def couple(self, one: Leg, other: Leg) -> None:
        """Let each hear the other."""
        self._relay.route(one, other)
        self._relay.route(other, one)

    def play(self, sound: Sound, leg: Leg, *, repeats: bool = False) -> int:
        """Let the peer of a leg hear a sound in the place of the other leg; the number that `Played` tells."""
        return self._relay.play(sound, leg, repeats=repeats)

    def stop(self, leg: Leg) -> None:
        """Let the peer of a leg hear the other leg again."""
        self._relay.stop(leg)

    def release(self, leg: Leg) -> None:
        """Close a leg; its handler hears nothing more."""
        self._handlers.pop(leg.id, None)
        leg.close()

    @property
    def clock_ms(self) -> int:
        """The media core's time: the timeline of all taps."""
        return self._relay.clock_ms()

    def stats(self) -> dict[str, int]:
        """Counters of the whole engine."""
        return self._relay.stats()

    def close(self) -> None:
        """Stop the engine."""
        self._loop.remove_reader(self._relay.fileno())
        self._relay.close()

    def _listen(self, leg: Leg, handler: Handler) -> Leg:
        self._handlers[leg.id] = handler
        return leg

    def _dispatch(self) -> None:
        for leg_id, kind, payload in self._relay.events():
            handler = self._handlers.get(leg_id)
            if handler is None:
                continue  # it was released while the event was on its way
            event = _WITHOUT[kind]() if kind in _WITHOUT else _WITH_PAYLOAD[kind](payload)
            if isinstance(event, Broken):
                log.error("the media core failed on leg %d and ended it: the panic on stderr says where", leg_id)
            try:
                handler(event)
            except Exception:
                log.exception("media event %s of leg %d failed", kind, leg_id)
