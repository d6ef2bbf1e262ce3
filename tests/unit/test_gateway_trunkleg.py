from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import cast

import pytest

from call import oneway
from call.causes import Cause, Ending, hung_up, media_core_error
from call.codecs import CodecName, Format
from call.coupling import Accept, Press, Progress, Release, Suit
from call.errors import GatewayError, PeerError
from call.interworking import Preference
from call.leg import Answered, Ended, Failed, Pressed, Ringing, Settled
from call.sdes import Crypto, Policy
from call.sdp import parse
from call.trunk_sdp import trunk_offer
from gateway import relays, trunkleg
from gateway.config import TrunkSettings
from gateway.relays import Relays
from gateway.trunkleg import TrunkLeg
from gateway.trunkpace import BURST
from sip import messages
from tests.unit.recorders import SOUNDS, MediaRecorder, RelaysRecorder, ReportRecorder, Worker

ANSWER = (
    "v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
)
NOISY = ANSWER.replace("0 101", "0 97 101") + "a=rtpmap:97 CN/8000\r\n"
HOLD = ANSWER.replace("o=- 1 1", "o=- 1 2") + "a=sendonly\r\n"
G729_ONLY = ANSWER.replace("0 101", "18").replace("0 PCMU", "18 G729")
PCMA_ONLY = ANSWER.replace("AVP 0", "AVP 8").replace("0 PCMU", "8 PCMA")
SETTLED = Settled(Format("PCMU", 0))
ALIEN = (("X-Ticket", "42"), ("Via", "SIP/2.0/UDP x"))


def broken(*_: object) -> None:
    raise RuntimeError("our own mistake")


@dataclass
class Bench:
    """A leg with everything around it."""

    relays: RelaysRecorder = field(default_factory=RelaysRecorder)
    report: ReportRecorder = field(default_factory=ReportRecorder)
    worker: Worker = field(default_factory=Worker)
    srtp: Policy = "off"
    prefer: Preference = "quality"
    comfort_noise: bool = False
    codecs: tuple[CodecName, ...] | None = None

    def __post_init__(self) -> None:
        settings = TrunkSettings(
            host="sip.example.com",
            allow=("*",),
            srtp=self.srtp,
            prefer=self.prefer,
            comfort_noise=self.comfort_noise,
            codecs=self.codecs,
        )
        self.leg = TrunkLeg(
            "L1",
            "carrier",
            settings,
            relays=cast(Relays, self.relays),
            sounds=SOUNDS,
            post=self.worker.post,
            report=self.report.report,
        )

    @property
    def media(self) -> MediaRecorder:
        return self.relays.legs[0]

    def invite(self) -> messages.Invite:
        self.leg.invite("+4930", "100", "Alice", (("X-A", "1"),))
        command = self.worker.commands[-1]
        assert isinstance(command, messages.Invite)
        return command

    def answered(self) -> None:
        self.invite()
        self.leg.on_sip(messages.Answered("L1", ANSWER, ()))

    def incoming(self, sdp: str | None = ANSWER) -> None:
        event = messages.Incoming("L1", "carrier", "100", "+4930", "Bob", "cid", "198.51.100.7:5060", sdp, ())
        self.leg.take_incoming(event)

    @property
    def ending(self) -> Ending:
        event = self.report.events[-1]
        assert isinstance(event, Ended)
        return event.ending


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    if bench.leg._watchdog is not None:
        bench.leg._watchdog.cancel()


# -- outgoing -----------------------------------------------------------------------------------------


async def test_invite_offers_our_port_and_the_trunks_codecs(bench: Bench) -> None:
    invite = bench.invite()
    assert (invite.leg, invite.trunk, invite.number) == ("L1", "carrier", "+4930")
    assert (invite.from_user, invite.from_display, invite.headers) == ("100", "Alice", (("X-A", "1"),))
    assert "c=IN IP4 192.0.2.1" in invite.sdp
    assert "m=audio 30000 RTP/AVP 9 0 8" in invite.sdp


async def test_what_can_only_be_passed_on_is_offered_with_the_pages_parameters_beside_the_rest() -> None:
    bench = Bench(codecs=("ILBC/8000", "PCMU"))
    bench.leg.follow(Format("PCMU", 0), (Format("PCMU", 0), Format("ILBC/8000", 97, "mode=20")))
    sdp = bench.invite().sdp
    assert "RTP/AVP 0 96 101\r\n" in sdp
    assert "a=fmtp:96 mode=20\r\n" in sdp


async def test_comfort_noise_is_neither_offered_nor_sent_unless_the_trunk_is_set_so(bench: Bench) -> None:
    assert "RTP/AVP 9 0 8 101\r\n" in bench.invite().sdp
    bench.leg.on_sip(messages.Answered("L1", NOISY, ()))
    assert bench.media.last("set_codec") == ("PCMU", 0, ((101, 8000),), 20, None, None)


async def test_comfort_noise_is_sent_to_a_trunk_that_takes_it() -> None:
    bench = Bench(comfort_noise=True)
    assert "RTP/AVP 9 0 8 13 101\r\n" in bench.invite().sdp
    bench.leg.on_sip(messages.Ringing("L1", 183, ANSWER, ()))
    assert not bench.leg.takes_noise
    bench.leg.on_sip(messages.Answered("L1", NOISY, ()))
    assert bench.media.last("set_codec") == ("PCMU", 0, ((101, 8000),), 20, 97, None)
    assert bench.leg.spoken_codecs == ("PCMU", "CN")


async def test_ringing_without_sdp_is_only_ringing(bench: Bench) -> None:
    bench.invite()
    bench.leg.on_sip(messages.Ringing("L1", 180, None, ALIEN))
    assert bench.report.events == [Ringing(180, False, (("X-Ticket", "42"),))]
    assert bench.media.last("set_codec") is None


async def test_flood_of_digits_is_not_all_told(bench: Bench) -> None:
    bench.answered()
    for _ in range(2_000):
        bench.media.handler(relays.DigitHeard("5", 160, "info"))
    assert BURST <= bench.report.events.count(Pressed("5", 160, in_media=True)) < 2 * BURST
    assert [what for what, _ in bench.report.notes].count("flood") == 1


async def test_flood_of_18x_is_not_all_told_but_the_answer_in_it_counts(bench: Bench) -> None:
    bench.invite()
    for _ in range(2_000):
        bench.leg.on_sip(messages.Ringing("L1", 180, None, ()))
    bench.leg.on_sip(messages.Ringing("L1", 183, ANSWER, ()))
    assert BURST <= bench.report.events.count(Ringing(180)) < 2 * BURST
    assert bench.leg.codec == "PCMU"


async def test_sdp_of_a_183_opens_the_media_but_only_audio_is_early_media(bench: Bench) -> None:
    bench.invite()
    bench.leg.on_sip(messages.Ringing("L1", 183, ANSWER, ()))
    assert bench.media.last("set_codec") == ("PCMU", 0, ((101, 8000),), 20, None, None)
    assert bench.media.last("set_remote") == (("198.51.100.7", 4000), ("198.51.100.7", 4001), False, True)
    bench.media.handler(relays.MediaStarted())
    assert bench.report.events == [Ringing(183, early_media=False), Ringing(183, early_media=True)]


async def test_answer_is_told_with_its_headers(bench: Bench) -> None:
    bench.invite()
    bench.leg.on_sip(messages.Answered("L1", ANSWER, ALIEN))
    assert bench.report.events == [Answered((("X-Ticket", "42"),)), SETTLED]
    assert bench.leg.codec == "PCMU"
    assert (bench.media.last("set_sending"), bench.media.last("set_receiving")) == ((True,), (True,))


async def test_what_is_heard_is_judged_from_the_answer_on(bench: Bench) -> None:
    bench.invite()
    bench.leg.on_sip(messages.Ringing("L1", 183, ANSWER, ()))
    assert bench.media.last("answered") is None
    bench.leg.on_sip(messages.Answered("L1", "", ()))
    assert bench.media.last("answered") == ()


async def test_digital_silence_of_the_far_end_is_told_and_noted(bench: Bench) -> None:
    bench.answered()
    bench.media.handler(relays.Hushed())
    assert [event.sentence for event in bench.report.events if isinstance(event, Failed)] == [oneway.hushed()[0]]
    assert ("one-way audio", oneway.hushed()[1]) in bench.report.notes


@pytest.mark.parametrize("sdp", ["v=0\r\nthis is not SDP\r\n", G729_ONLY], ids=["broken", "not offered"])
async def test_early_media_that_cannot_be_served_is_passed_over_and_the_answer_counts(bench: Bench, sdp: str) -> None:
    bench.invite()
    bench.leg.on_sip(messages.Ringing("L1", 183, sdp, ()))
    assert bench.report.events == [Ringing(183)]
    assert bench.report.notes[-1][0] == "early media ignored"
    bench.leg.on_sip(messages.Answered("L1", ANSWER, ()))
    assert bench.report.events[1:] == [Answered(), SETTLED]
    assert "release" not in bench.worker.types


async def test_audio_of_an_answered_call_is_no_early_media(bench: Bench) -> None:
    bench.answered()
    bench.media.handler(relays.MediaStarted())
    assert bench.report.events == [Answered(), SETTLED]


async def test_answer_without_a_common_codec_ends_the_call_in_words(bench: Bench) -> None:
    bench.invite()
    bench.leg.on_sip(messages.Answered("L1", G729_ONLY, ()))
    assert bench.worker.types == ["invite", "release"]
    assert bench.report.events == []
    bench.leg.on_sip(messages.Ended("L1", "us", 200))
    assert (bench.ending.cause, bench.ending.sip_status) == (Cause.NO_COMMON_MEDIA, 488)


# -- ends ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "cause"),
    [
        (messages.Ended("L1", "peer", 486), Cause.BUSY),
        (messages.Ended("L1", "fault", 408, fault="timeout"), Cause.TRUNK_UNREACHABLE),
        (messages.Ended("L1", "fault", 401, fault="auth"), Cause.TRUNK_AUTH),
        (messages.Ended("L1", "fault", 503, fault="worker"), Cause.GATEWAY_ERROR),
    ],
)
async def test_call_that_was_not_answered_ends_for_the_trunks_reason(
    bench: Bench, event: messages.Ended, cause: Cause
) -> None:
    bench.invite()
    bench.leg.on_sip(event)
    assert bench.ending.cause is cause
    assert bench.relays.released == [bench.media]
    assert bench.leg.final_stats == {"rx_packets": 1}


async def test_far_end_that_hangs_up_is_named(bench: Bench) -> None:
    bench.answered()
    bench.leg.on_sip(messages.Ended("L1", "peer", 200))
    assert bench.ending == hung_up("+4930")


async def test_worker_that_dies_in_a_call_is_no_hang_up(bench: Bench) -> None:
    bench.answered()
    bench.leg.on_sip(messages.Ended("L1", "fault", 503, fault="worker"))
    assert bench.ending.cause is Cause.GATEWAY_ERROR


async def test_release_stops_the_media_and_says_why(bench: Bench) -> None:
    bench.answered()
    bench.leg.post(Release(Ending(Cause.HANGUP, 200, 'Ålice said "bye".')))
    command = bench.worker.commands[-1]
    assert isinstance(command, messages.Release)
    assert command.headers == (("Reason", "Q.850;cause=16;text=\"lice said 'bye'.\""),)
    assert (bench.media.last("set_sending"), bench.media.last("set_receiving")) == ((False,), (False,))
    assert bench.report.events == [Answered(), SETTLED]
    bench.leg.on_sip(messages.Ended("L1", "us", 200))
    assert bench.ending.sentence == 'Ålice said "bye".'


async def test_release_is_sent_once(bench: Bench) -> None:
    bench.answered()
    for _ in range(2):
        bench.leg.post(Release(hung_up("Alice")))
    bench.leg.post(Press("5"))
    assert bench.worker.types == ["invite", "release"]


async def test_answer_that_crosses_our_cancel_starts_no_media_again(bench: Bench) -> None:
    bench.invite()
    bench.leg.post(Release(hung_up("Alice")))
    bench.leg.on_sip(messages.Answered("L1", ANSWER, ()))
    assert bench.media.last("set_receiving") == (False,)
    assert bench.media.last("set_remote") is None
    assert bench.report.events == []
    bench.leg.on_sip(messages.Ended("L1", "us", 200))
    assert bench.ending == hung_up("Alice")


async def test_useless_answer_after_our_release_releases_nothing_twice(bench: Bench) -> None:
    bench.invite()
    bench.leg.post(Release(hung_up("Alice")))
    bench.leg.on_sip(messages.Answered("L1", G729_ONLY, ()))
    assert bench.worker.types == ["invite", "release"]


async def test_release_that_nobody_confirms_is_given_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trunkleg, "RELEASE_TIMEOUT_S", 0.0)
    bench.answered()
    bench.report.news.clear()
    bench.leg.post(Release(hung_up("Alice")))
    assert await bench.report.next_event() == Ended(hung_up("Alice"))
    bench.leg.on_sip(messages.Ended("L1", "us", 200))
    assert bench.report.events.count(Ended(hung_up("Alice"))) == 1
    assert bench.relays.released == [bench.media]


# -- incoming -----------------------------------------------------------------------------------------


async def test_incoming_call_is_answered_with_our_sdp(bench: Bench) -> None:
    bench.incoming()
    bench.leg.post(Progress(180, False))
    bench.leg.post(Accept())
    progress, accept = bench.worker.commands
    assert progress == messages.Progress("L1", 180)
    assert isinstance(accept, messages.Accept)
    assert "m=audio 30000 RTP/AVP 0 101" in accept.sdp
    assert bench.leg.codec == "PCMU"


async def test_invite_without_sdp_gets_our_offer_and_its_ack_the_answer(bench: Bench) -> None:
    bench.incoming(sdp=None)
    bench.leg.post(Accept())
    accept = bench.worker.commands[-1]
    assert isinstance(accept, messages.Accept)
    assert "RTP/AVP 9 0 8" in accept.sdp
    bench.leg.on_sip(messages.Answered("L1", ANSWER, ()))
    assert bench.leg.codec == "PCMU"
    assert bench.report.events == [SETTLED]  # an ACK is no answer of the far end


async def test_incoming_offer_without_a_common_codec_is_refused(bench: Bench) -> None:
    with pytest.raises(GatewayError) as caught:
        bench.incoming(G729_ONLY)
    assert caught.value.sip_status == 488
    assert bench.worker.commands == []


async def test_incoming_offer_at_an_address_that_we_cannot_reach_is_refused_in_words(bench: Bench) -> None:
    with pytest.raises(GatewayError, match="at the IPv6 address ::1, but audio of trunks is IPv4 here") as caught:
        bench.incoming(ANSWER.replace("IP4 198.51.100.7", "IP6 ::1"))
    assert caught.value.sip_status == 488
    assert bench.media.calls == []


async def test_caller_that_gives_up_has_cancelled(bench: Bench) -> None:
    bench.incoming()
    bench.leg.on_sip(messages.Ended("L1", "peer", 487))
    assert (bench.ending.cause, bench.ending.sentence) == (
        Cause.CANCELLED,
        "+4930 hung up before the call was answered.",
    )


# -- in the call --------------------------------------------------------------------------------------


async def test_hold_touches_this_leg_alone(bench: Bench) -> None:
    bench.answered()
    bench.leg.on_sip(messages.Reoffered("L1", HOLD))
    reanswer = bench.worker.commands[-1]
    assert isinstance(reanswer, messages.Reanswer)
    assert reanswer.status == 200
    assert "a=recvonly" in (reanswer.sdp or "")
    assert bench.media.last("set_sending") == (False,)
    assert bench.report.events == [Answered(), SETTLED]
    bench.leg.on_sip(messages.Reoffered("L1", ANSWER))
    assert bench.media.last("set_sending") == (True,)


async def test_reoffer_that_cannot_be_served_is_refused_and_the_call_goes_on(bench: Bench) -> None:
    bench.answered()
    before = list(bench.media.calls)
    bench.leg.on_sip(messages.Reoffered("L1", G729_ONLY))
    assert bench.worker.commands[-1] == messages.Reanswer("L1", 488)
    assert bench.media.calls == before
    assert bench.report.events == [Answered(), SETTLED]


@pytest.mark.parametrize("address", ["IP6 ::1", "IP4 ::1", "IP6 ::ffff:127.0.0.1", "IP6 fe80::1%lo"])
async def test_reoffer_at_an_address_that_we_cannot_reach_is_refused_and_the_call_goes_on(
    bench: Bench, address: str
) -> None:
    bench.answered()
    before = list(bench.media.calls)
    bench.leg.on_sip(messages.Reoffered("L1", ANSWER.replace("c=IN IP4 198.51.100.7", f"c=IN {address}")))
    assert bench.worker.commands[-1] == messages.Reanswer("L1", 488)
    assert bench.media.calls == before


async def test_reoffer_that_we_mishandle_is_refused_and_the_call_goes_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench.answered()
    monkeypatch.setattr(bench.leg, "_take_offer", broken)
    bench.leg.on_sip(messages.Reoffered("L1", HOLD))
    assert bench.worker.commands[-1] == messages.Reanswer("L1", 488)
    assert bench.report.events == [Answered(), SETTLED]
    assert "a re-INVITE was mishandled" in caplog.text


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (ANSWER.replace("audio 4000", "audio 4010"), {"set_remote": (("198.51.100.7", 4010), True)}),
        (HOLD, {"set_sending": (False,), "set_receiving": (True,)}),
        (PCMA_ONLY, {"set_codec": ("PCMA",)}),
    ],
    ids=["address", "hold", "codec"],
)
async def test_answer_to_our_offer_in_the_call_counts(
    bench: Bench, answer: str, expected: dict[str, tuple[object, ...]]
) -> None:
    bench.answered()
    bench.leg.on_sip(messages.Reoffered("L1", None))
    bench.leg.on_sip(messages.Reanswered("L1", 200, answer))
    for name, values in expected.items():
        assert set(values) <= set(bench.media.last(name) or ())
    assert (bench.report.events[-1] == Settled(Format("PCMA", 8))) is (answer is PCMA_ONLY)


async def test_refusal_of_our_offer_in_the_call_changes_nothing(bench: Bench) -> None:
    bench.answered()
    before = list(bench.media.calls)
    bench.leg.on_sip(messages.Reanswered("L1", 491, None))
    assert bench.media.calls == before
    assert ("re-INVITE answered", "491") in bench.report.notes


async def test_codec_that_the_trunk_takes_is_told_with_its_answer_and_again_when_it_changes(bench: Bench) -> None:
    bench.invite()
    bench.leg.on_sip(messages.Ringing("L1", 183, PCMA_ONLY, ()))
    bench.leg.on_sip(messages.Reoffered("L1", ANSWER))
    assert bench.report.events == [Ringing(183)]
    bench.leg.on_sip(messages.Answered("L1", ANSWER, ()))
    bench.leg.on_sip(messages.Reoffered("L1", ANSWER))
    bench.leg.on_sip(messages.Reoffered("L1", PCMA_ONLY))
    assert bench.report.events[1:] == [Answered(), SETTLED, Settled(Format("PCMA", 8))]


async def test_another_codec_of_the_browser_sends_nothing_and_leads_our_next_offer() -> None:
    bench = Bench(prefer="cpu")
    bench.answered()
    commands, media = list(bench.worker.commands), list(bench.media.calls)
    bench.leg.post(Suit(Format("PCMA", 8)))
    assert (bench.worker.commands, bench.media.calls) == (commands, media)
    bench.leg.on_sip(messages.Reoffered("L1", None))
    reanswer = bench.worker.commands[-1]
    assert isinstance(reanswer, messages.Reanswer)
    assert "RTP/AVP 8 0 9" in (reanswer.sdp or "")


async def test_reinvite_without_sdp_gets_our_offer(bench: Bench) -> None:
    bench.answered()
    bench.leg.on_sip(messages.Reoffered("L1", None))
    reanswer = bench.worker.commands[-1]
    assert isinstance(reanswer, messages.Reanswer)
    assert reanswer.status == 200
    assert "m=audio 30000" in (reanswer.sdp or "")


async def test_same_address_again_does_not_reopen_learning(bench: Bench) -> None:
    bench.answered()
    bench.leg.on_sip(messages.Reoffered("L1", ANSWER))
    assert (bench.media.last("set_remote") or ())[-1] is False
    bench.leg.on_sip(messages.Reoffered("L1", ANSWER.replace("audio 4000", "audio 4010")))
    assert (bench.media.last("set_remote") or ())[-1] is True


async def test_digits_go_both_ways_through_the_leg(bench: Bench) -> None:
    bench.answered()
    bench.leg.post(Press("12#"))
    assert bench.media.last("dtmf") == ("12#", 120)
    bench.leg.on_sip(messages.InfoDtmf("L1", "5", 160))
    assert bench.media.last("hear_dtmf") == ("5", 160)
    bench.media.handler(relays.DigitHeard("5", 160, "info"))
    assert bench.report.events[-1] == Pressed("5", 160, in_media=True)


async def test_digits_that_the_trunk_refuses_go_another_way(bench: Bench) -> None:
    bench.answered()
    bench.leg.on_sip(messages.DtmfRefused("L1", "1", 501))
    assert bench.media.last("set_dtmf") == ("inband", False)


async def test_silent_trunk_is_noted_and_not_hung_up(bench: Bench) -> None:
    bench.answered()
    bench.media.handler(relays.PeerSilent("no RTP for 30 s"))
    assert bench.report.events == [Answered(), SETTLED]
    assert ("trunk is silent", "no RTP for 30 s") in bench.report.notes


async def test_trunk_leg_that_the_media_core_broke_is_hung_up(bench: Bench) -> None:
    bench.answered()
    for _ in range(2):
        bench.media.handler(relays.Broken())
    (release,) = [command for command in bench.worker.commands if isinstance(command, messages.Release)]
    assert release.status == 500
    bench.leg.on_sip(messages.Ended("L1", "us", 200))
    assert bench.ending == media_core_error()


async def test_second_invite_for_a_leg_is_refused(bench: Bench) -> None:
    bench.answered()
    event = messages.Incoming("L1", "carrier", "1", "2", "", "cid", "x", None, ())
    with pytest.raises(PeerError):
        bench.leg.on_sip(event)


async def test_our_own_offer_is_one_that_we_could_answer() -> None:
    offered = trunk_offer(address="192.0.2.1", rtp_port=4000, rtcp_port=4001, codecs=("PCMU",), session_id=1, version=1)
    bench = Bench()
    bench.incoming(offered)
    assert bench.leg.codec == "PCMU"


# -- SRTP ---------------------------------------------------------------------------------------------

THEIRS = Crypto(1, "AES_CM_128_HMAC_SHA1_80", bytes(30))


def with_key(text: str, line: Crypto) -> str:
    return text.replace("RTP/AVP", "RTP/SAVP") + f"a=crypto:{line}\r\n"


def sdes_of(bench: Bench) -> list[tuple[str, tuple[object, ...]]]:
    return [call for call in bench.media.calls if call[0] in ("set_sdes", "clear_sdes")]


async def test_a_required_offer_has_keys_and_the_answers_is_used_before_its_address() -> None:
    bench = Bench(srtp="required")
    ours = parse(bench.invite().sdp).media[0]
    assert ours.protocol == "RTP/SAVP"
    bench.leg.on_sip(messages.Answered("L1", with_key(ANSWER, THEIRS), ()))
    names = [name for name, _ in bench.media.calls]
    assert names.index("set_sdes") < names.index("set_remote")
    suite, receive, send, receive_mki, send_mki = bench.media.last("set_sdes") or ()
    assert (suite, receive, receive_mki, send_mki) == (THEIRS.suite, THEIRS.key, None, None)
    assert str(Crypto(1, THEIRS.suite, cast(bytes, send))) == ours.crypto[0]


async def test_a_repeated_answer_changes_no_key() -> None:
    bench = Bench(srtp="optional")
    bench.invite()
    bench.leg.on_sip(messages.Ringing("L1", 183, with_key(ANSWER, THEIRS), ()))
    bench.leg.on_sip(messages.Answered("L1", with_key(ANSWER, THEIRS), ()))
    assert len(sdes_of(bench)) == 1


async def test_an_incoming_call_gets_our_key_and_a_new_one_of_theirs_keeps_it() -> None:
    bench = Bench(srtp="optional")
    bench.incoming(with_key(ANSWER, THEIRS))
    bench.leg.post(Accept(()))
    accepted = bench.worker.commands[-1]
    assert isinstance(accepted, messages.Accept)
    bench.leg.on_sip(messages.Reoffered("L1", with_key(HOLD, Crypto(1, THEIRS.suite, b"\1" * 30))))
    reanswer = bench.worker.commands[-1]
    assert isinstance(reanswer, messages.Reanswer)
    first, second = (parse(command.sdp or "").media[0].crypto for command in (accepted, reanswer))
    assert first == second
    keys = [call[1][1:3] for call in sdes_of(bench)]
    assert [receive for receive, _ in keys] == [THEIRS.key, b"\1" * 30]
    assert keys[0][1] == keys[1][1]


async def test_a_re_invite_may_end_the_encryption_where_it_is_optional_and_not_where_it_is_required() -> None:
    bench = Bench(srtp="optional")
    bench.incoming(with_key(ANSWER, THEIRS))
    bench.leg.on_sip(messages.Reoffered("L1", ANSWER))
    assert sdes_of(bench)[-1][0] == "clear_sdes"
    bench = Bench(srtp="required")
    bench.incoming(with_key(ANSWER, THEIRS))
    bench.leg.on_sip(messages.Reoffered("L1", ANSWER))
    assert bench.worker.commands[-1] == messages.Reanswer("L1", 488)
    assert sdes_of(bench)[-1][0] == "set_sdes"


async def test_a_late_offer_has_the_key_in_use() -> None:
    bench = Bench(srtp="required")
    bench.incoming(with_key(ANSWER, THEIRS))
    bench.leg.on_sip(messages.Reoffered("L1", None))
    reanswer = bench.worker.commands[-1]
    assert isinstance(reanswer, messages.Reanswer)
    _, _, send, _, _ = bench.media.last("set_sdes") or ()
    assert parse(reanswer.sdp or "").media[0].crypto[0] == str(Crypto(1, THEIRS.suite, cast(bytes, send)))


async def test_a_call_without_the_required_encryption_is_released_with_the_reason() -> None:
    bench = Bench(srtp="required")
    bench.invite()
    bench.leg.on_sip(messages.Answered("L1", ANSWER, ()))
    bench.leg.on_sip(messages.Ended("L1", "us", 488))
    assert bench.ending.cause is Cause.NO_COMMON_MEDIA
    assert "encryption" in bench.ending.sentence
    if bench.leg._watchdog is not None:
        bench.leg._watchdog.cancel()


async def test_what_cannot_be_decrypted_is_told_with_the_likely_cause(bench: Bench) -> None:
    bench.answered()
    bench.media.handler(relays.Undecryptable())
    told = bench.report.events[-1]
    assert isinstance(told, Failed)
    assert "fail authentication" in told.hint


async def test_audio_that_goes_elsewhere_than_the_sdp_says_is_in_the_journal(bench: Bench) -> None:
    bench.answered()
    bench.media.handler(relays.Detour("192.0.2.66:4000"))
    assert ("audio goes elsewhere", "to 192.0.2.66:4000, not where the trunk's SDP says") in bench.report.notes
    bench.media.handler(relays.Detour(None))
    assert bench.report.notes[-1][0] == "audio goes as announced"
