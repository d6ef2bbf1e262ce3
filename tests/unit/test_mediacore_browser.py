"""Browser legs of the media core: ICE-lite, DTLS passed by, SRTP, on one shared port."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from aioice import stun
from mediacore import Leg, Relay

from tests.harness.media import LOOPBACK, BrowserPeer, Phone, rtp_ports, wait_for
from tests.harness.patience import PATIENCE_S

PWD = "a password of 22 chars and more"
CLIENT_HELLO = bytes([22, 254, 253]) + bytes(60)


@pytest.fixture
def relay() -> Iterator[Relay]:
    engine = Relay(threads=2, networks=[LOOPBACK], browser_port=0, rtp_ports=rtp_ports(400))
    yield engine
    engine.close()


@dataclass
class Browser:
    leg: Leg
    peer: BrowserPeer

    def start(self) -> None:
        """Nominate the path and set the keys, as after DTLS."""
        self.peer.check()
        self.set_keys()

    def set_keys(self) -> None:
        self.leg.set_srtp("AEAD_AES_128_GCM", self.peer.key_out, self.peer.key_in)


def browser(relay: Relay, stack: ExitStack, ufrag: str = "ufrag1") -> Browser:
    leg = relay.browser_leg(ufrag, PWD)
    leg.set_codec("opus", 111, [(110, 48000)])
    return Browser(leg, stack.enter_context(BrowserPeer(relay, ufrag, PWD)))


@pytest.fixture
def page(relay: Relay) -> Iterator[Browser]:
    with ExitStack() as stack:
        yield browser(relay, stack)


def test_a_check_is_answered_with_our_view_of_the_address(relay: Relay, page: Browser) -> None:
    answer = page.peer.check()
    assert answer.message_class == stun.Class.RESPONSE
    assert answer.attributes["XOR-MAPPED-ADDRESS"] == page.peer.address
    host, port = page.peer.address
    assert wait_for(relay, "nominated") == (page.leg.id, f"{host}:{port}")


def test_a_peer_that_believes_itself_controlled_gets_487(page: Browser) -> None:
    answer = page.peer.check(controlled=True)
    assert answer.message_class == stun.Class.ERROR
    assert answer.attributes["ERROR-CODE"][0] == 487


def test_unauthenticated_stun_is_never_answered(relay: Relay, page: Browser) -> None:
    good = page.peer.check_request()
    with Phone() as stranger:
        for bad in (
            page.peer.check_request(pwd="x" * 22),
            good[:-1] + bytes([good[-1] ^ 1]),
            good.replace(b"ufrag1:peer", b"ufrag2:peer"),
            good[:40],
            b"\0\1\0\0" + b"\x21\x12\xa4\x42" + bytes(12),
        ):
            stranger.send(page.peer.gateway, bad)
        page.peer.check()
        stats = relay.stats()
        assert stats["dropped_stun_refused"] == 4
        assert page.leg.stats()["dropped_stun_refused"] == 1
        assert stranger.hears_nothing()


def test_dtls_goes_up_and_down_over_the_path(relay: Relay, page: Browser) -> None:
    page.peer.check()
    page.peer.send(page.peer.gateway, CLIENT_HELLO)
    assert wait_for(relay, "dtls") == (page.leg.id, CLIENT_HELLO)
    page.leg.send_dtls(b"\x16answer")
    assert page.peer.hear_raw() == b"\x16answer"


def test_dtls_after_a_plain_check_and_before_the_nomination_is_taken(relay: Relay, page: Browser) -> None:
    page.peer.check(use_candidate=False)
    page.peer.send(page.peer.gateway, CLIENT_HELLO)
    assert wait_for(relay, "dtls") == (page.leg.id, CLIENT_HELLO)
    page.leg.send_dtls(b"\x16answer")
    assert page.peer.hear_raw() == b"\x16answer"


def test_dtls_and_srtp_from_a_path_without_a_check_are_dropped(relay: Relay, page: Browser) -> None:
    page.start()
    with Phone() as stranger:
        stranger.send(page.peer.gateway, CLIENT_HELLO)
        stranger.send(page.peer.gateway, bytes([0x80, 111]) + bytes(60))
        page.peer.check()
    assert relay.stats()["dropped_unknown_source"] == 2
    assert not [event for event in relay.events() if event[1] == "dtls"]


def test_dtls_that_nobody_takes_is_bounded_and_told(relay: Relay, page: Browser) -> None:
    page.peer.check()
    for n in range(100):
        page.peer.send(page.peer.gateway, CLIENT_HELLO + bytes([n]))
    page.peer.check()
    kinds = [kind for _, kind, _ in relay.events()]
    assert kinds.count("dtls") == 32
    assert kinds.count("overflow") == 1
    assert page.leg.stats()["dropped_overflow"] == 68


def test_audio_passes_between_a_browser_and_a_phone_that_speaks_opus(relay: Relay, page: Browser) -> None:
    page.start()
    with Phone() as phone:
        leg = relay.rtp_leg()
        leg.set_codec("opus", 96)
        leg.set_remote(phone.address, None)
        relay.route(page.leg, leg)
        relay.route(leg, page.leg)
        page.peer.say_secure(111, b"from the browser")
        heard = phone.hear()
        assert (heard.payload, heard.payload_type) == (b"from the browser", 96)
        assert leg.address is not None
        phone.say(leg.address, 96, b"from the phone", ticks=960)
        back = page.peer.hear_secure()
        assert (back.payload, back.payload_type) == (b"from the phone", 111)


def test_opus_and_pcmu_are_transcoded_both_ways(relay: Relay, page: Browser) -> None:
    page.start()
    with Phone() as phone:
        leg = relay.rtp_leg()
        leg.set_codec("PCMU", 0)
        leg.set_remote(phone.address, None)
        relay.route(page.leg, leg)
        relay.route(leg, page.leg)
        assert leg.address is not None
        for _ in range(5):
            phone.say(leg.address, 0, b"\xff" * 160)
        frames = [page.peer.hear_secure() for _ in range(5)]
        assert [frame.timestamp - frames[0].timestamp for frame in frames] == [960 * n for n in range(5)]
        for frame in frames:
            page.peer.say_secure(111, frame.payload)
        heard = [phone.hear() for _ in range(5)]
        assert [len(packet.payload) for packet in heard] == [160] * 5
        assert [packet.timestamp - heard[0].timestamp for packet in heard] == [160 * n for n in range(5)]
        assert leg.stats()["transcode_errors"] == 0


def test_media_before_the_keys_is_kept_and_used(relay: Relay, page: Browser) -> None:
    page.peer.check()
    with Phone() as phone:
        leg = relay.rtp_leg()
        leg.set_codec("opus", 96)
        leg.set_remote(phone.address, None)
        relay.route(page.leg, leg)
        page.peer.say_secure(111, b"early")
        page.peer.check()
        assert page.leg.stats()["rx_packets"] == 0
        page.set_keys()
        assert phone.hear().payload == b"early"


def test_forged_and_replayed_media_are_dropped(relay: Relay, page: Browser) -> None:
    page.start()
    good = page.peer.sender.protect(page.peer.packet(111, b"audio", ticks=960))
    page.peer.send(page.peer.gateway, good[:-1] + bytes([good[-1] ^ 1]))
    page.peer.send(page.peer.gateway, good)
    page.peer.send(page.peer.gateway, good)
    page.peer.check()
    stats = page.leg.stats()
    assert (stats["rx_packets"], stats["dropped_srtp_auth"], stats["dropped_srtp_replay"]) == (1, 1, 1)


def test_a_check_with_use_candidate_from_a_new_source_moves_the_path(relay: Relay, page: Browser) -> None:
    page.start()
    wait_for(relay, "nominated")
    old = page.peer.socket
    page.peer.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    page.peer.socket.bind((LOOPBACK, 0))
    page.peer.socket.settimeout(PATIENCE_S)
    page.peer.check()
    host, port = page.peer.address
    assert wait_for(relay, "nominated") == (page.leg.id, f"{host}:{port}")
    page.leg.send_dtls(b"\x16here")
    assert page.peer.hear_raw() == b"\x16here"
    old.close()


def test_an_ice_restart_refuses_the_old_credentials_and_keeps_the_media(relay: Relay, page: Browser) -> None:
    page.start()
    old_check = page.peer.check_request()
    page.leg.restart_ice("ufrag2", PWD[::-1])
    page.peer.send(page.peer.gateway, old_check)
    page.peer.ufrag, page.peer.pwd = "ufrag2", PWD[::-1]
    page.peer.check()
    assert relay.stats()["dropped_stun_refused"] == 1
    page.peer.say_secure(111, b"still here")
    wait_for(relay, "media-started")


def test_reports_to_the_browser_are_encrypted(page: Browser) -> None:
    page.start()
    page.peer.say_secure(111, b"audio")
    while (data := page.peer.hear_raw())[0] < 128:
        pass
    report = page.peer.receiver.unprotect_rtcp(data)
    assert report[1] == 201
    assert int.from_bytes(report[8:12], "big") == page.peer.ssrc


def test_two_browsers_share_the_port(relay: Relay) -> None:
    with ExitStack() as stack:
        one, other = browser(relay, stack, "ufrag1"), browser(relay, stack, "ufrag2")
        one.start()
        other.start()
        relay.route(one.leg, other.leg)
        relay.route(other.leg, one.leg)
        for speaker, listener in ((one, other), (other, one)):
            speaker.peer.say_secure(111, speaker.peer.ufrag.encode())
            assert listener.peer.hear_secure().payload == speaker.peer.ufrag.encode()


def test_ipv6_browsers_are_served_on_the_same_port() -> None:
    relay = Relay(threads=1, networks=[LOOPBACK, "::1"], browser_port=0, rtp_ports=rtp_ports(2))
    with BrowserPeer(relay, "ufrag1", PWD, "::1") as peer:
        relay.browser_leg("ufrag1", PWD)
        assert peer.check().attributes["XOR-MAPPED-ADDRESS"] == peer.address
    relay.close()


def test_a_closed_leg_says_goodbye_and_frees_its_ufrag_and_path(relay: Relay, page: Browser) -> None:
    page.start()
    page.leg.close()
    while (data := page.peer.hear_raw())[0] < 128:
        pass
    assert b"\x81\xcb" in page.peer.receiver.unprotect_rtcp(data), "an RTCP BYE"
    page.leg.stats()
    stats = relay.stats()
    assert (stats["legs"], stats["ufrags"], stats["paths"]) == (0, 0, 0)
    relay.browser_leg("ufrag1", PWD)


def test_arguments_that_make_no_sense_are_refused(relay: Relay, page: Browser) -> None:
    with pytest.raises(ValueError, match="already in use"):
        relay.browser_leg("ufrag1", PWD)
    with pytest.raises(ValueError, match="22 characters"):
        relay.browser_leg("ufrag9", "short")
    with pytest.raises(ValueError, match="needs 28 bytes"):
        page.leg.set_srtp("AEAD_AES_128_GCM", os.urandom(30), os.urandom(28))
    with pytest.raises(ValueError, match="unknown SRTP profile"):
        page.leg.set_srtp("NULL", b"", b"")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="learns its peer by ICE"):
        page.leg.set_remote((LOOPBACK, 4000), None)
    assert page.leg.address is None


def test_a_browser_that_never_comes_is_declared_dead() -> None:
    relay = Relay(threads=1, networks=[LOOPBACK], browser_port=0, rtp_ports=rtp_ports(2), dead_ms=100)
    leg = relay.browser_leg("ufrag1", PWD)
    assert wait_for(relay, "dead") == (leg.id, "no valid STUN or SRTP for 0.1 s")
    relay.close()


def test_the_silence_and_the_return_of_a_browser_are_told() -> None:
    relay = Relay(threads=1, networks=[LOOPBACK], browser_port=0, rtp_ports=rtp_ports(2), silent_ms=100)
    with ExitStack() as stack:
        page = browser(relay, stack)
        page.peer.check()
        assert wait_for(relay, "silent") == (page.leg.id, "no valid STUN or SRTP for 0.1 s")
        page.peer.check()
        assert wait_for(relay, "returned") == (page.leg.id, None)
        page.leg.set_sending(True)
        assert wait_for(relay, "silent")[0] == page.leg.id, "an answer to a new offer begins the watch anew"
    relay.close()
