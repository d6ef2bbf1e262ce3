"""DTLS of a browser leg: who begins it, when it begins anew, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from call import sdp_attributes
from call.browser_sdp import BrowserOffer, Setup
from call.errors import GatewayError
from gateway.surroundings import Spawn
from webrtc.dtls import Certificates, DtlsEndpoint, Fingerprint, SrtpKeys


class BrowserDtls:
    """One association at a time: another one begins when an offer has other certificates (RFC 8842 §5.5)."""

    def __init__(self, certificates: Certificates, spawn: Spawn, send: Callable[[bytes], None]) -> None:
        """`send` puts a datagram on the leg's path."""
        self._certificates, self._spawn, self._send = certificates, spawn, send
        self.on_keys: Callable[[SrtpKeys], None] = lambda _: None
        self.on_failed: Callable[[GatewayError], None] = lambda _: None
        self.on_closed: Callable[[], None] = lambda: None
        """The browser ended it."""
        self._endpoint: DtlsEndpoint | None = None
        self._setup: Setup | None = None
        self._expected: tuple[sdp_attributes.Fingerprint, ...] = ()

    @property
    def fingerprint_sha256(self) -> str:
        """Of the certificate that we show; `answer` comes first."""
        assert self._endpoint is not None
        return self._endpoint.fingerprint_sha256

    def answer(self, offer: BrowserOffer) -> Setup:
        """Our role beside this offer; DTLS goes on if it can.

        Raises:
            GatewayError: The offer leaves us no role; DTLS goes on as before.
        """
        current = self._setup if self._expected == offer.fingerprints else None
        setup = offer.answer_setup(current)
        if setup != current:
            self._begin(offer, setup)
        return setup

    def _begin(self, offer: BrowserOffer, setup: Setup) -> None:
        if self._endpoint is not None:
            self._spawn(self._endpoint.close())
        self._setup, self._expected = setup, offer.fingerprints
        role: Any = "server" if setup == "passive" else "client"
        self._endpoint = DtlsEndpoint(self._certificates.current(), role, self._send)
        self._endpoint.on_closed = self._on_end
        self._spawn(self._secure(self._endpoint))

    async def _secure(self, endpoint: DtlsEndpoint) -> None:
        try:
            keys = await endpoint.handshake(tuple(Fingerprint(f.algorithm, f.value) for f in self._expected))
        except GatewayError as error:
            if endpoint is self._endpoint:
                self.on_failed(error)
            return
        if endpoint is self._endpoint:
            self.on_keys(keys)

    def _on_end(self, endpoint: DtlsEndpoint) -> None:
        if endpoint is self._endpoint:
            self.on_closed()

    def receive(self, datagram: bytes) -> None:
        """One datagram came over the path."""
        if self._endpoint is not None:
            self._endpoint.receive(datagram)

    def settle(self) -> None:
        """The browser's SRTP came: it has the keys."""
        if self._endpoint is not None:
            self._endpoint.settle()

    async def close(self) -> None:
        """Say close_notify."""
        if self._endpoint is not None:
            await self._endpoint.close()
