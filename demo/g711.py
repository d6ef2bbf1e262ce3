"""G.711 (ITU-T G.711, RFC 3551 §4.5.14): both laws, sample by sample, and the table from one to the other."""

from __future__ import annotations

from typing import Final

ULAW_SILENCE: Final = 0xFF
"""The µ-law code of zero."""
_ULAW_BIAS: Final = 33
_ULAW_CLIP: Final = 8158


def ulaw_decode(code: int) -> int:
    """One µ-law octet as a linear sample of 14 bits with sign (-8031…8031)."""
    code = ~code & 0xFF
    segment, step = code >> 4 & 7, code & 15
    magnitude = ((2 * step + _ULAW_BIAS) << segment) - _ULAW_BIAS
    return -magnitude if code & 0x80 else magnitude


def ulaw_encode(sample: int) -> int:
    """A linear sample of 14 bits with sign as a µ-law octet; louder ones are clipped."""
    magnitude = min(abs(sample), _ULAW_CLIP) + _ULAW_BIAS
    segment = magnitude.bit_length() - 6
    step = magnitude >> (segment + 1) & 15
    sign = 0x80 if sample < 0 else 0
    return ~(sign | segment << 4 | step) & 0xFF


def alaw_encode(sample: int) -> int:
    """A linear sample of 13 bits with sign (-4096…4095) as an A-law octet."""
    sign = 0x80 if sample >= 0 else 0
    magnitude = min(sample if sample >= 0 else -sample - 1, 4095)
    segment = max(magnitude.bit_length() - 5, 0)
    step = magnitude >> max(segment, 1) & 15
    return (sign | segment << 4 | step) ^ 0x55


ULAW_TO_ALAW: Final = bytes(alaw_encode(ulaw_decode(code) >> 1) for code in range(256))
"""For `bytes.translate`: a prompt in µ-law becomes one in A-law."""
