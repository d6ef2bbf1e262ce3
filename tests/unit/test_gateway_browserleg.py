import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from call.causes import Cause, hung_up, media_core_error
from call.codecs import Format
from call.coupling import Accept, Press, Progress, Release, Suit
from call.errors import GatewayError, PeerError, UnacceptableOffer
from call.interworking import Preference
from call.leg import Answered, Ended, LegEvent, Pressed, Settled
from gateway import browsercodec, relays
from gateway.browserleg import BrowserLeg
from tests.unit.recorders import House, MediaRecorder, Page, ReportRecorder, offer, page, with_ilbc
from webrtc import signalling
from webrtc.dtls import Certificates, DtlsEndpoint, Fingerprint
from webrtc.signalling import CallIncoming

RINGING = CallIncoming("c1", "+4930", "Bob", "100")


@dataclass
class Bench:
    """A leg with everything around it."""

    house: House = field(default_factory=House)
    report: ReportRecorder = field(default_factory=ReportRecorder)
    caller: Page = field(default_factory=page)

    def __post_init__(self) -> None:
        self.leg = BrowserLeg(self.house.surroundings, self.report.report, record="r1", remote="echo")

    def call(self, sdp: str = "", prefer: Preference = "quality") -> str:
        """The page starts a call."""
        answer = self.leg.take_offer(sdp or offer(), ("PCMU",), prefer)
        self.leg.belong_to(self.caller.session, "p-1")
        return answer

    def ring(self, *pages: Page, ring_s: float = 30.0) -> None:
        self.leg.ring([one.session for one in pages], RINGING, ring_s)

    def accept(self, by: Page, sdp: str = "") -> None:
        self.leg.accept(by.session, sdp or offer(), ("PCMU",), "quality")

    @property
    def media(self) -> MediaRecorder:
        return self.house.relays.legs[0]

    @property
    def endpoint(self) -> DtlsEndpoint:
        assert self.leg._dtls is not None and self.leg._dtls._endpoint is not None
        return self.leg._dtls._endpoint

    @property
    def endings(self) -> list[tuple[Cause, int]]:
        return [(e.ending.cause, e.ending.sip_status) for e in self.report.events if isinstance(e, Ended)]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    await bench.house.tear_down()


# -- the page calls -----------------------------------------------------------------------------------


async def test_offer_is_answered_at_once_with_one_codec(bench: Bench) -> None:
    answer = bench.call()
    assert "a=ice-lite" in answer
    assert "192.0.2.1 8082" in answer
    assert bench.leg.choice is not None
    assert bench.leg.choice.codec == "opus"
    assert bench.media.last("set_codec") == ("opus", 111, ((110, 48_000),), 20, None)
    assert (bench.media.last("set_sending"), bench.media.last("set_receiving")) == ((True,), (True,))
    assert bench.report.events == []


async def test_a_browser_beside_a_trunk_with_comfort_noise_may_send_it_with_g711(bench: Bench) -> None:
    answer = bench.leg.take_offer(offer(), ("PCMU", "CN"), "cpu")
    assert "RTP/SAVPF 0 13 126\r\n" in answer
    assert bench.media.last("set_codec") == ("PCMU", 0, ((126, 8000),), 20, 13)
    assert bench.leg.takes_noise


async def test_offer_that_cannot_be_served_opens_nothing(bench: Bench) -> None:
    with pytest.raises(GatewayError):
        bench.leg.take_offer("v=0\r\n", ("PCMU",), "quality")
    assert bench.house.relays.legs == []
    assert not bench.house.tasks


async def test_call_that_never_begins_gives_everything_back(bench: Bench) -> None:
    bench.leg.take_offer(offer(), ("PCMU",), "quality")
    bench.leg.discard()
    await bench.house.settle()
    assert bench.house.relays.released == bench.house.relays.legs
    assert bench.report.events == []
    assert bench.caller.sent == []


async def test_progress_and_answer_are_told_to_the_page(bench: Bench) -> None:
    bench.call()
    bench.leg.describe_codecs = lambda: "Both speak PCMU."
    bench.leg.post(Progress(180, False, (("X-A", "1"), ("Via", "secret"))))
    bench.leg.post(Accept((("x-b", "2"),)))
    bench.leg.post(Press("5"))
    assert bench.caller.sent == [
        signalling.CallProgress("p-1", 180, False, {"X-A": "1"}),
        signalling.CallAnswered("p-1", "Both speak PCMU.", {"x-b": "2"}),
        signalling.CallDtmf("p-1", "5"),
    ]


async def test_what_is_heard_is_judged_from_the_answer_on(bench: Bench) -> None:
    bench.call()
    assert bench.media.last("answered") is None
    bench.leg.post(Accept())
    assert bench.media.last("answered") == ()


async def test_keys_of_the_page_are_passed_on_in_capitals(bench: Bench) -> None:
    bench.call()
    bench.leg.press("12#a")
    assert bench.report.events == [Pressed("12#A")]


async def test_page_that_gives_up_cancels_and_one_that_talks_hangs_up(bench: Bench) -> None:
    bench.call()
    bench.leg.hang_up()
    assert bench.endings == [(Cause.CANCELLED, 487)]
    other = Bench()
    other.call()
    other.leg.post(Accept())
    other.leg.hang_up()
    assert other.endings == [(Cause.HANGUP, 200)]
    await other.house.tear_down()


async def test_end_is_told_once_and_leaves_nothing_behind(bench: Bench) -> None:
    bench.call()
    for _ in range(2):
        bench.leg.post(Release(hung_up("echo")))
    bench.leg.hang_up()
    bench.leg.post(Progress(180, False))
    await bench.house.settle()
    assert bench.caller.sent == [signalling.CallEnded("p-1", "hangup", 200, "echo hung up.")]
    assert bench.report.events == [Ended(hung_up("echo"))]
    assert bench.caller.session.legs == {}
    assert bench.house.relays.released == [bench.media]
    assert bench.leg.final_stats == {"rx_packets": 1}


# -- somebody calls the page --------------------------------------------------------------------------


async def test_first_page_that_accepts_has_the_call(bench: Bench) -> None:
    quick, slow = page(), page()
    bench.ring(quick, slow)
    bench.accept(quick)
    assert quick.types == ["call.incoming", "call.answer-sdp", "call.answered"]
    assert slow.types == ["call.incoming", "call.ended"]
    ended = slow.sent[-1]
    assert isinstance(ended, signalling.CallEnded)
    assert ended.cause == "answered-elsewhere"
    assert bench.report.events == [Answered()]
    assert (list(quick.session.legs), list(slow.session.legs)) == (["c1"], [])


async def test_page_that_comes_while_it_rings_rings_too_and_can_take_the_call(bench: Bench) -> None:
    first, late = page(), page()
    bench.ring(first)
    bench.leg.ring_also(late.session)
    bench.leg.ring_also(late.session)
    assert late.sent == [RINGING]
    bench.accept(late)
    assert first.types == ["call.incoming", "call.ended"]
    assert late.types[1:] == ["call.answer-sdp", "call.answered"]


async def test_page_that_comes_too_late_or_to_a_call_of_its_own_does_not_ring(bench: Bench) -> None:
    first, late = page(), page()
    bench.ring(first)
    bench.accept(first)
    bench.leg.ring_also(late.session)
    bench.leg.hang_up()
    bench.leg.ring_also(late.session)
    outgoing = Bench()
    outgoing.call()
    outgoing.leg.ring_also(late.session)
    assert (late.sent, late.session.legs) == ([], {})
    await outgoing.house.tear_down()


async def test_call_is_accepted_only_once(bench: Bench) -> None:
    callee = page()
    bench.ring(callee)
    bench.accept(callee)
    with pytest.raises(PeerError, match="does not ring"):
        bench.accept(callee)
    assert len(bench.house.relays.legs) == 1


async def test_page_cannot_accept_its_own_call(bench: Bench) -> None:
    bench.call()
    with pytest.raises(PeerError, match="does not ring"):
        bench.accept(bench.caller)


async def test_accept_with_a_useless_offer_lets_the_call_go_on_ringing(bench: Bench) -> None:
    callee, other = page(), page()
    bench.ring(callee, other)
    with pytest.raises(GatewayError):
        bench.accept(callee, "v=0\r\n")
    assert other.types == ["call.incoming"]
    bench.accept(other)
    assert bench.report.events == [Answered()]


async def test_refusal_of_one_page_ends_it_for_all(bench: Bench) -> None:
    pages = [page(), page()]
    bench.ring(*pages)
    bench.leg.hang_up()
    assert bench.endings == [(Cause.REJECTED, 603)]
    assert [one.types[-1] for one in pages] == ["call.ended", "call.ended"]


async def test_call_that_nobody_answers_ends_by_itself(bench: Bench) -> None:
    bench.ring(page(), ring_s=0.0)
    event = await bench.report.next_event()
    assert isinstance(event, Ended)
    assert (event.ending.cause, event.ending.sentence) == (Cause.NO_ANSWER, "Alice did not answer.")


async def test_call_rings_until_the_last_page_is_gone(bench: Bench) -> None:
    one, other = page(), page()
    bench.ring(one, other)
    bench.leg.page_lost("The page was closed.", one.session)
    assert bench.report.events == []
    assert one.session.legs == {}
    bench.leg.page_lost("The page was closed.", other.session)
    assert bench.endings == [(Cause.CONNECTION_LOST, 408)]


@pytest.mark.parametrize("is_answered", [False, True])
async def test_page_that_comes_back_learns_the_state(bench: Bench, is_answered: bool) -> None:
    callee = page()
    bench.ring(callee)
    if is_answered:
        bench.accept(callee)
    summary = bench.leg.summary("c1")
    assert (summary.call, summary.direction, summary.remote) == ("c1", "incoming", "echo")
    assert summary.state == ("answered" if is_answered else "ringing")


# -- other offers of the same call --------------------------------------------------------------------


async def test_ice_restart_changes_the_credentials_and_keeps_dtls(bench: Bench) -> None:
    first = bench.call()
    endpoint = bench.endpoint
    bench.leg.take_new_offer(offer(ufrag="bbbb"))
    answer = bench.caller.sent[-1]
    assert isinstance(answer, signalling.CallAnswerSdp)
    assert bench.endpoint is endpoint
    restarted = bench.media.last("restart_ice")
    assert restarted is not None
    assert f"a=ice-ufrag:{restarted[0]}" in answer.sdp
    assert f"a=ice-ufrag:{restarted[0]}" not in first
    assert bench.report.events == []


async def test_new_peer_connection_gets_a_new_dtls(bench: Bench) -> None:
    bench.call()
    endpoint = bench.endpoint
    bench.leg.take_new_offer(offer(ufrag="bbbb", fingerprint="CD"))
    assert bench.endpoint is not endpoint


async def test_offer_that_changes_nothing_restarts_nothing(bench: Bench) -> None:
    bench.call()
    endpoint = bench.endpoint
    bench.leg.take_new_offer(offer())
    assert bench.media.last("restart_ice") is None
    assert bench.endpoint is endpoint


async def test_useless_new_offer_leaves_the_media_as_it_was(bench: Bench) -> None:
    bench.call()
    before = list(bench.media.calls)
    without_opus = offer(ufrag="bbbb").replace("opus/48000/2", "speex/16000")
    for bad in ("v=0\r\n", without_opus):
        with pytest.raises((PeerError, UnacceptableOffer)):
            bench.leg.take_new_offer(bad)
    assert bench.media.calls == before
    assert bench.caller.sent == []


async def test_call_without_media_has_nothing_to_restart(bench: Bench) -> None:
    bench.ring(page())
    with pytest.raises(PeerError, match="no media yet"):
        bench.leg.take_new_offer(offer())


# -- another codec became better ----------------------------------------------------------------------

PCMA = Format("PCMA", 8)


async def answered(bench: Bench) -> None:
    """A call on a route that saves work, whose trunk speaks another codec than the page was given."""
    bench.call(prefer="cpu")
    bench.leg.describe_codecs = lambda: "Both speak PCMA."
    bench.leg.post(Accept())
    bench.leg.post(Suit(PCMA))


async def test_page_is_asked_once_for_an_offer_when_another_codec_is_better(bench: Bench) -> None:
    await answered(bench)
    bench.leg.post(Suit(PCMA))
    why = (
        "The trunk speaks PCMA, so PCMA is better for the browser than PCMU "
        "(the route prefers the trunk's own codec, to save transcoding)."
    )
    assert bench.caller.sent[1:] == [signalling.CallRenegotiate("p-1", why)]
    assert bench.report.notes == [("renegotiation", why)]


async def test_the_offer_that_was_asked_for_gets_the_better_codec_and_keeps_ice_and_dtls(bench: Bench) -> None:
    await answered(bench)
    endpoint = bench.endpoint
    bench.leg.take_new_offer(offer())
    answer = bench.caller.sent[-1]
    assert isinstance(answer, signalling.CallAnswerSdp)
    assert (answer.codec, "PCMA/8000" in answer.sdp, "PCMU" in answer.sdp) == ("Both speak PCMA.", True, False)
    assert bench.media.last("set_codec") == ("PCMA", 8, ((126, 8000),), 20, None)
    assert bench.media.last("restart_ice") is None
    assert bench.endpoint is endpoint
    assert bench.report.notes[-1] == ("codec changes", "Both speak PCMA.")
    assert bench.report.events == [Settled(PCMA)]


async def test_an_ice_restart_that_crosses_the_request_is_served_and_brings_the_better_codec(bench: Bench) -> None:
    await answered(bench)
    bench.leg.take_new_offer(offer(ufrag="bbbb"))
    bench.leg.take_new_offer(offer(ufrag="bbbb"))
    answers = [message for message in bench.caller.sent if isinstance(message, signalling.CallAnswerSdp)]
    restarted = bench.media.last("restart_ice")
    assert restarted is not None
    assert all(f"a=ice-ufrag:{restarted[0]}" in answer.sdp and "PCMA/8000" in answer.sdp for answer in answers)
    assert [name for name, _ in bench.media.calls].count("restart_ice") == 1
    assert bench.report.events == [Settled(PCMA)]


async def test_page_that_does_not_listen_keeps_its_call_as_it_is(bench: Bench) -> None:
    await answered(bench)
    assert bench.media.last("set_codec") == ("PCMU", 0, ((126, 8000),), 20, None)
    assert bench.report.events == []


async def test_page_is_not_asked_when_its_codec_is_the_best_or_the_trunk_has_gone_back(bench: Bench) -> None:
    bench.call()
    bench.leg.post(Suit(PCMA))
    assert bench.caller.sent == []
    other = Bench()
    await answered(other)
    other.leg.post(Suit(Format("PCMU", 0)))
    other.leg.take_new_offer(offer())
    assert other.media.last("set_codec") == ("PCMU", 0, ((126, 8000),), 20, None)
    await other.house.tear_down()


async def test_trunk_that_changes_again_later_is_followed_again(bench: Bench) -> None:
    await answered(bench)
    bench.leg.take_new_offer(offer())
    bench.leg.post(Suit(Format("G722", 9)))
    assert bench.caller.types[-1] == "call.renegotiate"
    bench.leg.take_new_offer(offer())
    assert bench.media.last("set_codec") == ("G722", 9, ((126, 8000),), 20, None)


async def test_call_that_still_rings_has_nothing_to_renegotiate(bench: Bench) -> None:
    callee = page()
    bench.ring(callee)
    bench.leg.post(Suit(PCMA))
    assert callee.types == ["call.incoming"]


ILBC = Format("ILBC/8000", 96, "mode=30")


async def half_deaf(bench: Bench, sdp: str = "") -> None:
    """A call whose page was given PCMU, though its trunk then takes what can only be passed on."""
    bench.leg.take_offer(sdp or with_ilbc(offer()), ("PCMU", "ILBC/8000"), "cpu")
    bench.leg.belong_to(bench.caller.session, "p-1")
    bench.leg.post(Accept())
    bench.leg.post(Suit(ILBC))


async def test_page_is_asked_to_change_over_to_a_codec_that_can_only_be_passed_on(bench: Bench) -> None:
    await half_deaf(bench)
    assert bench.caller.types[-1] == "call.renegotiate"
    bench.leg.take_new_offer(with_ilbc(offer()))
    assert bench.media.last("set_codec") == ("ILBC/8000", 97, ((126, 8000),), 20, None)
    assert bench.report.events == [Settled(Format("ILBC/8000", 97, "mode=20"))]


async def test_call_ends_in_words_when_the_page_does_not_change_over_and_nothing_is_heard(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browsercodec, "PATIENCE_S", 0.0)
    await half_deaf(bench)
    assert bench.endings == []
    await bench.report.news.wait()
    assert bench.endings == [(Cause.NO_COMMON_MEDIA, 488)]
    assert bench.caller.types[-2:] == ["call.renegotiate", "call.ended"]


async def test_call_ends_at_once_when_the_page_has_nothing_to_change_over_to(bench: Bench) -> None:
    await half_deaf(bench, offer())
    assert bench.endings == [(Cause.NO_COMMON_MEDIA, 488)]
    assert "call.renegotiate" not in bench.caller.types


@pytest.mark.parametrize("rescue", ["the page changes over", "the trunk goes back", "the page hangs up"])
async def test_no_end_for_want_of_a_codec_hangs_over_a_call_that_is_heard_again_or_over(
    bench: Bench, rescue: str
) -> None:
    await half_deaf(bench)
    assert bench.leg._codec is not None
    assert bench.leg._codec._patience is not None
    match rescue:
        case "the page changes over":
            bench.leg.take_new_offer(with_ilbc(offer()))
        case "the trunk goes back":
            bench.leg.post(Suit(Format("PCMU", 0)))
        case _:
            bench.leg.hang_up()
    assert bench.leg._codec._patience is None


# -- media and DTLS -----------------------------------------------------------------------------------


async def test_browser_leg_that_the_media_core_broke_ends_the_call(bench: Bench) -> None:
    bench.call()
    bench.media.handler(relays.Broken())
    assert bench.report.events == [Ended(media_core_error())]


async def test_browser_that_vanished_ends_the_call_with_a_hint(bench: Bench) -> None:
    bench.call()
    bench.media.handler(relays.PeerSilent("no STUN for 30 s"))
    (event,) = bench.report.events
    assert isinstance(event, Ended)
    assert event.ending.cause is Cause.CONNECTION_LOST
    assert "no STUN for 30 s" in event.ending.sentence
    assert "firewall" in event.ending.hint


@pytest.mark.parametrize(
    "event",
    [
        relays.Nominated("192.0.2.9:5000"),
        relays.MediaStarted(),
        relays.MediaStalled(),
        relays.RtcpBye(),
        relays.Hushed(),
        relays.DtlsOverflow(),
    ],
    ids=lambda event: type(event).__name__,
)
async def test_what_media_does_is_noted_and_changes_nothing(bench: Bench, event: relays.MediaEvent) -> None:
    bench.call()
    bench.media.handler(event)
    assert len(bench.report.notes) == 1
    assert bench.report.events == []


async def test_a_key_in_the_browsers_rtp_is_told(bench: Bench) -> None:
    bench.call()
    bench.media.handler(relays.DigitHeard("5", 90, "rfc4733"))
    assert bench.report.events == [Pressed("5", 90, in_media=True)]


async def browser_of(bench: Bench) -> DtlsEndpoint:
    """A browser on the other end of the path, after its handshake."""
    browser: DtlsEndpoint = DtlsEndpoint(
        Certificates().current(), "client", lambda data: bench.media.handler(relays.DtlsDatagram(data))
    )
    answer = bench.call(offer(fingerprint=browser.fingerprint_sha256))
    assert bench.endpoint._path is not None
    bench.endpoint._path._send_datagram = browser.receive  # the media core would carry it
    printed = next(line for line in answer.splitlines() if line.startswith("a=fingerprint:"))
    async with asyncio.timeout(10):
        keys = await browser.handshake((Fingerprint("sha-256", printed.partition(" ")[2]),))
        await bench.report.note_of("DTLS connected")
    assert bench.media.last("set_srtp") == (keys.profile, keys.send, keys.receive)
    return browser


async def test_keys_of_the_handshake_go_to_the_media(bench: Bench) -> None:
    await browser_of(bench)
    assert ("DTLS connected", "AEAD_AES_128_GCM") in bench.report.notes


async def test_browser_that_closes_its_media_gets_a_grace_and_then_the_call_ends(bench: Bench) -> None:
    bench.house.grace_s = 0.0
    bench.leg = BrowserLeg(bench.house.surroundings, bench.report.report, record="r", remote="echo")
    browser = await browser_of(bench)
    await browser.close()
    event: LegEvent = await bench.report.next_event()
    assert isinstance(event, Ended)
    assert event.ending.sentence == "The browser closed its media connection."
    assert any(what == "grace" for what, _ in bench.report.notes)


async def test_page_that_returns_within_the_grace_keeps_its_call(bench: Bench) -> None:
    browser = await browser_of(bench)
    await browser.close()
    assert "unless the page returns" in await bench.report.note_of("grace")
    bench.leg.take_new_offer(offer(ufrag="bbbb", fingerprint="CD"))
    assert not bench.leg._grace.cancel()
    assert bench.report.events == []


async def test_browser_whose_network_went_silent_gets_a_grace_and_then_the_call_ends(bench: Bench) -> None:
    bench.house.grace_s = 0.0
    bench.leg = BrowserLeg(bench.house.surroundings, bench.report.report, record="r", remote="echo")
    bench.call()
    bench.media.handler(relays.BrowserSilent("no valid STUN or SRTP for 8 s"))
    assert bench.report.events == []
    event = await bench.report.next_event()
    assert isinstance(event, Ended)
    assert event.ending.sentence == "The browser's network went silent: no valid STUN or SRTP for 8 s."
    assert "lost its network" in event.ending.hint


async def test_silent_browser_that_shows_life_again_keeps_its_call(bench: Bench) -> None:
    bench.call()
    bench.media.handler(relays.BrowserSilent("no valid STUN or SRTP for 8 s"))
    bench.media.handler(relays.BrowserReturned())
    assert [what for what, _ in bench.report.notes] == ["grace", "returned"]
    assert not bench.leg._grace.cancel()
    assert bench.report.events == []


async def test_life_on_the_old_path_is_no_return_of_a_browser_that_closed_its_media(bench: Bench) -> None:
    browser = await browser_of(bench)
    await browser.close()
    await bench.report.note_of("grace")
    bench.media.handler(relays.BrowserReturned())
    assert bench.leg._grace.cancel()
