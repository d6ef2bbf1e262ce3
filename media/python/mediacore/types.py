"""What the media core takes and gives, as types."""

from typing import Literal

Address = tuple[str, int]
"""IP address and UDP port."""

CodecName = Literal["opus", "PCMU", "PCMA"]
SrtpProfile = Literal["AEAD_AES_128_GCM", "AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_80"]

Event = (
    tuple[int, Literal["dtls"], bytes]  # one DTLS datagram that came over the validated path
    | tuple[int, Literal["nominated"], str]  # ICE chose this path: "ip:port" of the browser
    | tuple[int, Literal["media-started"], None]  # first valid RTP packet since creation or set_remote(reopen)
    | tuple[int, Literal["media-stalled"], None]  # no RTP for `stall_ms`; media-started follows when it resumes
    | tuple[int, Literal["dtmf"], str]  # one digit, once, when its end (or a lost end) is certain
    | tuple[int, Literal["dead"], str]  # no valid STUN, SRTP or RTP for `dead_ms`; the string says which
    | tuple[int, Literal["rtcp-bye"], None]
    | tuple[int, Literal["overflow"], None]  # DTLS records were dropped: the bounded queue of this leg is full
)
"""(leg id, kind, payload). State events coalesce per leg and are never lost."""
