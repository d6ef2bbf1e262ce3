from dataclasses import replace

import pytest

from demo.rtp import DigitEar, OutgoingStream, RtpPacket, parse

FRAME = b"\x55" * 160


def stream() -> OutgoingStream:
    return OutgoingStream(ssrc=7, sequence=0xFFFE, timestamp=0xFFFFFF00)


def heard(sequence: int, timestamp: int, ssrc: int = 99) -> RtpPacket:
    return RtpPacket(0, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc, FRAME)


def event(code: int, timestamp: int, *, end: bool = False, duration: int = 160) -> RtpPacket:
    return RtpPacket(101, 1, timestamp, 99, bytes([code, 0x8A if end else 0x0A]) + duration.to_bytes(2))


def test_a_packet_reads_back_as_it_was_written() -> None:
    packet = RtpPacket(8, 65_535, 0xFFFFFFFF, 0xDEADBEEF, FRAME, marker=True)
    assert parse(bytes(packet)) == packet


def test_contributors_extension_and_padding_are_skipped() -> None:
    plain = RtpPacket(0, 1, 2, 3, b"abcd")
    header = bytes([0x80 | 0x20 | 0x10 | 1]) + bytes(plain)[1:12]
    extension = b"\xbe\xde\x00\x01" + b"\x10\xff\x00\x00"
    assert parse(header + b"CSRC" + extension + b"abcd" + b"\x00\x00\x03") == plain


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\x80\x00\x00",
        b"\x00\x01\x00\x00" + bytes(16),  # STUN
        b"\x80\xc8\x00\x06" + bytes(24),  # RTCP sender report
        b"\x90\x00" + bytes(10),  # says that it has an extension, and ends
        b"\xa0\x00" + bytes(9) + b"\xff",  # more padding than packet
    ],
)
def test_what_is_no_rtp_is_none(datagram: bytes) -> None:
    assert parse(datagram) is None


def test_frames_are_numbered_without_holes_and_wrap() -> None:
    out = stream()
    packets = [out.frame(0, FRAME, ticks) for ticks in (0, 160, 320)]
    assert [packet.sequence for packet in packets] == [0xFFFE, 0xFFFF, 0]
    assert [packet.timestamp for packet in packets] == [0xFFFFFF00, 0xFFFFFFA0, 0x40]
    assert [packet.marker for packet in packets] == [True, False, False]


def test_the_first_frame_after_a_pause_begins_a_talkspurt() -> None:
    out = stream()
    out.frame(0, FRAME, 0)
    out.pause()
    assert out.frame(0, FRAME, 1600).marker


def test_the_echo_goes_on_where_the_prompt_stopped() -> None:
    out = stream()
    last = out.frame(0, FRAME, 320)
    first = out.reflect(heard(500, 123_456), 480)
    second = out.reflect(heard(501, 123_616), 645)
    assert (first.ssrc, first.sequence, first.timestamp) == (7, 0xFFFF, (last.timestamp + 160) & 0xFFFFFFFF)
    assert (second.sequence, second.timestamp) == (0, (first.timestamp + 160) & 0xFFFFFFFF)
    assert (first.marker, second.marker) == (True, False)
    assert first.payload == FRAME


def test_a_packet_lost_on_the_way_in_is_missing_on_the_way_out() -> None:
    out = stream()
    first = out.reflect(heard(65_535, 0), 0)
    third = out.reflect(heard(1, 320), 320)
    assert (third.sequence - first.sequence) & 0xFFFF == 2
    assert (third.timestamp - first.timestamp) & 0xFFFFFFFF == 320


def test_packets_out_of_order_come_back_out_of_order() -> None:
    out = stream()
    numbers = [out.reflect(heard(number, number * 160), 0).sequence for number in (10, 12, 11, 13)]
    assert [(number - numbers[0]) & 0xFFFF for number in numbers] == [0, 2, 1, 3]
    assert out.frame(0, FRAME, 0).sequence == (numbers[-1] + 1) & 0xFFFF


def test_a_digit_between_echoed_packets_does_not_look_like_a_loss() -> None:
    out = stream()
    first = out.reflect(heard(10, 0), 0)
    out.leave_out()
    out.leave_out()
    after = out.reflect(heard(13, 480), 480)
    assert after.sequence == (first.sequence + 1) & 0xFFFF


def test_a_new_source_is_echoed_without_a_jump() -> None:
    out = stream()
    first = out.reflect(heard(10, 1000), 0)
    other = out.reflect(heard(40_000, 999_999_999, ssrc=5), 160)
    assert other.sequence == (first.sequence + 1) & 0xFFFF
    assert other.timestamp == (first.timestamp + 160) & 0xFFFFFFFF


def test_one_event_is_one_digit_however_many_packets_it_has() -> None:
    ear = DigitEar()
    train = [event(5, 800), event(5, 800, duration=320), *[event(5, 800, end=True, duration=480)] * 3]
    assert [ear.hear(packet) for packet in train] == ["5", None, None, None, None]


def test_the_same_key_twice_is_two_digits() -> None:
    ear = DigitEar()
    assert [ear.hear(event(1, timestamp)) for timestamp in (800, 800, 2400)] == ["1", None, "1"]


def test_a_digit_counts_when_only_its_end_arrives() -> None:
    assert DigitEar().hear(event(11, 800, end=True)) == "#"


def test_an_event_that_is_no_key_is_no_digit() -> None:
    assert DigitEar().hear(event(16, 800)) is None  # flash
    assert DigitEar().hear(replace(event(1, 800), payload=b"\x01")) is None
