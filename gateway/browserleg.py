"""The browser's half of a call: its media leg, its DTLS, and what its page is told."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, assert_never

from call import browser_sdp, causes
from call.browser_sdp import BrowserAnswer, BrowserOffer, LocalTransport
from call.causes import Ending
from call.codecs import CodecName, Format
from call.coupling import Accept, Command, Hold, Press, Progress, Release, Suit, Warn
from call.errors import PeerError
from call.interworking import Choice, Preference
from call.leg import Answered, Ended, Headers, Held, Pressed, Settled
from gateway import relays
from gateway.audiowatch import AudioWatch
from gateway.browsercodec import BrowserCodec
from gateway.browserdtls import BrowserDtls
from gateway.callpages import CallPages
from gateway.directory import Session
from gateway.grace import Grace, Loss
from gateway.relays import Leg, MediaEvent
from gateway.speaker import Speaker
from gateway.surroundings import Report, Surroundings
from webrtc import signalling
from webrtc.dtls import SrtpKeys

_NETWORK: Final = "The browser's device may have lost its network, or was switched off."
_FIREWALL: Final = "A firewall may block UDP to the gateway's media port."


class BrowserLeg:
    """One browser on one call, from its first offer (or the first ring) to the end."""

    def __init__(self, house: Surroundings, report: Report, *, record: str, remote: str) -> None:
        self._house, self._report = house, report
        self._record, self._remote = record, remote
        self.describe_codecs: Callable[[], str] = lambda: ""
        self.final_stats: dict[str, Any] = {}
        self.media: Leg | None = None
        self.offered: tuple[Format, ...] = ()
        self.speaker: Speaker | None = None
        self._is_held = self._is_recorded = False
        self._pages = CallPages(self)
        self._incoming: signalling.CallIncoming | None = None  # what pages are told, if we are called
        self._is_answered = False
        self._is_over = False
        self._codec: BrowserCodec | None = None
        self._remote_ice = ("", "")
        self._answer: BrowserAnswer | None = None
        self._dtls: BrowserDtls | None = None
        self._credentials = ("", "")
        self._sdp_session = secrets.randbits(62)
        self._sdp_version = 0
        self._ringing: asyncio.TimerHandle | None = None
        self._grace = Grace(house.grace_s)
        self._watch = AudioWatch(
            "browser", stats=self._stats, expects_audio=lambda: not self._is_held, tell=self._tell_one_way
        )

    @property
    def choice(self) -> Choice | None:
        """The codec that the page was given, and why."""
        return self._codec.choice if self._codec else None

    @property
    def format(self) -> Format | None:
        """The codec as the page has it, once that is answered."""
        return self._answer.format if self._answer else None

    @property
    def takes_noise(self) -> bool:
        """Whether silence may go to the browser, and come from it, as comfort noise."""
        return self._answer is not None and self._answer.comfort_noise is not None

    # -- the page -------------------------------------------------------------------------------------

    def belong_to(self, session: Session, name: str) -> None:
        """The page of `session` started this call and calls it `name`."""
        self._pages.name = name
        self._pages.add(session)

    def ring(self, sessions: Iterable[Session], incoming: signalling.CallIncoming, ring_s: float) -> None:
        """Let the pages of the called user ring; the first one that accepts has the call."""
        self._incoming = incoming
        self._pages.name = incoming.call
        for session in sessions:
            self.ring_also(session)
        ending = causes.not_answered(self._pages.user)
        self._ringing = asyncio.get_running_loop().call_later(ring_s, self._finish, ending)

    def ring_also(self, session: Session) -> None:
        """Another page of the user rings, unless it does already or the call rings no more."""
        if self._incoming is None or self._is_answered or self._is_over or session in self._pages:
            return
        self._pages.add(session)
        session.send(self._incoming)

    def accept(self, session: Session, sdp: str, codecs: Sequence[CodecName], prefer: Preference) -> None:
        """A page takes the incoming call.

        Raises:
            GatewayError: Its offer cannot be served; the call goes on ringing.
        """
        if self._is_answered or self._incoming is None:
            raise PeerError("This call does not ring any more.")
        answer = self.take_offer(sdp, codecs, prefer)
        self._stop_ringing()
        self._is_answered = True
        self._pages.end(causes.answered_elsewhere(), but=session)
        self._report.note("accepted", f"by a page of {session.user}")
        self._pages.send(signalling.CallAnswerSdp(self._pages.name, answer, self._record))
        self._report.emit(Answered())
        self._begin_watch()
        self._pages.send(signalling.CallAnswered(self._pages.name, self.describe_codecs()))

    def hang_up(self) -> None:
        """The page hangs up, gives up or refuses."""
        if self._is_answered:
            self._finish(causes.hung_up(self._pages.user))
        else:
            self._finish(causes.refused(self._pages.user) if self._incoming else causes.cancelled(self._pages.user))

    def press(self, digits: str) -> None:
        """The page sends digits."""
        self._report.note("digits", digits)
        self._report.emit(Pressed(digits.upper()))

    def hold(self, on: bool) -> None:
        """The page holds the call, or goes on: the far end hears music, the page nothing.

        Raises:
            PeerError: The call is not answered yet.
        """
        if not self._is_answered or self.speaker is None:
            raise PeerError("Only an answered call can be held.", hint="Wait for the far end.")
        self._is_held = on
        self._report.note("hold" if on else "hold ended", "")
        self.speaker.set_background(self._house.sounds.silence if on else None)
        self._pages.send(signalling.CallHeld(self._pages.name, on))
        self._report.emit(Held(on))

    def tell_recording(self, on: bool) -> None:
        """Let the page show whether the call is being recorded."""
        self._is_recorded = on
        self._pages.send(signalling.CallRecording(self._pages.name, on))

    def page_lost(self, sentence: str, session: Session | None = None) -> None:
        """A page is gone for good; the last one takes the call with it."""
        if session is not None and len(self._pages) > 1:
            self._pages.remove(session)
            return
        self._finish(causes.connection_lost(sentence))

    def summary(self, name: str) -> signalling.LiveCall:
        """What a page that comes back must know."""
        direction: Any = "incoming" if self._incoming else "outgoing"
        state: Any = "answered" if self._is_answered else "ringing"
        return signalling.LiveCall(name, direction, self._remote, state, self._is_held, self._is_recorded)

    # -- offers of the page ---------------------------------------------------------------------------

    def take_offer(self, sdp: str, codecs: Sequence[CodecName], prefer: Preference) -> str:
        """Answer the first offer: choose the codec, open the media leg, let DTLS begin.

        Raises:
            GatewayError: The offer cannot be served; nothing was allocated.
        """
        offer = browser_sdp.read_browser_offer(sdp)
        self._codec = BrowserCodec(offer.codec_names, codecs, prefer, self._finish)
        self._renew_credentials()
        self.media = self._house.relays.browser_leg(*self._credentials, self._on_media)
        self._dtls = self._open_dtls(self.media)
        self.speaker = Speaker(self._house.relays, self.media, self._report.note)
        return self._answer_offer(offer)

    def take_new_offer(self, sdp: str) -> None:
        """Answer another offer of the same call: ICE restart, new connection, or asked for; the trunk notices nothing.

        Whatever it was made for, its answer has the codec that became better meanwhile.

        Raises:
            GatewayError: The offer cannot be served; the media goes on as before.
        """
        if self.media is None or self._codec is None:
            raise PeerError("This call has no media yet.")
        offer = browser_sdp.read_browser_offer(sdp)
        better = self._codec.better(offer.codec_names)
        offer.format_of((better or self._codec.choice).codec)
        if (offer.ufrag, offer.pwd) != self._remote_ice:
            self._renew_credentials()
            self.media.restart_ice(*self._credentials)
            self._report.note("ICE restart", "the page sent new credentials")
        if better is not None:
            self._codec.change_to(better)
        answer = self._answer_offer(offer)
        self._grace.cancel()
        codecs = self.describe_codecs()
        self._pages.send(signalling.CallAnswerSdp(self._pages.name, answer, self._record, codecs))
        if better is not None and self.format is not None:
            self._report.note("codec changes", codecs)
            self._report.emit(Settled(self.format))

    def _answer_offer(self, offer: BrowserOffer) -> str:
        assert self._dtls is not None and self._codec is not None
        setup = self._dtls.answer(offer)
        self._sdp_version += 1
        answer = browser_sdp.browser_answer(
            offer,
            codec=self._codec.choice.codec,
            transport=LocalTransport(
                self._house.relays.browser_candidates, *self._credentials, self._dtls.fingerprint_sha256
            ),
            session_id=self._sdp_session,
            version=self._sdp_version,
            setup=setup,
            comfort_noise=self._codec.spares_silence,
        )
        # Of the offer only what the next one is compared with: parsed, it would be many kB.
        self.offered, self._answer = offer.codecs, answer
        self._remote_ice = (offer.ufrag, offer.pwd)
        self._apply(answer)
        return answer.sdp

    def _apply(self, answer: BrowserAnswer) -> None:
        assert self.media is not None
        self.media.set_codec(
            answer.format.codec,
            answer.format.payload_type,
            (answer.telephone_event,) if answer.telephone_event else (),
            answer.ptime_ms,
            answer.comfort_noise,
        )
        self.media.set_sending(answer.direction.sends)
        self.media.set_receiving(answer.direction.receives)

    def _renew_credentials(self) -> None:
        # ice-char is letters, digits, + and / (RFC 8839 §5.4); 128 bits of password (RFC 8445 §5.3)
        self._credentials = (secrets.token_hex(4), secrets.token_hex(16))

    # -- DTLS and media -------------------------------------------------------------------------------

    def _open_dtls(self, media: Leg) -> BrowserDtls:
        dtls = BrowserDtls(self._house.certificates, self._house.spawn, media.send_dtls)
        dtls.on_keys = self._on_keys
        dtls.on_failed = lambda error: self._finish(causes.connection_lost(str(error), error.hint))
        dtls.on_closed = lambda: self._start_grace(Loss.CLOSED, "The browser closed its media connection.")
        return dtls

    def _on_keys(self, keys: SrtpKeys) -> None:
        if self.media is None or self._is_over:
            return
        self.media.set_srtp(keys.profile, keys.receive, keys.send)
        self._report.note("DTLS connected", keys.profile)

    def _on_media(self, event: MediaEvent) -> None:
        match event:
            case relays.DtlsDatagram(data):
                if self._dtls is not None:
                    self._dtls.receive(data)
            case relays.Nominated(path):
                self._report.note("ICE path", path)
            case relays.MediaStarted():
                self._report.note("audio arrives", "first packet from the browser")
                self._watch.resumed()
                if self._dtls is not None:
                    self._dtls.settle()
            case relays.MediaStalled():
                self._report.note("audio stopped", "no packet from the browser for some seconds")
                self._watch.stalled()
            case relays.Played(number):
                if self.speaker is not None:
                    self.speaker.on_played(number)
            case relays.Unplayable(number):
                if self.speaker is not None:
                    self.speaker.on_unplayable(number)
            case relays.DigitHeard(digit, duration_ms, _):
                self._report.note("digit in RTP", f"{digit} for {duration_ms} ms")
                self._report.emit(Pressed(digit, duration_ms, in_media=True))
            case relays.BrowserSilent(why):
                self._start_grace(Loss.SILENT, f"The browser's network went silent: {why}.", _NETWORK)
            case relays.BrowserReturned():
                if self._grace.packet_came():
                    self._report.note("returned", "the browser's network works again")
            case relays.PeerSilent(why):
                self._finish(causes.connection_lost(f"The connection to the browser was lost: {why}.", _FIREWALL))
            case relays.Broken():
                self._finish(causes.media_core_error())
            case relays.RtcpBye():
                self._report.note("RTCP BYE", "from the browser")
            case relays.Soundless(is_soundless):
                self._watch.soundless(is_soundless)
            case relays.Hushed():
                # No word to the page: whoever mutes there knows it.
                self._report.note("microphone is silent", "the browser sends only digital silence: muted, or unplugged")
            case relays.Undecryptable():
                self._report.note("audio cannot be decrypted", "packets from the browser fail authentication")
            case relays.Detour():
                pass  # a trunk's matter: ICE alone says where a browser is
            case relays.DtlsOverflow():
                self._report.note("DTLS overflow", "the browser sent more handshake packets than we can queue")
            case _:
                assert_never(event)

    def _start_grace(self, loss: Loss, sentence: str, hint: str = "") -> None:
        """Only a hang-up or the end of the grace ends the call of a lost browser (design D13)."""
        if self._is_over:
            return
        self._watch.resumed()
        ending = causes.connection_lost(sentence, hint)
        begins = self._grace.begin(loss, lambda: self._finish(ending))
        end = f"ends in {self._house.grace_s:.0f} s unless the page returns" if begins else "keeps its grace"
        self._report.note("grace", f"{sentence} The call {end}.")

    def _stop_ringing(self) -> None:
        if self._ringing is not None:
            self._ringing.cancel()
            self._ringing = None

    # -- commands of the call -------------------------------------------------------------------------

    def post(self, command: Command) -> None:
        """Carry out what the call decided."""
        if self._is_over:
            return
        match command:
            case Progress(status, early_media, headers):
                self._pages.send(signalling.CallProgress(self._pages.name, status, early_media, _page_headers(headers)))
            case Accept(headers):
                self._is_answered = True
                self._begin_watch()
                message = signalling.CallAnswered(self._pages.name, self.describe_codecs(), _page_headers(headers))
                self._pages.send(message)
            case Press(digits, _, _):
                self._pages.send(signalling.CallDtmf(self._pages.name, digits))
            case Suit(format):
                self._suit(format.codec)
            case Hold():
                pass  # a trunk's hold is its own business: it sends its own music, or nothing
            case Warn(sentence, hint):
                self._pages.send(signalling.Error("not-possible", sentence, hint, self._pages.name))
            case Release(ending):
                self._finish(ending)
            case _:
                assert_never(command)

    def _suit(self, trunk_codec: CodecName) -> None:
        """Ask the page for another offer, if another codec is better by now; if nothing is heard, it must make one."""
        why = self._codec.suit(trunk_codec, [one.codec for one in self.offered]) if self._codec else ""
        if why:
            self._report.note("renegotiation", why)
            self._pages.send(signalling.CallRenegotiate(self._pages.name, why))

    def _stats(self) -> dict[str, Any]:
        return dict(self.media.stats()) if self.media is not None else {}

    def _begin_watch(self) -> None:
        """The call is up: what is heard from now on counts."""
        if self.media is not None:
            self.media.answered()
        self._watch.answered()

    def _tell_one_way(self, sentence: str, hint: str) -> None:
        self._report.note("one-way audio", hint)
        self.post(Warn(sentence, hint))

    def discard(self) -> None:
        """Give back what a call took that never began: nobody is told anything."""
        self._is_over = True
        self._pages.clear()
        if self.media is not None:
            self._house.spawn(self._close(self.media, self._dtls))

    def _finish(self, ending: Ending) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._stop_ringing()
        self._grace.cancel()
        self._watch.cancel()
        if self._codec is not None:
            self._codec.cancel()
        self._pages.end(ending)
        if self.media is not None:
            self.final_stats = dict(self.media.stats())
            self._house.spawn(self._close(self.media, self._dtls))
        self._report.emit(Ended(ending))

    async def _close(self, media: Leg, dtls: BrowserDtls | None) -> None:
        """close_notify first, while the path is still there."""
        if dtls is not None:
            await dtls.close()
        self._house.relays.release(media)


def _page_headers(headers: Headers) -> dict[str, str]:
    return {name: value for name, value in headers if name.lower().startswith("x-")}
