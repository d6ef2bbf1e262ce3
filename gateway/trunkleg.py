"""The trunk's half of a call: its RTP leg, its SDP, and the commands to the SIP worker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any, Final, assert_never

from call import causes, trunk_sdp
from call.causes import Cause, Ending
from call.codecs import CodecName, Format, with_comfort_noise
from call.coupling import Accept, Command, Hold, Press, Progress, Release, Suit, Warn
from call.errors import GatewayError, PeerError
from call.leg import Answered, Ended, Failed, Headers, Ringing
from call.trunk_sdp import TrunkMedia
from gateway import relays
from gateway.audiowatch import AudioWatch
from gateway.config import TrunkSettings
from gateway.relays import Leg, MediaEvent, Relays
from gateway.sounds import Sounds
from gateway.speaker import Speaker
from gateway.surroundings import Report
from gateway.toldcodec import ToldCodec
from gateway.trunkdescription import TrunkDescription
from gateway.trunkdigits import TrunkDigits
from gateway.trunkkeys import TrunkKeys
from gateway.trunkpace import OFFERS_BURST, OFFERS_PER_S, TrunkPace
from sip import messages

log = logging.getLogger(__name__)

Post = Callable[[messages.Command], None]

RELEASE_TIMEOUT_S: Final = 40.0
"""A BYE that nobody answers ends after 32 s (timer F, RFC 3261 §17.1.2.2); then we stop waiting."""


class TrunkLeg:
    """One SIP dialog with a trunk, and its RTP."""

    def __init__(
        self,
        leg_id: str,
        trunk: str,
        settings: TrunkSettings,
        *,
        relays: Relays,
        sounds: Sounds,
        post: Post,
        report: Report,
    ) -> None:
        self.id, self.trunk = leg_id, trunk
        self._settings, self._relays, self._post, self._report = settings, relays, post, report
        self._sounds = sounds
        self.final_stats: dict[str, Any] = {}
        self.remote: TrunkMedia | None = None
        self.number = ""
        self._is_caller = self._is_answered = self._is_over = False
        self._hears_media = False
        self._releasing: Ending | None = None
        self._watchdog: asyncio.TimerHandle | None = None
        self.media: Leg = relays.rtp_leg(self._on_media)
        self.speaker = Speaker(relays, self.media, report.note)
        self._keys = TrunkKeys(
            trunk, settings.srtp, is_over_tls=settings.transport == "tls", media=self.media, report=report
        )
        self._ours = TrunkDescription(settings, self._keys, address=relays.trunk_address, rtp_port=self._rtp_address[1])
        self._watch = AudioWatch(
            "trunk", stats=lambda: self.media.stats(), expects_audio=self._expects_audio, tell=self._tell_one_way
        )
        self._pace = TrunkPace(report)
        self._offer_pace = TrunkPace(report, "re-INVITEs", OFFERS_PER_S, OFFERS_BURST)
        self._told_codec = ToldCodec(report)
        self._digits = TrunkDigits(leg_id, trunk, settings, media=self.media, post=post, report=report, pace=self._pace)

    @property
    def codec(self) -> CodecName | None:
        """What the trunk speaks, once it is known."""
        return self.remote.codec if self.remote else None

    @property
    def spoken_codecs(self) -> tuple[CodecName, ...]:
        """What the trunk speaks; as long as that is open, what it may speak."""
        if self.remote is None:
            return self._ours.codecs
        return with_comfort_noise((self.remote.codec,)) if self.takes_noise else (self.remote.codec,)

    @property
    def takes_noise(self) -> bool:
        """Whether silence may go to the trunk, and come from it, as comfort noise."""
        return self.remote is not None and self.remote.comfort_noise is not None

    def follow(self, browser: Format, offered: Iterable[Format] = ()) -> None:
        """Offer from now on what fits the codec that the browser was given, or another of those that it offered."""
        self._ours.follow(browser, offered)

    # -- beginnings -----------------------------------------------------------------------------------

    def invite(self, number: str, from_user: str, from_display: str, headers: Headers) -> None:
        """Place the call."""
        self.number = number
        self._ours.offer()
        self._report.note("INVITE", f"{number} through trunk {self.trunk}, offering {', '.join(self._ours.codecs)}")
        self._post(messages.Invite(self.id, self.trunk, number, self._ours.text, from_user, from_display, headers))

    def take_incoming(self, event: messages.Incoming) -> None:
        """Read the INVITE that came in.

        Raises:
            GatewayError: Its offer cannot be served.
        """
        self._is_caller = True
        self.number = event.from_user
        if event.sdp is None:
            self._ours.offer()
            return
        self._take_offer(event.sdp)

    # -- events of the worker -------------------------------------------------------------------------

    def on_sip(self, event: messages.LegEvent) -> None:
        """Act on what the worker says about this leg."""
        if self._releasing and not isinstance(event, messages.Ended):
            self._report.note("too late", f"{event.type} crossed our release")  # RFC 5407 §3.1.2
            return
        match event:
            case messages.Ringing():
                self._on_ringing(event)
            case messages.Answered():
                self._on_answered(event)
            case messages.Reoffered(_, sdp):
                self._on_reoffered(sdp)
            case messages.Reanswered():
                self._on_reanswered(event)
            case messages.InfoDtmf():
                self._digits.by_info(event)
            case messages.DtmfRefused():
                self._digits.refused(event)
            case messages.Ended():
                self._on_ended(event)
            case messages.Incoming():
                raise PeerError("A second INVITE for the same leg.")
            case _:
                assert_never(event)

    def _on_ringing(self, event: messages.Ringing) -> None:
        is_told = self._pace.allows()
        if is_told:
            self._report.note(f"{event.status}", "with SDP" if event.sdp else "without SDP")
        if event.sdp is not None:
            self._take_early_media(event.sdp, is_told=is_told)
        if is_told:
            self._report.emit(Ringing(event.status, self._hears_media, _custom(event.headers)))

    def _take_early_media(self, sdp: str, *, is_told: bool) -> None:
        """Apply SDP that comes before the answer, or pass it over: only the final answer decides about the call."""
        try:
            self._apply(self._ours.read_answer(sdp))
        except GatewayError as error:
            if is_told:
                self._report.note("early media ignored", str(error))

    def _on_answered(self, event: messages.Answered) -> None:
        self._is_answered = True
        self.media.answered()
        self._watch.answered()
        if self._is_caller:
            self._report.note("ACK", "the trunk confirmed our 200")
            if self.remote is None:
                self._take_answer(event.sdp)
        else:
            self._report.note("200", "the far end answered")
            if self._take_answer(event.sdp):
                self._report.emit(Answered(_custom(event.headers)))
        self._tell_codec()

    def _tell_codec(self) -> None:
        """By the final answer and what follows it, another codec may be better for the other leg (design D7)."""
        if self._is_answered and self.remote is not None:
            self._told_codec.tell(Format(self.remote.codec, self.remote.payload_type, self.remote.fmtp))

    def _take_offer(self, sdp: str) -> None:
        """Apply the trunk's offer and make our answer."""
        remote = self._ours.read_offer(sdp)
        self._apply(remote)
        self._ours.answer(sdp, remote)

    def _take_answer(self, sdp: str) -> bool:
        """Apply the trunk's answer; one that we cannot serve ends the call."""
        try:
            self._apply(self._ours.read_answer(sdp))
        except GatewayError as error:
            self._report.note("SDP refused", str(error))
            self._begin_release(Ending(Cause.NO_COMMON_MEDIA, 488, str(error), error.hint))
            return False
        return True

    def _on_reoffered(self, sdp: str | None) -> None:
        """A re-INVITE or UPDATE touches this leg alone (design D5)."""
        self._ours.renew()
        try:
            if sdp is None:
                self._ours.offer()
            else:
                self._take_offer(sdp)
        except GatewayError as error:
            self._refuse_reoffer(str(error), error.sip_status)
            return
        except Exception:
            log.exception("leg %s: a re-INVITE was mishandled", self.id)
            self._refuse_reoffer("the gateway made a mistake with it; its log has the details")
            return
        held = self.remote is not None and self.remote.hold
        self._offer_pace.note("re-INVITE", "the far end holds the call" if held else "accepted")
        self._post(messages.Reanswer(self.id, 200, self._ours.text))
        self._tell_codec()

    def _refuse_reoffer(self, why: str, status: int = 488) -> None:
        """The call goes on as before (RFC 3261 §14.2)."""
        self._offer_pace.note("re-INVITE refused", why)
        self._post(messages.Reanswer(self.id, status))

    def _on_reanswered(self, event: messages.Reanswered) -> None:
        """The answer to an offer of ours: in the ACK if the trunk asked for one (RFC 3264 §4), or to a refresh."""
        self._offer_pace.note("re-INVITE answered", str(event.status))
        if event.sdp is not None and self._take_answer(event.sdp):
            self._tell_codec()

    def _on_ended(self, event: messages.Ended) -> None:
        if self._is_over:
            return
        ending = self._releasing or self._ending_of(event)
        why = " ".join(word for word in (event.by, str(event.status), event.phrase, event.fault, event.detail) if word)
        self._report.note("ended", why)
        self._close(ending)

    def _ending_of(self, event: messages.Ended) -> Ending:
        who = self.number or "The far end"
        if event.fault == "" and self._is_answered:
            return causes.hung_up(who)
        if self._is_caller and event.by == "peer":
            return causes.cancelled(who)
        return causes.trunk_ending(
            trunk=self.trunk,
            number=self.number,
            status=event.status,
            phrase=event.phrase,
            fault=event.fault,
            detail=event.detail,
            q850=event.q850,
        )

    # -- commands of the call -------------------------------------------------------------------------

    def post(self, command: Command) -> None:
        """Carry out what the call decided."""
        if self._is_over or self._releasing:
            return
        match command:
            case Progress(status, _, _):
                self._ring(status)
            case Accept():
                self.speaker.set_background(None)
                self._post(messages.Accept(self.id, self._ours.text))
            case Hold(on):
                self._report.note("held" if on else "no longer held", "the far end hears the hold music" if on else "")
                self.speaker.set_background(self._sounds.music if on else None)
            case Press():
                self._digits.press(command)
            case Suit(browser):
                self.follow(browser)
            case Warn(sentence, _):
                self._report.note("warning", sentence)  # a phone has no way to show it
            case Release(ending):
                self._begin_release(ending)
            case _:
                assert_never(command)

    def _ring(self, status: int) -> None:
        """Tell the caller that pages ring; with a ringback sound of ours as early media (RFC 3960 §3.1)."""
        sound = self._sounds.ringback(self.trunk)
        if sound is None or self.remote is None:  # an INVITE without SDP: there is nowhere to send it yet
            self._post(messages.Progress(self.id, status))
            return
        self._report.note("ringback", "our own, as early media")
        self.speaker.set_background(sound)
        self._post(messages.Progress(self.id, 183, self._ours.text))

    def _begin_release(self, ending: Ending) -> None:
        """The media stops at once; the dialog ends when the worker says so."""
        self._releasing = ending
        text = ending.sentence.replace('"', "'").encode("ascii", "ignore").decode()
        reason = ("Reason", f'Q.850;cause={causes.q850_of(ending)};text="{text[:80]}"')
        self._post(messages.Release(self.id, ending.sip_status, "", (reason,)))
        self.media.set_receiving(False)
        self.media.set_sending(False)
        self._watchdog = asyncio.get_running_loop().call_later(RELEASE_TIMEOUT_S, self._give_up)

    def _give_up(self) -> None:
        self._report.note("ended", f"the worker did not confirm the release within {RELEASE_TIMEOUT_S:.0f} s")
        if self._releasing:
            self._close(self._releasing)

    def _close(self, ending: Ending) -> None:
        if self._is_over:
            return
        self._is_over = True
        if self._watchdog is not None:
            self._watchdog.cancel()
        self._watch.cancel()
        self._told_codec.cancel()
        self.final_stats = dict(self.media.stats())
        self._relays.release(self.media)
        self._report.emit(Ended(ending))

    # -- SDP and media --------------------------------------------------------------------------------

    @property
    def _rtp_address(self) -> trunk_sdp.Address:
        assert self.media.address is not None
        return self.media.address

    def _apply(self, remote: TrunkMedia) -> None:
        """Tell the media core what the trunk's SDP says; the keys first: nothing may leave as plain RTP before them.

        Raises:
            GatewayError: The trunk's address cannot be reached; the media goes on as before.
        """
        trunk_sdp.check_reachable(remote, self._rtp_address[0])
        self._keys.settle()
        self.media.set_codec(
            remote.codec,
            remote.payload_type,
            remote.telephone_events,
            remote.ptime_ms,
            remote.comfort_noise,
            remote.offered_as,
        )
        self.media.set_voip_metrics(remote.voip_metrics)
        if remote.rtp is not None:
            changed = self.remote is None or (self.remote.rtp, self.remote.rtcp) != (remote.rtp, remote.rtcp)
            self.media.set_remote(remote.rtp, remote.rtcp, rtcp_mux=remote.rtcp_mux, reopen=changed)
        self.media.set_sending(remote.direction.receives and remote.rtp is not None)
        self.media.set_receiving(remote.direction.sends)
        self._digits.settle(remote)
        self.remote = remote

    def _on_media(self, event: MediaEvent) -> None:
        match event:
            case relays.MediaStarted():
                self._report.note("audio arrives", "first packet from the trunk")
                self._watch.resumed()
                self._hears_media = True
                if not self._is_caller and not self._is_answered and self.remote is not None:
                    self._report.emit(Ringing(183, early_media=True))
            case relays.Detour(None):
                self._report.note("audio goes as announced", "to the address in the trunk's SDP again")
            case relays.Detour(source):
                self._report.note("audio goes elsewhere", f"to {source}, not where the trunk's SDP says")
            case relays.MediaStalled():
                self._report.note("audio stopped", "no packet from the trunk for some seconds")
                self._watch.stalled()
            case relays.Played(number):
                self.speaker.on_played(number)
            case relays.Unplayable(number):
                self.speaker.on_unplayable(number)
            case relays.DigitHeard():
                self._digits.heard(event)
            case relays.PeerSilent(why):
                # Hold and silence suppression look the same: only SIP ends this leg.
                self._report.note("trunk is silent", why)
            case relays.Broken():
                self.post(Release(causes.media_core_error()))
            case relays.RtcpBye():
                self._report.note("RTCP BYE", "from the trunk")
            case relays.Soundless(is_soundless):
                self._watch.soundless(is_soundless)
            case relays.Hushed():
                self._watch.hushed()
            case relays.Undecryptable():
                self._keys.tell_undecryptable(self.number)
            case relays.DtlsDatagram() | relays.Nominated() | relays.DtlsOverflow():
                pass  # a browser's matters; an RTP leg has none of them
            case relays.BrowserSilent() | relays.BrowserReturned():
                pass  # likewise
            case _:
                assert_never(event)

    def _expects_audio(self) -> bool:
        return not self._releasing and self.remote is not None and self.remote.direction.sends

    def _tell_one_way(self, sentence: str, hint: str) -> None:
        self._report.note("one-way audio", hint)
        self._report.emit(Failed(sentence, hint))


def _custom(headers: Headers) -> Headers:
    """The headers that pass through a B2BUA: applications' own."""
    return tuple((name, value) for name, value in headers if name.lower().startswith("x-"))
