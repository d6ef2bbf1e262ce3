"""RTP legs of the media core: relay, transcoding, digits, learning, reports, ports."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from mediacore import Leg, Relay

from tests.harness.media import LOOPBACK, Phone, next_events, rtp_ports, sockets_open, until_counted, wait_for

ULAW_SILENCE, ALAW_SILENCE = 0xFF, 0xD5


def make_relay(**changes: object) -> Relay:
    settings: dict[str, object] = {
        "threads": 2,
        "networks": [LOOPBACK],
        "browser_port": 0,
        "rtp_ports": rtp_ports(400),
    }
    return Relay(**(settings | changes))  # type: ignore[arg-type]


@pytest.fixture
def relay() -> Iterator[Relay]:
    engine = make_relay()
    yield engine
    engine.close()


@dataclass
class Side:
    phone: Phone
    leg: Leg

    def say(self, payload: bytes, payload_type: int = 0) -> None:
        assert self.leg.address is not None
        self.phone.say(self.leg.address, payload_type, payload)

    def send(self, data: bytes) -> None:
        assert self.leg.address is not None
        self.phone.send(self.leg.address, data)


def side(relay: Relay, stack: ExitStack, codec: str = "PCMU", payload_type: int = 0) -> Side:
    phone = stack.enter_context(Phone())
    leg = relay.rtp_leg()
    leg.set_codec(codec, payload_type, [(101, 8000)])
    leg.set_remote(phone.address, None)
    return Side(phone, leg)


@pytest.fixture
def call(relay: Relay) -> Iterator[tuple[Side, Side]]:
    with ExitStack() as stack:
        one, other = side(relay, stack), side(relay, stack)
        relay.route(one.leg, other.leg)
        relay.route(other.leg, one.leg)
        yield one, other


def test_audio_of_equal_codecs_passes_unchanged_both_ways(call: tuple[Side, Side]) -> None:
    one, other = call
    for speaker, listener in (call, call[::-1]):
        for n in range(3):
            speaker.say(bytes([n]) * 160)
        heard = [listener.phone.hear() for _ in range(3)]
        assert [packet.payload for packet in heard] == [bytes([n]) * 160 for n in range(3)]
        assert [packet.sequence - heard[0].sequence for packet in heard] == [0, 1, 2]
        assert [packet.timestamp - heard[0].timestamp for packet in heard] == [0, 160, 320]
        assert heard[0].ssrc not in (one.phone.ssrc, other.phone.ssrc)
    assert one.leg.stats()["transcoding"] == 0


def test_extension_and_padding_are_not_passed_on(call: tuple[Side, Side]) -> None:
    one, other = call
    plain = one.phone.packet(0, b"")
    extension = bytes([0xBE, 0xDE, 0, 1, 1, 2, 3, 4])
    one.send(bytes([0x80 | 0x20 | 0x10]) + plain[1:] + extension + b"\x11" * 160 + b"\0\0\0\4")
    assert other.phone.hear().payload == b"\x11" * 160


def test_a_silent_pcmu_frame_becomes_a_silent_pcma_frame(relay: Relay) -> None:
    with ExitStack() as stack:
        one, other = side(relay, stack), side(relay, stack, "PCMA", 8)
        relay.route(one.leg, other.leg)
        for _ in range(4):
            one.say(bytes([ULAW_SILENCE]) * 160)
        heard = [other.phone.hear() for _ in range(4)]
        assert {packet.payload for packet in heard} == {bytes([ALAW_SILENCE]) * 160}
        assert {packet.payload_type for packet in heard} == {8}
        assert heard[3].timestamp - heard[0].timestamp == 480
        assert other.leg.stats()["transcoding"] == 1


def test_a_frame_length_of_its_own_is_given_to_each_side(relay: Relay) -> None:
    with ExitStack() as stack:
        one, other = side(relay, stack), side(relay, stack, "PCMA", 8)
        other.leg.set_codec("PCMA", 8, [(101, 8000)], ptime_ms=30)
        relay.route(one.leg, other.leg)
        for _ in range(3):
            one.say(bytes([ULAW_SILENCE]) * 160)
        assert [len(other.phone.hear().payload) for _ in range(2)] == [240, 240]


def test_a_lost_packet_is_concealed_in_time_when_transcoding(relay: Relay) -> None:
    with ExitStack() as stack:
        one, other = side(relay, stack), side(relay, stack, "PCMA", 8)
        relay.route(one.leg, other.leg)
        for n in range(6):
            packet = one.phone.packet(0, bytes([ULAW_SILENCE]) * 160)
            if n != 2:
                one.send(packet)
        heard = [other.phone.hear() for _ in range(6)]
        assert [packet.sequence - heard[0].sequence for packet in heard] == list(range(6))
        assert [packet.timestamp - heard[0].timestamp for packet in heard] == [160 * n for n in range(6)]


def test_packets_out_of_order_are_put_in_order_before_transcoding(relay: Relay) -> None:
    with ExitStack() as stack:
        one, other = side(relay, stack), side(relay, stack, "PCMA", 8)
        relay.route(one.leg, other.leg)
        loud = [bytes([value]) * 160 for value in (0x10, 0x20, 0x30, 0x40)]
        packets = [one.phone.packet(0, payload) for payload in loud]
        for index in (0, 2, 1, 3):
            one.send(packets[index])
        heard = [other.phone.hear() for _ in range(4)]
        assert len({packet.payload for packet in heard}) == 4
        assert [packet.timestamp - heard[0].timestamp for packet in heard] == [0, 160, 320, 480]
        assert one.leg.stats()["rx_reordered"] == 1
        assert one.leg.stats()["rx_lost"] == 0


def test_a_change_of_source_is_no_jump(relay: Relay) -> None:
    with ExitStack() as stack:
        one, two, listener = (side(relay, stack) for _ in range(3))
        relay.route(one.leg, listener.leg)
        one.say(b"\1" * 160)
        first = listener.phone.hear()
        relay.route(two.leg, listener.leg)
        two.phone.sequence, two.phone.timestamp = 60000, 0xFFFFFF00
        two.say(b"\2" * 160)
        second = listener.phone.hear()
        assert (second.payload, second.ssrc, second.marker) == (b"\2" * 160, first.ssrc, True)
        assert second.sequence == (first.sequence + 1) % 65536
        assert 160 <= (second.timestamp - first.timestamp) % 2**32 < 8000


def test_without_a_route_nothing_is_sent(relay: Relay, call: tuple[Side, Side]) -> None:
    one, other = call
    relay.unroute(other.leg)
    one.say(b"\1" * 160)
    wait_for(relay, "media-started")
    assert other.leg.stats()["tx_packets"] == 0
    assert other.phone.hears_nothing()


def test_hold_stops_each_direction_by_itself(relay: Relay, call: tuple[Side, Side]) -> None:
    one, other = call
    other.leg.set_sending(False)
    one.say(b"\1" * 160)
    wait_for(relay, "media-started")
    assert other.leg.stats()["tx_packets"] == 0
    other.leg.set_sending(True)
    one.leg.set_receiving(False)
    one.say(b"\2" * 160)
    until_counted(one.leg, "dropped_muted", 1)
    one.leg.set_receiving(True)
    one.say(b"\3" * 160)
    assert other.phone.hear().payload == b"\3" * 160


def events(start: int, sequence: int, ssrc: int, digit: int) -> list[bytes]:
    """An RFC 4733 train as phones send it: growing durations, the end three times."""

    def packet(n: int, duration: int, end: bool) -> bytes:
        header = struct.pack("!BBHII", 0x80, 101 | (0x80 if n == 0 else 0), sequence + n, start, ssrc)
        return header + struct.pack("!BBH", digit, (0x80 if end else 0) | 10, duration)

    growing = [packet(n, 160 * (n + 1), False) for n in range(5)]
    return growing + [packet(5 + n, 960, True) for n in range(3)]


def test_a_digit_is_told_once_and_regenerated(relay: Relay, call: tuple[Side, Side]) -> None:
    one, other = call
    one.say(b"\1" * 160)
    before = other.phone.hear()
    for packet in events(one.phone.timestamp, one.phone.sequence, one.phone.ssrc, 5):
        one.send(packet)
    assert wait_for(relay, "dtmf") == (one.leg.id, ("5", 120, "rfc4733"))
    train = [other.phone.hear()]
    while sum(packet.payload[1] >> 7 for packet in train) < 3:
        train.append(other.phone.hear())
    assert [packet.sequence - before.sequence for packet in train] == list(range(1, len(train) + 1))
    assert {packet.timestamp for packet in train} == {train[0].timestamp}
    assert {packet.payload_type for packet in train} == {101}
    assert [packet.marker for packet in train] == [True] + [False] * (len(train) - 1)
    assert {packet.payload[0] for packet in train} == {5}
    assert not [payload for _, kind, payload in relay.events() if kind == "dtmf"]
    assert one.leg.stats()["rx_digits"] == 1


def test_a_digit_by_info_is_passed_on_as_an_event_and_told(relay: Relay, call: tuple[Side, Side]) -> None:
    one, other = call
    one.leg.hear_dtmf("#", 100)
    assert other.phone.hear().payload[0] == 11
    assert wait_for(relay, "dtmf") == (one.leg.id, ("#", 100, "info"))
    with pytest.raises(ValueError, match="no DTMF digit"):
        one.leg.hear_dtmf("E", 100)


def test_a_digit_by_info_and_in_rtp_is_one(relay: Relay, call: tuple[Side, Side]) -> None:
    one, _ = call
    one.say(b"\1" * 160)
    for packet in events(one.phone.timestamp, one.phone.sequence, one.phone.ssrc, 5):
        one.send(packet)
    assert wait_for(relay, "dtmf") == (one.leg.id, ("5", 120, "rfc4733"))
    one.leg.hear_dtmf("5", 100)
    one.leg.hear_dtmf("6", 100)
    assert wait_for(relay, "dtmf") == (one.leg.id, ("6", 100, "info"))


def test_a_leg_whose_digits_go_by_info_sends_none_in_rtp(relay: Relay, call: tuple[Side, Side]) -> None:
    one, other = call
    other.leg.set_dtmf("info")
    one.leg.hear_dtmf("1", 100)
    one.say(b"\1" * 160)
    assert other.phone.hear().payload == b"\1" * 160
    with pytest.raises(ValueError, match="unknown form"):
        other.leg.set_dtmf("morse")  # type: ignore[arg-type]


def test_digits_are_sent_on_request_in_order(call: tuple[Side, Side]) -> None:
    _, other = call
    other.leg.dtmf("1#", duration_ms=60, gap_ms=40)
    ended: list[int] = []
    while len(ended) < 6:
        packet = other.phone.hear()
        if packet.payload[1] & 0x80:
            ended.append(packet.payload[0])
    assert ended == [1, 1, 1, 11, 11, 11]


def test_strangers_are_neither_heard_nor_sent_to(call: tuple[Side, Side]) -> None:
    one, other = call
    one.say(b"\1" * 160)
    other.phone.hear()
    with Phone(ssrc=666) as stranger:
        assert one.leg.address is not None
        for _ in range(10):
            stranger.say(one.leg.address, 0, b"\6" * 160)
        one.say(b"\2" * 160)
        assert other.phone.hear().payload == b"\2" * 160
        other.say(b"\3" * 160)
        assert one.phone.hear().payload == b"\3" * 160
    assert one.leg.stats()["dropped_unknown_source"] == 10


def test_a_phone_behind_nat_is_learned_and_answered(call: tuple[Side, Side]) -> None:
    one, other = call
    with Phone() as nat:
        assert one.leg.address is not None
        for n in range(4):
            nat.say(one.leg.address, 0, bytes([n]) * 160)
        assert other.phone.hear().payload == b"\2" * 160
        other.say(b"\7" * 160)
        assert nat.hear().payload == b"\7" * 160


def test_a_new_sdp_moves_the_peer(relay: Relay, call: tuple[Side, Side]) -> None:
    one, other = call
    one.say(b"\1" * 160)
    other.phone.hear()
    with Phone(ssrc=0x77) as moved:
        one.leg.set_remote(moved.address, None, reopen=True)
        assert one.leg.address is not None
        moved.say(one.leg.address, 0, b"\2" * 160)
        assert other.phone.hear().payload == b"\2" * 160
        other.say(b"\3" * 160)
        assert moved.hear().payload == b"\3" * 160


def test_unknown_payloads_comfort_noise_and_garbage_are_counted_and_dropped(call: tuple[Side, Side]) -> None:
    one, other = call
    one.say(b"\1" * 160, payload_type=96)
    one.say(b"\1", payload_type=13)
    one.send(b"\x80\0garbage")
    one.send(b"hello")
    one.say(b"\2" * 160)
    assert other.phone.hear().payload == b"\2" * 160
    stats = one.leg.stats()
    assert (stats["dropped_unknown_payload"], stats["dropped_malformed"]) == (1, 2)
    assert other.leg.stats()["dropped_comfort_noise"] == 1, "not passed on to the other"


def test_reports_go_to_the_odd_port_and_a_bye_at_the_end(relay: Relay) -> None:
    with Phone() as phone, Phone() as rtcp:
        leg = relay.rtp_leg()
        leg.set_codec("PCMU", 0)
        leg.set_remote(phone.address, rtcp.address)
        assert leg.address is not None
        phone.say(leg.address, 0, b"\1" * 160)
        report = rtcp.hear_rtcp()
        assert report[1] == 201, "we send nothing, so it is an RR"
        assert struct.unpack("!I", report[8:12])[0] == phone.ssrc
        leg.close()
        assert 203 in packet_types(rtcp.hear_rtcp())


def packet_types(compound: bytes) -> list[int]:
    types, at = [], 0
    while at < len(compound):
        types.append(compound[at + 1])
        at += 4 + 4 * struct.unpack("!H", compound[at + 2 : at + 4])[0]
    return types


def test_with_rtcp_mux_reports_go_with_the_media(relay: Relay) -> None:
    with Phone() as phone:
        leg = relay.rtp_leg()
        leg.set_codec("PCMU", 0)
        leg.set_remote(phone.address, None, rtcp_mux=True)
        assert packet_types(phone.hear_rtcp()) == [201, 202]


def test_what_the_peer_reports_is_shown_and_its_bye_told(relay: Relay, call: tuple[Side, Side]) -> None:
    one, other = call
    one.say(b"\1" * 160)
    ours = other.phone.hear().ssrc
    block = struct.pack("!IIIIII", ours, 0x40000001, 1, 80, 0, 0)
    bye = struct.pack("!BBHI", 0x81, 203, 1, other.phone.ssrc)
    other.send(struct.pack("!BBHI", 0x81, 201, 7, other.phone.ssrc) + block + bye)
    assert wait_for(relay, "rtcp-bye") == (other.leg.id, None)
    stats = other.leg.stats()
    assert (stats["remote_lost"], stats["remote_jitter_ms"]) == (1, 10.0)


def test_media_that_stops_and_a_dead_peer_are_told() -> None:
    relay = make_relay(stall_ms=60, dead_ms=150)
    with Phone() as phone:
        leg = relay.rtp_leg()
        leg.set_codec("PCMU", 0)
        leg.set_remote(phone.address, None)
        assert leg.address is not None
        phone.say(leg.address, 0, b"\1" * 160)
        words = {"media-started": None, "media-stalled": None, "dead": "no valid RTP or RTCP for 0.15 s"}
        assert next_events(relay, 3) == [(leg.id, kind, said) for kind, said in words.items()]
    relay.close()


def test_ipv6_legs_work() -> None:
    relay = make_relay(networks=[LOOPBACK, "::1"])
    with Phone("::1") as phone, Phone() as other:
        six, four = relay.rtp_leg(1), relay.rtp_leg(0)
        for leg, peer in ((six, phone), (four, other)):
            leg.set_codec("PCMU", 0)
            leg.set_remote(peer.address, None)
        relay.route(six, four)
        assert six.address is not None and six.address[0] == "::1"
        phone.say(six.address, 0, b"\1" * 160)
        assert other.hear().payload == b"\1" * 160
    relay.close()


def test_ports_are_even_and_free_again_after_close(relay: Relay) -> None:
    leg = relay.rtp_leg()
    assert leg.address is not None
    port = leg.address[1]
    assert port % 2 == 0
    leg.close()
    leg.close()
    leg.stats()
    for number in (port, port + 1):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((LOOPBACK, number))


def test_the_figures_of_a_closed_leg_stay(call: tuple[Side, Side]) -> None:
    one, other = call
    one.say(b"\1" * 160)
    other.phone.hear()
    one.leg.close()
    assert one.leg.stats()["rx_packets"] == 1
    assert one.leg.stats()["codec"] == "PCMU"


def test_running_out_of_ports_says_which_range(relay: Relay) -> None:
    first, last = rtp_ports(2)
    small = make_relay(rtp_ports=(first, last))
    leg = small.rtp_leg()
    with pytest.raises(OSError, match=rf"between {first} and {last} on 127\.0\.0\.1 is taken") as caught:
        small.rtp_leg()
    assert caught.value.errno == errno.EADDRINUSE
    leg.close()
    small.close()


def test_a_taken_browser_port_is_named(relay: Relay) -> None:
    sentence = f"UDP port {relay.browser_port} on 127.0.0.1 is taken"
    with pytest.raises(OSError, match=sentence):
        make_relay(browser_port=relay.browser_port)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"threads": 0}, "threads must be 1 to 64"),
        ({"networks": []}, "at least one address"),
        ({"networks": ["localhost"]}, 'IP address, not "localhost"'),
        ({"rtp_ports": (43001, 43002)}, "holds no even port"),
        ({"opus_complexity": 11}, "0 to 10"),
        ({"dead_ms": 0}, "stall_ms, dead_ms and silent_ms must be 1 ms"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        make_relay(**changes)


def test_what_a_leg_cannot_do_is_refused(relay: Relay) -> None:
    leg = relay.rtp_leg()
    with pytest.raises(ValueError, match="unknown codec"):
        leg.set_codec("speex", 97)
    with pytest.raises(ValueError, match="beside PCMU and PCMA, not beside G722"):
        leg.set_codec("G722", 9, comfort_noise=13)
    for number in (0, 101):
        with pytest.raises(ValueError, match="one of its own"):
            leg.set_codec("PCMU", 0, [(101, 8000)], comfort_noise=number)
    with pytest.raises(ValueError, match="5 telephone-events: expected at most 4"):
        leg.set_codec("PCMU", 0, [(number, 8000) for number in range(96, 101)])
    with pytest.raises(ValueError, match="telephone-event at 90000 Hz"):
        leg.set_codec("PCMU", 0, [(101, 90_000)])
    with pytest.raises(ValueError, match="did not negotiate telephone-event"):
        leg.dtmf("1")
    leg.set_codec("PCMU", 0, [(101, 8000)])
    with pytest.raises(ValueError, match="no DTMF digit"):
        leg.dtmf("1x")
    with pytest.raises(ValueError, match="port 0"):
        leg.set_remote((LOOPBACK, 0), None)
    with pytest.raises(ValueError, match="address family"):
        leg.set_remote(("::1", 4000), None)
    with pytest.raises(ValueError, match="no ICE"):
        leg.restart_ice("ufrag", "p" * 22)
    with pytest.raises(ValueError, match="network 7"):
        relay.rtp_leg(7)


def test_many_calls_leave_no_descriptor_port_or_leg_behind(relay: Relay) -> None:
    before = sockets_open()
    for _ in range(100):
        one, other = relay.rtp_leg(), relay.rtp_leg()
        relay.route(one, other)
        relay.route(other, one)
        one.close()
        other.close()
    assert relay.stats()["legs"] == 0
    assert sockets_open() == before


def test_a_closed_relay_frees_everything_and_refuses_more() -> None:
    before = sockets_open()
    relay = make_relay()
    leg = relay.rtp_leg()
    relay.close()
    relay.close()
    leg.close()
    assert relay.events() == []
    assert relay.stats()["threads"] == 0
    with pytest.raises(OSError, match="relay is closed"):
        relay.rtp_leg()
    del relay, leg
    assert sockets_open() == before


def test_media_flows_while_python_is_busy(call: tuple[Side, Side]) -> None:
    """Design D1: no live packet waits for Python. The peers are another process; this one holds the GIL meanwhile."""
    one, other = call
    echo = os.fork()
    if echo == 0:
        for n in range(50):
            one.say(bytes([n]) * 160)
            if other.phone.hear().payload != bytes([n]) * 160:
                os._exit(1)
        os._exit(0)
    while os.waitpid(echo, os.WNOHANG) == (0, 0):
        pass
    assert one.leg.stats()["rx_packets"] == 50
