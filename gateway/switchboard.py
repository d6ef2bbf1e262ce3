"""All live calls: makes them from what pages and trunks ask, and carries events to their legs."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, assert_never

from call import causes
from call.causes import Cause, Ending
from call.coupling import Side
from call.errors import (
    GatewayError,
    LimitReached,
    PeerError,
    PolicyError,
    TransportError,
    UnacceptableOffer,
    UnknownDestination,
)
from call.leg import Ringing
from gateway.admission import Admission
from gateway.browserleg import BrowserLeg
from gateway.callrecord import CallRecord
from gateway.config import SessionSettings, TrunkSettings
from gateway.directory import Directory, Session
from gateway.livecall import LiveCall
from gateway.records import Records
from gateway.refusals import Refusals
from gateway.routing import Router
from gateway.surroundings import Surroundings
from gateway.trunkleg import TrunkLeg
from sip import messages
from webrtc import signalling

log = logging.getLogger(__name__)

DRAIN_S: Final = 5.0
"""How long a stopping gateway waits for its calls to say goodbye."""

_OPEN_FILES: Final = "Raise the limit of open files: LimitNOFILE in the systemd unit, or `ulimit -n`."

_CAUSES: Final[tuple[tuple[type[GatewayError], Cause], ...]] = (
    (UnacceptableOffer, Cause.NO_COMMON_MEDIA),
    (UnknownDestination, Cause.NOT_FOUND),
    (LimitReached, Cause.LIMIT),
    (PolicyError, Cause.NOT_ALLOWED),
    (TransportError, Cause.OVERLOAD),
    (PeerError, Cause.NO_COMMON_MEDIA),
)


class Switchboard:
    """Live calls by their id, and trunk legs by the worker's name for them."""

    def __init__(
        self,
        house: Surroundings,
        *,
        trunks: Mapping[str, TrunkSettings],
        session: SessionSettings,
        admission: Admission,
        router: Router,
        directory: Directory,
        records: Records,
        post: Callable[[messages.Command], None],
    ) -> None:
        self.attend: Callable[[LiveCall], None] = lambda _: None
        """Gives a new call what listens in on it; set by whoever wires the gateway."""
        self._house, self._trunks, self._session, self._admission = house, trunks, session, admission
        self._router, self._directory, self._records, self._post = router, directory, records, post
        self._refusals = Refusals(records.save)
        self._calls: dict[str, LiveCall] = {}
        self._trunk_legs: dict[str, TrunkLeg] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def calls(self) -> Mapping[str, LiveCall]:
        """The calls that are up or being set up."""
        return self._calls

    # -- from pages -----------------------------------------------------------------------------------

    def handle(self, session: Session, message: signalling.ClientMessage) -> None:
        """Act on one message of a page.

        Raises:
            GatewayError: It was refused; calls that are up are as they were.
        """
        match message:
            case signalling.CallStart():
                self._start(session, message)
            case signalling.CallAccept(call, sdp):
                self._accept(session, self._leg(session, call), sdp)
            case signalling.CallOffer(call, sdp):
                self._leg(session, call).take_new_offer(sdp)
            case signalling.CallDtmf(call, digits):
                self._leg(session, call).press(digits)
            case signalling.CallHold(call, on):
                self._leg(session, call).hold(on)
            case signalling.CallHangup(call) | signalling.CallReject(call):
                self._leg(session, call).hang_up()
            case signalling.Goodbye():
                for leg in list(session.legs.values()):
                    leg.page_lost("The page was closed.", session)
            case signalling.Hello():
                raise PeerError("This socket has said hello already.")
            case signalling.Ping():
                pass  # the socket answers it
            case _:
                assert_never(message)

    def _leg(self, session: Session, name: str) -> BrowserLeg:
        try:
            return session.legs[name]
        except KeyError:
            raise PeerError(f"There is no call {name}.", hint="It may have ended a moment ago.") from None

    def _accept(self, session: Session, leg: BrowserLeg, sdp: str) -> None:
        """A page takes a call that rings; a mistake of ours with it ends the call: half accepted, it would ring on."""
        live = next(call for call in self._calls.values() if call.browser is leg)
        trunk = self._trunks[live.trunk_name]
        codecs = live.trunk.spoken_codecs if live.trunk else trunk.spoken_codecs
        try:
            leg.accept(session, sdp, codecs, trunk.prefer)
        except GatewayError:
            raise
        except Exception:
            log.exception("call %s: the page's accept was mishandled", live.id)
            live.end(causes.gateway_error())

    def _start(self, session: Session, message: signalling.CallStart) -> None:
        if message.call in session.legs:
            raise PeerError(f"There is a call {message.call} already.", hint="Choose a new name for every call.")
        try:
            self._admission.check()
            route = self._router.outgoing(message.to, session.identity)
        except GatewayError as error:
            self._refuse(session, message, error, trunk="")
            return
        live = LiveCall(
            _new_id(),
            "outgoing",
            user=session.user,
            remote=route.number,
            trunk=route.trunk,
            max_s=session.identity.max_call_s,
        )
        live.on_answer = lambda: self._admission.answer(live.id, live.end)
        live.on_page_left = lambda: self._admission.leave(live.id)
        with self._beginning(live, lambda error: self._refuse(session, message, error, trunk=route.trunk)):
            self._admission.begin(live.id, live.trunk_name, caller=live.user)
            self._dial(live, session, message)

    def _dial(self, live: LiveCall, session: Session, message: signalling.CallStart) -> None:
        trunk = self._trunks[live.trunk_name]
        browser = live.browser = self._browser_leg(live, Side.CALLER)
        answer = browser.take_offer(message.sdp, trunk.spoken_codecs, trunk.prefer)
        assert browser.media is not None and browser.format is not None
        leg = live.trunk = self._trunk_leg(live.id, live, Side.CALLEE)
        browser.belong_to(session, message.call)
        leg.follow(browser.format, browser.offered)
        self._house.relays.couple(browser.media, leg.media)
        session.send(signalling.CallAnswerSdp(message.call, answer, live.id))
        self._begin(live)
        identity = session.identity
        from_user = identity.caller_id or trunk.caller_id or ("" if trunk.user else identity.user)
        leg.invite(live.remote, from_user, identity.display, tuple(message.headers.items()))

    def _refuse(self, session: Session, message: signalling.CallStart, error: Exception, *, trunk: str) -> None:
        """The page learns why its call never began."""
        ending = _ending_of(error)
        session.send(
            signalling.CallEnded(message.call, ending.cause.value, ending.sip_status, ending.sentence, ending.hint)
        )
        self._refusals.keep(_refusal("outgoing", session.user, message.to, trunk, ending))

    # -- from trunks ----------------------------------------------------------------------------------

    def on_sip(self, event: messages.TrunkEvent) -> None:
        """Carry an event of the SIP worker to its leg; an INVITE makes a new call.

        A mistake of ours with it ends the call of this leg and no other.
        """
        if isinstance(event, messages.InviteRefused):
            self._keep_refused(event)
            return
        try:
            if isinstance(event, messages.Incoming):
                self._incoming(event)
            elif (leg := self._trunk_legs.get(event.leg)) is not None:
                leg.on_sip(event)
            else:
                log.debug("event for a leg that is gone: %s", event.type)
        except Exception:
            log.exception("an event of the SIP worker was mishandled: %s", event.type)
            self._end_mishandled(event.leg)

    def _end_mishandled(self, leg_id: str) -> None:
        leg = self._trunk_legs.get(leg_id)
        live = next((call for call in self._calls.values() if leg is not None and call.trunk is leg), None)
        if live is not None:
            live.end(causes.gateway_error())
        else:
            self._post(messages.Release(leg_id, 500))

    def on_worker_lost(self, why: str) -> None:
        """The SIP worker died: its dialogs are gone, so their calls end."""
        log.error("SIP worker lost: %s", why)
        for leg in list(self._trunk_legs.values()):
            leg.on_sip(messages.Ended(leg.id, "fault", 503, fault="worker", detail=why))

    def _incoming(self, event: messages.Incoming) -> None:
        user = self._router.incoming(event.number)
        sessions = self._directory.sessions_of(user) if user else []
        if user is None:
            words = f"Trunk {event.trunk} called {event.number}, which belongs to no user."
            hint = "Check the `numbers` of your users."
            self._refuse_incoming(event, "", Ending(Cause.NOT_FOUND, 404, words, hint))
        elif not sessions:
            words = f"{user} is not logged in on any page."
            self._refuse_incoming(event, user, Ending(Cause.UNAVAILABLE, 480, words))
        else:
            self._ring(event, user, sessions)

    def _refuse_incoming(self, event: messages.Incoming, user: str, ending: Ending) -> None:
        self._post(messages.Release(event.leg, ending.sip_status))
        self._refusals.keep(_refusal("incoming", user, event.from_user, event.trunk, ending))

    def _keep_refused(self, event: messages.InviteRefused) -> None:
        """All that is left of an INVITE that the worker had to refuse."""
        words = f"Trunk {event.trunk} called {event.number}, which was refused with {event.status}: {event.detail}."
        cause = Cause.NO_COMMON_MEDIA if event.fault == "media" else Cause.TRUNK_ERROR
        ending = Ending(cause, event.status, words)
        user = self._router.incoming(event.number) or ""
        self._refusals.keep(_refusal("incoming", user, event.from_user, event.trunk, ending))

    def _ring(self, event: messages.Incoming, user: str, sessions: list[Session]) -> None:
        live = LiveCall(_new_id(), "incoming", user=user, remote=event.from_user, trunk=event.trunk)
        live.on_answer = lambda: self._admission.answer(live.id, live.end)
        with self._beginning(live, lambda error: self._refuse_incoming(event, user, _ending_of(error))):
            self._admission.check()
            self._admission.begin(live.id, live.trunk_name)
            leg = live.trunk = self._trunk_leg(event.leg, live, Side.CALLER)
            leg.take_incoming(event)
            browser = live.browser = self._browser_leg(live, Side.CALLEE)
            live.couple_media(lambda: self._couple(browser, leg))
            where = f"through trunk {event.trunk} from {event.source}"
            live.note("INVITE", f"{event.from_user} calls {event.number} {where}")
            self._begin(live)
            browser.ring(sessions, _ringing_message(live.id, event), self._session.ring_s)
            live.report_of(Side.CALLEE).emit(Ringing(180))

    def _couple(self, browser: BrowserLeg, trunk: TrunkLeg) -> None:
        if browser.media is not None:
            self._house.relays.couple(browser.media, trunk.media)

    # -- life of calls --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _beginning(self, live: LiveCall, refuse: Callable[[Exception], None]) -> Iterator[None]:
        """Within the block a call begins as a whole, or is refused and gives back what it took."""
        try:
            yield
        except Exception as error:
            if not isinstance(error, GatewayError):
                log.exception("the call of %s with %s could not begin", live.user, live.remote)
            if live.id in self._calls:
                live.end(causes.gateway_error())
            else:
                self._take_back(live)
                refuse(error)

    def _take_back(self, live: LiveCall) -> None:
        """Forget a call that did not begin."""
        self._admission.end(live.id)
        if live.browser is not None:
            live.browser.discard()
        if live.trunk is not None:
            self._trunk_legs.pop(live.trunk.id, None)
            self._house.relays.release(live.trunk.media)

    def _browser_leg(self, live: LiveCall, side: Side) -> BrowserLeg:
        leg = BrowserLeg(self._house, live.report_of(side), record=live.id, remote=live.remote)
        leg.describe_codecs = live.describe_codecs
        return leg

    def _trunk_leg(self, leg_id: str, live: LiveCall, side: Side) -> TrunkLeg:
        settings = self._trunks[live.trunk_name]
        try:
            leg = TrunkLeg(
                leg_id,
                live.trunk_name,
                settings,
                relays=self._house.relays,
                sounds=self._house.sounds,
                post=self._post,
                report=live.report_of(side),
            )
        except OSError as error:
            sentence = f"The call gets no RTP ports: {error.strerror}."
            hint = _OPEN_FILES if error.errno in (errno.EMFILE, errno.ENFILE) else "Widen `media.rtp_ports`."
            raise TransportError(sentence, hint=hint) from error
        self._trunk_legs[leg_id] = leg
        return leg

    def _begin(self, live: LiveCall) -> None:
        self.attend(live)
        live.save = self._records.save
        live.keep()
        self._calls[live.id] = live
        self._idle.clear()
        self._house.spawn(self._run(live))

    async def _run(self, live: LiveCall) -> None:
        try:
            record = await live.run()
            self._records.save(record)
            log.info("call %s of %s with %s ended: %s", live.id, live.user, live.remote, record.sentence)
        finally:
            self._forget(live)

    def _forget(self, live: LiveCall) -> None:
        self._admission.end(live.id)
        self._calls.pop(live.id, None)
        if live.trunk is not None and self._trunk_legs.get(live.trunk.id) is live.trunk:  # a new worker reuses names
            del self._trunk_legs[live.trunk.id]
        if not self._calls:
            self._idle.set()

    async def drain(self) -> None:
        """End all calls with a reason and wait for their goodbyes, at most `DRAIN_S`."""
        self._admission.stop()
        ending = Ending(Cause.GATEWAY_ERROR, 503, "The gateway was stopped.", "Call again in a minute.")
        for live in list(self._calls.values()):
            live.end(ending)
        try:
            async with asyncio.timeout(DRAIN_S):
                await self._idle.wait()
        except TimeoutError:
            for live in self._calls.values():
                self._records.save(live.record())


def _ending_of(error: Exception) -> Ending:
    """Why a call did not begin; whatever is no `GatewayError` is a mistake of ours."""
    if not isinstance(error, GatewayError):
        return causes.gateway_error()
    cause = next((cause for kind, cause in _CAUSES if isinstance(error, kind)), Cause.GATEWAY_ERROR)
    return Ending(cause, error.sip_status, str(error), error.hint)


def _ringing_message(call_id: str, event: messages.Incoming) -> signalling.CallIncoming:
    headers = {name: value for name, value in event.headers if name.lower().startswith("x-")}
    display = event.from_display or event.from_user
    return signalling.CallIncoming(call_id, event.from_user, display, event.number, headers, call_id)


def _refusal(direction: str, user: str, remote: str, trunk: str, ending: Ending) -> CallRecord:
    now = time.time()
    words: dict[str, Any] = {"sip_status": ending.sip_status, "sentence": ending.sentence, "hint": ending.hint}
    return CallRecord(_new_id(), direction, user, remote, trunk, now, ended_at=now, cause=ending.cause.value, **words)


def _new_id() -> str:
    return secrets.token_hex(6)
