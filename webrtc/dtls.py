"""DTLS towards one browser: aiortc's transport over a path that somebody else validated (RFC 5764, 8842).

The path belongs to the media core; here datagrams come in by `receive` and leave by the callable that
was given. After the handshake the SRTP keys are exported and Python never touches SRTP again.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

from aiortc import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters
from aiortc.rtcdtlstransport import (
    SRTP_AEAD_AES_128_GCM,
    SRTP_AEAD_AES_256_GCM,
    SRTP_AES128_CM_SHA1_80,
    X509_DIGEST_ALGORITHMS,
    RTCDtlsTransport,
    certificate_digest,
)

from call.errors import PeerError, TransportError
from webrtc.dtlsclosure import Closure, repeats_handshake

SrtpProfile = Literal["AEAD_AES_128_GCM", "AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_80"]
Role = Literal["server", "client"]

HANDSHAKE_TIMEOUT_S: Final = 30.0
"""From the first datagram on, since a browser may take long to ask its user for the microphone."""
ROTATE_AFTER: Final = datetime.timedelta(days=7)
QUEUE_DATAGRAMS: Final = 64

_HASHES: Final = tuple(X509_DIGEST_ALGORITHMS)
"""Weakest first."""
# As DTLS server we choose: the cheapest profile first (design D3).
_PROFILES: Final = (SRTP_AEAD_AES_128_GCM, SRTP_AEAD_AES_256_GCM, SRTP_AES128_CM_SHA1_80)
_NAMES: Final[dict[bytes, SrtpProfile]] = {
    b"SRTP_AEAD_AES_128_GCM": "AEAD_AES_128_GCM",
    b"SRTP_AEAD_AES_256_GCM": "AEAD_AES_256_GCM",
    b"SRTP_AES128_CM_SHA1_80": "AES_CM_128_HMAC_SHA1_80",
}


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """What the handshake agreed on; each key is master key || master salt."""

    profile: SrtpProfile
    receive: bytes = field(repr=False)
    send: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Hash of a peer's certificate as its SDP gave it (RFC 8122 §5)."""

    algorithm: str
    value: str


class Certificate(RTCCertificate):
    """A certificate whose TLS context is made once: to make it costs as much as half a handshake."""

    _context: Any = None

    def _create_ssl_context(self, srtp_profiles: list[Any]) -> Any:
        if self._context is None:
            self._context = super()._create_ssl_context(srtp_profiles)
        return self._context


class _Handshake(RTCDtlsTransport):
    """aiortc's DTLS without its SRTP: the media core has its own."""

    def _setup_srtp(self) -> None:
        """The keys are exported instead."""

    def _validate_peer_identity(self, remoteParameters: RTCDtlsParameters) -> None:  # noqa: N803 - aiortc's
        """The certificate must match one fingerprint of the strongest hash that was announced (RFC 8122 §5).

        A peer may announce several certificates; aiortc would want the one it shows to match them all.
        """
        certificate = cast(Any, self._ssl).get_peer_certificate(as_cryptography=True)
        known = [p for p in remoteParameters.fingerprints if p.algorithm.lower() in _HASHES]
        strongest = max((p.algorithm.lower() for p in known), key=_HASHES.index, default="")
        announced = [p for p in known if p.algorithm.lower() == strongest]
        shown = certificate_digest(certificate, strongest) if strongest else ""
        matching = [p for p in announced if p.value.upper() == shown]
        super()._validate_peer_identity(RTCDtlsParameters(fingerprints=matching[:1] or announced))


class Certificates:
    """The certificate that all calls share; a new one is made before the old one expires."""

    def __init__(self) -> None:
        self._current: Certificate | None = None
        self._made = datetime.datetime.min.replace(tzinfo=datetime.UTC)

    def current(self) -> Certificate:
        """The certificate for a new call (ECDSA P-256, valid 30 days)."""
        now = datetime.datetime.now(tz=datetime.UTC)
        if self._current is None or now - self._made > ROTATE_AFTER:
            self._current, self._made = Certificate.generateCertificate(), now
        return self._current


class _Path:
    """What RTCDtlsTransport asks of its ICE transport."""

    role: Final = "controlled"

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send_datagram = send
        self.waiting: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.first = asyncio.Event()
        self._closed = False

    def receive(self, datagram: bytes) -> None:
        """A datagram came; dropped when the queue is full (DTLS repeats itself)."""
        self.first.set()
        if self.waiting.qsize() < QUEUE_DATAGRAMS:
            self.waiting.put_nowait(datagram)

    def close(self) -> None:
        """Nothing more will come."""
        self.waiting.put_nowait(None)
        self.first.set()

    async def _recv(self) -> bytes:
        datagram = None if self._closed else await self.waiting.get()
        if datagram is None:
            self._closed = True
            raise ConnectionError("the DTLS path is closed")
        return datagram

    async def _send(self, data: bytes) -> None:
        self._send_datagram(data)


class DtlsEndpoint:
    """One DTLS association with one browser."""

    def __init__(self, certificate: RTCCertificate, role: Role, send: Callable[[bytes], None]) -> None:
        self._send, self._last_flight = send, b""
        self.on_closed: Callable[[DtlsEndpoint], None] = lambda _: None
        """Called once when the peer has closed the association (close_notify), or `close` was called."""
        self._path: _Path | None = _Path(self._send_flight)
        self._transport: RTCDtlsTransport | None = _Handshake(cast(Any, self._path), [certificate])
        self._transport._srtp_profiles = list(_PROFILES)
        self._transport._set_role(role)
        self._role: Role = role
        self._closure: Closure | None = None
        self._is_over = False
        prints = self._transport.getLocalParameters().fingerprints
        self.fingerprint_sha256 = next(p.value for p in prints if p.algorithm == "sha-256")

    def receive(self, datagram: bytes) -> None:
        """Hand over one datagram from the path."""
        if not datagram or not 20 <= datagram[0] <= 63:
            return  # not DTLS (RFC 7983 §7); aiortc would stumble over an empty one
        if self._closure is not None:
            self._receive_late(self._closure, datagram)
        elif self._path is not None:
            self._path.receive(datagram)

    async def handshake(self, expected: tuple[Fingerprint, ...]) -> SrtpKeys:
        """Wait for the peer, authenticate it by its fingerprint and export the SRTP keys.

        Raises:
            PeerError: Wrong certificate, or no SRTP profile in common.
            TransportError: No end within `HANDSHAKE_TIMEOUT_S` of the first datagram.
        """
        parameters = RTCDtlsParameters(fingerprints=[RTCDtlsFingerprint(p.algorithm, p.value) for p in expected])
        if self._role == "server" and self._path is not None:
            await self._path.first.wait()
        if self._transport is None or self._is_over:
            raise TransportError("The call ended before DTLS began.")
        transport = self._transport
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
                await transport.start(parameters)
        except TimeoutError:
            message = f"The browser did not finish the DTLS handshake within {HANDSHAKE_TIMEOUT_S:.0f} s."
            raise TransportError(message, hint="A firewall may drop large UDP packets.") from None
        if transport.state != "connected":
            raise PeerError(
                "The DTLS handshake with the browser failed.",
                hint="Its certificate did not match the fingerprint in its SDP, or no SRTP profile is in common.",
            )
        assert transport._task is not None
        transport._task.add_done_callback(self._on_transport_end)
        return self._export_keys(cast(Any, transport._ssl))

    def _export_keys(self, ssl: Any) -> SrtpKeys:
        selected: bytes = ssl.get_selected_srtp_profile()
        profile = next((p for p in _PROFILES if p.openssl_profile == selected), None)
        if profile is None:
            raise PeerError("The browser and the gateway have no SRTP profile in common.")
        material = ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (profile.key_length + profile.salt_length))
        client, server = profile.get_key_and_salt(material, 0), profile.get_key_and_salt(material, 1)
        receive, send = (client, server) if self._role == "server" else (server, client)
        return SrtpKeys(_NAMES[selected], receive, send)

    def settle(self) -> None:
        """The peer has the keys too, its SRTP shows it: keep only what the end of the association takes.

        Saves 140 kB. Harmless when repeated, and before the end of the handshake.
        """
        if self._transport is None or self._transport.state != "connected" or self._is_over:
            return
        self._closure = Closure.of(self._transport._ssl, self._role)
        if self._closure is not None:
            transport, self._transport, self._path = self._transport, None, None
            # Without the task the transport is part of no cycle: its memory is free at once, not when Python collects.
            task, transport._task = transport._task, None
            assert task is not None
            task.cancel()

    def _receive_late(self, closure: Closure, datagram: bytes) -> None:
        if closure.ends(datagram):
            self._end()
        elif self._role == "server" and repeats_handshake(datagram):
            self._send(self._last_flight)

    def _send_flight(self, datagram: bytes) -> None:
        self._last_flight = datagram
        self._send(datagram)

    def _on_transport_end(self, _: asyncio.Future[None]) -> None:
        if self._closure is None:
            self._end()

    def _end(self) -> None:
        if not self._is_over:
            self._is_over = True
            self.on_closed(self)

    async def close(self) -> None:
        """Send close_notify and stop. Harmless when repeated."""
        if self._closure is not None and not self._is_over:
            self._send(self._closure.close_notify())
        self._end()
        if self._transport is not None:
            await self._transport.stop()
        if self._path is not None:
            self._path.close()
