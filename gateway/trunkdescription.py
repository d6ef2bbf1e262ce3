"""What we say in SDP on a trunk's leg: offers, answers, and their version (RFC 3264 §5, §6, §8)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from call import interworking, trunk_sdp
from call.codecs import CodecName, Format, is_foreign
from call.sdp_attributes import Direction
from call.trunk_sdp import TrunkMedia
from gateway.config import TrunkSettings
from gateway.trunkkeys import TrunkKeys


class TrunkDescription:
    """Our side of one leg's session."""

    def __init__(self, settings: TrunkSettings, keys: TrunkKeys, *, address: str, rtp_port: int) -> None:
        """`address` is where the trunk reaches us, `rtp_port` where it sends RTP; RTCP goes to the port above."""
        self._settings, self._keys = settings, keys
        self._address, self._rtp_port = address, rtp_port
        self._session_id, self._version = secrets.randbits(62), 1
        self._fmtps: dict[CodecName, str] = {}
        self.codecs: tuple[CodecName, ...] = tuple(sorted(settings.spoken_codecs, key=is_foreign))
        """What an offer of ours has, in order; what can only be passed on comes last while no browser speaks it."""
        self.text = ""
        """What we said last."""

    def follow(self, browser: Format, offered: Iterable[Format] = ()) -> None:
        """Offer from now on what fits the codec that the browser was given, or another of those that it offered."""
        self._fmtps |= {one.codec: one.fmtp for one in (browser, *offered)}
        self.codecs = interworking.offer_to_trunk(
            browser.codec, tuple(self._fmtps), self._settings.spoken_codecs, self._settings.prefer
        )

    def renew(self) -> None:
        """What is said next is another version of the session."""
        self._version += 1

    def offer(self) -> None:
        """Say what we can."""
        offer = trunk_sdp.trunk_offer(
            address=self._address,
            rtp_port=self._rtp_port,
            rtcp_port=self._rtp_port + 1,
            codecs=self.codecs,
            fmtps=self._fmtps,
            session_id=self._session_id,
            version=self._version,
        )
        self.text = self._keys.offer(offer)

    def answer(self, offer: str, remote: TrunkMedia) -> None:
        """Say what we take of the trunk's offer, once its keys are in use."""
        answer = trunk_sdp.trunk_answer(
            offer,
            remote,
            address=self._address,
            rtp_port=self._rtp_port,
            rtcp_port=self._rtp_port + 1,
            session_id=self._session_id,
            version=self._version,
            direction=Direction.SENDRECV,
        )
        self.text = self._keys.answer(answer, remote)

    def read_offer(self, sdp: str) -> TrunkMedia:
        """The trunk's offer.

        Raises:
            GatewayError: It cannot be served.
        """
        return self._keys.read_offer(sdp, self.codecs, self._settings.prefer)

    def read_answer(self, sdp: str) -> TrunkMedia:
        """The trunk's answer to what we said last.

        Raises:
            GatewayError: It cannot be served.
        """
        return self._keys.read_answer(self.text, sdp)
