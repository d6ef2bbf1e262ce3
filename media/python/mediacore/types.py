"""What the media core takes and gives, as types."""

from typing import Literal

Address = tuple[str, int]
"""IP address and UDP port."""

CodecName = str
"""opus, G722, PCMU, PCMA, G729, or with its clock one that is only passed on, as in a=rtpmap: iLBC/8000."""
SrtpProfile = Literal["AEAD_AES_128_GCM", "AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"]
DtmfForm = Literal["rfc4733", "info", "inband"]

Event = (
    tuple[int, Literal["dtls"], bytes]  # one DTLS datagram that came over the validated path
    | tuple[int, Literal["nominated"], str]  # ICE chose this path: "ip:port" of the browser
    | tuple[int, Literal["detour"], str | None]  # RTP goes to this learned "ip:port"; None: as announced again
    | tuple[int, Literal["media-started"], None]  # first valid RTP packet since creation or set_remote(reopen)
    | tuple[int, Literal["media-stalled"], None]  # no RTP for `stall_ms`; media-started follows when it resumes
    | tuple[
        int, Literal["soundless"], None
    ]  # packets came for 5 s, and all since the beginning or the answer are silent
    | tuple[int, Literal["hushed"], None]  # there was sound, but digital silence for 20 s now
    | tuple[int, Literal["audible"], None]  # no longer either
    | tuple[int, Literal["undecryptable"], None]  # 25 RTP packets in a row failed SRTP authentication
    | tuple[int, Literal["dtmf"], tuple[str, int, DtmfForm]]  # digit, ms, how it came; once, when its end is certain
    | tuple[int, Literal["silent"], str]  # a browser that was here: no valid STUN or SRTP for `silent_ms`
    | tuple[int, Literal["returned"], None]  # a silent browser shows life again
    | tuple[int, Literal["dead"], str]  # a trunk: no valid RTP for `dead_ms`; a browser: it never came
    | tuple[int, Literal["broken"], None]  # a bug of ours ended this leg; nothing comes after it
    | tuple[int, Literal["played"], int]  # what `Relay.play` began under this number has ended by itself
    | tuple[int, Literal["unplayable"], int]  # it never began: no encoder for the codec of this leg
    | tuple[int, Literal["rtcp-bye"], None]
    | tuple[int, Literal["overflow"], None]  # DTLS records were dropped: the bounded queue of this leg is full
)
"""(leg id, kind, payload). State events coalesce per leg and are never lost."""
