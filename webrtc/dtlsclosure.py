"""The end of a DTLS association without its OpenSSL object: close_notify, both ways (RFC 5246 §7.2.1).

After the handshake DTLS has only one thing left to say, that it is over. OpenSSL keeps 130 kB per association for
it, half of what a call costs; the keys of the record layer are enough (ADR 0010).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from typing import Any, Final, Literal, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION: Final = b"\xfe\xfd"  # DTLS 1.2
_CIPHER: Final = "ECDHE-ECDSA-AES128-GCM-SHA256"
_ALERT: Final = 21
_HANDSHAKE: Final = 22
_EPOCH: Final = b"\x00\x01"  # of all that is encrypted; there is no second handshake
_HEADER: Final = 13  # type, version, epoch, sequence number, length (RFC 6347 §4.1)
_EXPLICIT_NONCE: Final = 8
_CLOSE_NOTIFY: Final = 0
_FATAL: Final = 2
_OUR_SEQUENCE: Final = (1 << 40).to_bytes(6, "big")
"""Far above any that OpenSSL used for its Finished: a sequence number is part of the nonce."""


class Closure:
    """Reads and makes close_notify under the keys of one association."""

    def __init__(self, receive: tuple[bytes, bytes], send: tuple[bytes, bytes]) -> None:
        """Each direction: key (16 bytes) and implicit nonce (4 bytes; RFC 5288 §3)."""
        # The keys only: a cipher context is 5 kB, and its one use is at the end of the call.
        (self._receive_key, self._receive_salt), (self._send_key, self._send_salt) = receive, send

    @classmethod
    def of(cls, connection: Any, role: Literal["server", "client"]) -> Self | None:
        """Take the keys of a finished handshake; None unless it is DTLS 1.2 with the cipher that browsers choose."""
        if (connection.get_protocol_version_name(), connection.get_cipher_name()) != ("DTLSv1.2", _CIPHER):
            return None
        # RFC 5246 §6.3
        seed = b"key expansion" + connection.server_random() + connection.client_random()
        block = _prf_sha256(connection.master_key(), seed, 40)
        client, server = (block[:16], block[32:36]), (block[16:32], block[36:40])
        return cls(client, server) if role == "server" else cls(server, client)

    def ends(self, datagram: bytes) -> bool:
        """Whether the peer says with this datagram that the association is over. False for anything forged."""
        return any(self._is_last_word(header, fragment) for header, fragment in _records(datagram))

    def _is_last_word(self, header: bytes, fragment: bytes) -> bool:
        if header[0] != _ALERT or header[3:5] != _EPOCH or len(fragment) <= _EXPLICIT_NONCE + 16:
            return False
        explicit, sealed = fragment[:_EXPLICIT_NONCE], fragment[_EXPLICIT_NONCE:]
        associated = _associated(header, len(sealed) - 16)
        try:
            alert = AESGCM(self._receive_key).decrypt(self._receive_salt + explicit, sealed, associated)
        except InvalidTag:
            return False
        return len(alert) == 2 and (alert[0] == _FATAL or alert[1] == _CLOSE_NOTIFY)

    def close_notify(self) -> bytes:
        """The datagram by which we say that the association is over; the same each time."""
        alert = bytes((1, _CLOSE_NOTIFY))
        header = bytes((_ALERT,)) + _VERSION + _EPOCH + _OUR_SEQUENCE
        explicit = _EPOCH + _OUR_SEQUENCE
        sealed = AESGCM(self._send_key).encrypt(self._send_salt + explicit, alert, _associated(header, len(alert)))
        return header + (len(explicit) + len(sealed)).to_bytes(2, "big") + explicit + sealed


def repeats_handshake(datagram: bytes) -> bool:
    """Whether the peer still sends handshake messages: our last flight did not reach it (RFC 6347 §4.2.4)."""
    return any(header[0] == _HANDSHAKE for header, _ in _records(datagram))


def _records(datagram: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Header and fragment of each DTLS 1.2 record; what is cut off or of another version ends the datagram."""
    while len(datagram) >= _HEADER and datagram[1:3] == _VERSION:
        end = _HEADER + int.from_bytes(datagram[11:13], "big")
        if end > len(datagram):
            return
        yield datagram[:_HEADER], datagram[_HEADER:end]
        datagram = datagram[end:]


def _associated(header: bytes, length: int) -> bytes:
    """Epoch, sequence number, type, version and length of the plain text (RFC 5246 §6.2.3.3, RFC 6347 §4.1.2.1)."""
    return header[3:11] + header[:3] + length.to_bytes(2, "big")


def _prf_sha256(secret: bytes, seed: bytes, length: int) -> bytes:
    """The pseudorandom function of TLS 1.2 (RFC 5246 §5)."""
    output, link = b"", seed
    while len(output) < length:
        link = hmac.digest(secret, link, hashlib.sha256)
        output += hmac.digest(secret, link + seed, hashlib.sha256)
    return output[:length]
