import struct

import numpy as np

from bench import quality
from bench.listener import BUFFER_S, Kept, Packet, listen, read_kept
from bench.quality import align
from bench.speech import Samples, encode_frames, pack

FRAME = 160
LOUD = bytes([0x10]) * FRAME  # one value of G.711
QUIET = bytes([0xFF]) * FRAME


def packets(*stream: tuple[int, float, bytes]) -> Kept:
    """Frame number, when it came in ms, and what it carries."""
    came = sorted(stream, key=lambda packet: packet[1])
    return Kept(0, 0.0, [Packet(FRAME * number, at_ms / 1000, payload) for number, at_ms, payload in came])


def test_kept_packets_are_read_back() -> None:
    records = ((160, 2_000_000_000, b"ab"), (320, 2_500_000_000, b"c"))
    data = struct.pack("!QQ", 7, 1_000_000_000)
    data += b"".join(struct.pack("!IQH", stamp, at, len(payload)) + payload for stamp, at, payload in records)
    assert read_kept(data) == Kept(7, 1.0, [Packet(160, 2.0, b"ab"), Packet(320, 2.5, b"c")])


def test_frames_are_packed_after_their_lengths() -> None:
    assert pack([b"ab", b"c"]) == b"\x00\x02ab\x00\x01c"


def test_speech_that_was_joined_in_the_middle_is_aligned_over_its_end() -> None:
    reference = np.random.default_rng(1).integers(-9000, 9000, 4000).astype(np.int16)
    heard = np.concatenate([reference[3000:], reference, reference[:500]])
    said, position = align(reference, heard)
    assert np.array_equal(said, heard)
    assert position == 3000


def test_the_same_repetitions_are_judged_whenever_the_recording_begins() -> None:
    reference = np.random.default_rng(1).integers(-9000, 9000, 4000).astype(np.int16)
    heard = np.tile(reference, 4)
    for begin in (0, 1, 1500, 3999):
        assert [piece.tolist() for piece in quality._pieces(heard[begin:][:12_000], reference)[0]] == [
            reference.tolist()
        ] * 2
    assert len(quality._pieces(heard[100:12_000], reference)) == 2
    assert [len(part) for _, part in quality._pieces(heard[3000:7900], reference)] == [4000]


def test_packets_that_overtook_each_other_are_played_in_order() -> None:
    heard = listen(packets((0, 0, LOUD), (2, 40, LOUD), (1, 45, QUIET), (3, 60, QUIET)), "PCMU", 8000)
    assert [bool(abs(heard.samples[at]) > 1000) for at in (80, 240, 400, 560)] == [True, False, True, False]
    assert heard.concealed_s == 0


def test_a_lost_packet_is_concealed_at_its_place() -> None:
    heard = listen(packets(*((n, 20 * n, LOUD) for n in range(10) if n != 4)), "PCMU", 8000)
    assert (len(heard.samples), heard.concealed_s) == (10 * FRAME, 0.02)


def test_the_copy_in_the_next_packet_is_played_for_a_lost_one() -> None:
    seconds = np.arange(48_000) / 48_000
    voice = (8000 * np.sin(2 * np.pi * 200 * seconds) * np.sin(2 * np.pi * 4 * seconds)).astype(np.int16)

    def heard_of(name: str, lost: int | None) -> Samples:
        kept = [Packet(960 * n, 0.02 * n, frame) for n, frame in enumerate(encode_frames(name, voice)) if n != lost]
        return listen(Kept(0, 0.0, kept), "opus", 8000).samples[21 * FRAME : 22 * FRAME].astype(float)

    errors = {name: np.abs(heard_of(name, 21) - heard_of(name, None)).mean() for name in ("opus", "opus-fec")}
    assert errors["opus-fec"] < errors["opus"] / 2


def test_a_stream_whose_clock_lags_makes_the_listener_wait() -> None:
    lagging = packets(*((n, 20 * n + 200 * (n > 20), LOUD) for n in range(40)))
    heard = listen(lagging, "PCMU", 8000)
    assert heard.concealed_s >= 0.2 - BUFFER_S
    assert len(heard.samples) > 40 * FRAME


def test_what_comes_after_its_time_is_not_played() -> None:
    heard = listen(packets(*((n, 20 * n + 100 * (n == 4), LOUD) for n in range(20))), "PCMU", 8000)
    assert (len(heard.samples), heard.concealed_s) == (20 * FRAME, 0.02)


def test_a_new_beginning_of_the_timestamps_is_followed() -> None:
    stream = [(n, 20 * n, LOUD) for n in range(5)] + [(n + 100_000, 20 * n, QUIET) for n in range(5, 10)]
    heard = listen(packets(*stream), "PCMU", 8000)
    assert len(heard.samples) >= 7 * FRAME
    assert abs(int(heard.samples[-1])) < 100
