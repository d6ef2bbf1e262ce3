import struct

import numpy as np

from bench.quality import align, read_kept
from bench.speech import pack


def test_kept_packets_are_read_back() -> None:
    data = b"".join(struct.pack("!IH", stamp, len(payload)) + payload for stamp, payload in ((160, b"ab"), (320, b"c")))
    assert read_kept(data) == [b"ab", b"c"]


def test_frames_are_packed_after_their_lengths() -> None:
    assert pack([b"ab", b"c"]) == b"\x00\x02ab\x00\x01c"


def test_speech_that_was_joined_in_the_middle_is_aligned_over_its_end() -> None:
    reference = np.random.default_rng(1).integers(-9000, 9000, 4000).astype(np.int16)
    heard = np.concatenate([reference[3000:], reference, reference[:500]])
    assert np.array_equal(align(reference, heard), heard)
