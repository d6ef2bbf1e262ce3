"""SRTP keys of one trunk leg: what its SDP and ours say about them, and when they come into use (RFC 4568)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from call import sdes, trunk_sdp, trunk_srtp
from call.codec_policy import Preference
from call.codecs import CodecName
from call.leg import Failed
from call.sdes import Crypto, Keys, Policy
from call.trunk_sdp import TrunkMedia
from gateway.relays import Leg
from gateway.surroundings import Report


class TrunkKeys:
    """Our own key stays in use for as long as the suite does, so that a re-INVITE costs no packet."""

    def __init__(self, trunk: str, policy: Policy, *, is_over_tls: bool, media: Leg, report: Report) -> None:
        self._trunk, self._policy, self._is_over_tls = trunk, policy, is_over_tls
        self._media, self._report = media, report
        self._agreed: Keys | None = None
        """What the SDP said last."""
        self._in_use: Keys | None = None

    # -- what we say ----------------------------------------------------------------------------------

    def offer(self, text: str) -> str:
        """Our offer, with keys if this trunk gets any."""
        if self._policy == "off":
            return text
        return trunk_srtp.encrypt_offer(text, sdes.offer(self._ours, secrets.token_bytes), self._policy)

    def answer(self, text: str, media: TrunkMedia) -> str:
        """Our answer, with our key if the offer's was taken."""
        return trunk_srtp.encrypt_answer(text, media.index, self._ours) if self._ours else text

    @property
    def _ours(self) -> Crypto | None:
        return self._in_use.send if self._in_use else None

    # -- what the trunk says --------------------------------------------------------------------------

    def read_offer(self, text: str, codecs: Sequence[CodecName], prefer: Preference) -> TrunkMedia:
        """Read the trunk's offer, and choose our key for it.

        Raises:
            GatewayError: It cannot be served.
        """
        media = trunk_sdp.read_trunk_offer(text, codecs, self._policy, prefer)
        self._agreed = sdes.answer(media.crypto, self._ours, secrets.token_bytes) if media.crypto else None
        return media

    def read_answer(self, offer: str, text: str) -> TrunkMedia:
        """Read the trunk's answer to our offer.

        Raises:
            GatewayError: It cannot be served.
        """
        media = trunk_sdp.read_trunk_answer(offer, text, self._policy)
        self._agreed = sdes.agree(trunk_srtp.offered_keys(offer), [media.crypto]) if media.crypto else None
        return media

    def settle(self) -> None:
        """Use what was read last."""
        keys, before = self._agreed, self._in_use
        if keys == before:
            return
        self._in_use = keys
        if keys is None:
            self._media.clear_sdes()
            self._report.note("plain audio", "the trunk ended the encryption")
            return
        rx, tx = keys.receive, keys.send
        self._media.set_sdes(keys.suite, rx.key, tx.key, receive_mki=rx.mki or None, send_mki=tx.mki or None)
        way = "over TLS" if self._is_over_tls else "readable in the signalling, which is not TLS"
        self._report.note("encrypted audio", f"{'new keys, ' if before else ''}{keys.suite}, keys {way}")

    def tell_undecryptable(self, number: str) -> None:
        """Packets arrive that no key opens."""
        sentence = f"{number or 'The far end'} cannot be heard: its audio cannot be decrypted."
        hint = f"Packets arrive from trunk {self._trunk} that fail authentication: their key is not the one in its SDP."
        self._report.note("audio cannot be decrypted", hint)
        self._report.emit(Failed(sentence, hint))
