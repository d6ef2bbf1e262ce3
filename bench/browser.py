"""A browser's ICE and DTLS on an endpoint of the load generator.

The controlling side of ICE (RFC 8445) towards a peer with one candidate: checks with USE-CANDIDATE, consent every 2.5 s
as Chromium does it (RFC 7675), and answers to a peer that checks too. DTLS as client; the keys go into Rust.
"""

from __future__ import annotations

import asyncio
import functools
import secrets
from typing import Any, ClassVar, Final

from aioice import stun

from bench.descriptions import Local, Remote, browser_offer, read
from bench.generator import Address, Endpoint, Generator
from bench.subject import HOST
from webrtc.dtls import Certificate, Certificates, DtlsEndpoint, Fingerprint

CHECK_S: Final = 0.25
"""Between checks until one is answered."""
CONSENT_S: Final = 2.5
CONNECT_S: Final = 20.0
_PRIORITY: Final = 1862270975
_DTLS: Final = range(20, 64)
"""First bytes of DTLS datagrams (RFC 7983)."""


class _Selective(Certificate):
    """A certificate of a browser that knows one SRTP profile only."""

    profile: ClassVar[str]

    def _create_ssl_context(self, srtp_profiles: list[Any]) -> Any:
        return super()._create_ssl_context([p for p in srtp_profiles if p.openssl_profile.decode() == self.profile])


class _OnlyCounterMode(_Selective):
    profile = "SRTP_AES128_CM_SHA1_80"


_certificates: Final = Certificates()
_only_counter_mode: Final = functools.cache(_OnlyCounterMode.generateCertificate)


class Browser:
    """One browser's end of the media."""

    endpoint: Endpoint
    remote: Remote
    profile: str

    def __init__(self, *, knows_gcm: bool = True) -> None:
        """Without GCM, only AES_CM_128_HMAC_SHA1_80 is offered."""
        self._ufrag, self._pwd = secrets.token_hex(4), secrets.token_hex(12)
        self._tie_breaker = secrets.randbits(64)
        self._transactions: set[bytes] = set()
        self._checked = asyncio.Event()
        self._dtls = DtlsEndpoint(_certificates.current() if knows_gcm else _only_counter_mode(), "client", self._send)
        self._consent: asyncio.Task[None] | None = None

    async def offer(self, generator: Generator, codec: str) -> str:
        """Open a port and describe it."""
        self.endpoint = await generator.open(self._take)
        local = Local((HOST, self.endpoint.port), self._ufrag, self._pwd, self._dtls.fingerprint_sha256)
        return browser_offer(local, (codec,))

    async def connect(self, answer: str) -> None:
        """ICE, DTLS and keys, with the peer that the answer describes."""
        self.remote = read(answer)
        async with asyncio.timeout(CONNECT_S):
            while not self._checked.is_set():
                self._check()
                try:
                    async with asyncio.timeout(CHECK_S):
                        await self._checked.wait()
                except TimeoutError:
                    continue
            keys = await self._dtls.handshake((Fingerprint(*self.remote.fingerprint),))
        self.profile = keys.profile
        self.endpoint.secure(keys)
        self._consent = asyncio.create_task(self._keep_consent())

    async def close(self) -> None:
        """close_notify, then the port."""
        if self._consent is not None:
            self._consent.cancel()
        await self._dtls.close()
        self.endpoint.close()

    async def _keep_consent(self) -> None:
        while True:
            await asyncio.sleep(CONSENT_S)
            self._check()

    def _send(self, datagram: bytes) -> None:
        self.endpoint.send(self.remote.address, datagram)

    def _check(self) -> None:
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        request.attributes["USERNAME"] = f"{self.remote.ufrag}:{self._ufrag}"
        request.attributes["PRIORITY"] = _PRIORITY
        request.attributes["ICE-CONTROLLING"] = self._tie_breaker
        request.attributes["USE-CANDIDATE"] = None
        request.add_message_integrity(self.remote.pwd.encode())
        request.add_fingerprint()
        self._transactions.add(request.transaction_id)
        self._send(bytes(request))

    def _take(self, data: bytes, source: Address) -> None:
        if data[0] in _DTLS:
            self._dtls.receive(data)
            return
        message = stun.parse_message(data)
        if message.message_class == stun.Class.REQUEST:
            self._answer(message, source)
        elif message.message_class == stun.Class.RESPONSE and message.transaction_id in self._transactions:
            self._transactions.discard(message.transaction_id)
            self._checked.set()

    def _answer(self, request: stun.Message, source: Address) -> None:
        response = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, request.transaction_id)
        response.attributes["XOR-MAPPED-ADDRESS"] = source
        response.add_message_integrity(self._pwd.encode())
        response.add_fingerprint()
        self.endpoint.send(source, bytes(response))
