"""One INVITE dialog of pjsua2: commands in, events out (RFC 3261 §12 to §15)."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Concatenate, Final, ParamSpec

import pjsua2 as pj

from call.errors import TransportError
from sip import endings, infodigits, messages, siptext
from sip.desk import Desk
from sip.messages import Headers, TrunkAccount
from sip.pjwords import add_headers, call_options, received
from sip.refreshes import Refreshes

log = logging.getLogger("sip.dialog")

P = ParamSpec("P")

OFFERING: Final = frozenset(("INVITE", "UPDATE"))
"""Methods that may carry an offer, and refresh the session."""
GONE: Final = frozenset((408, 481))
"""Answers to a re-INVITE that end the dialog (RFC 5057 §5.1)."""
UNAVAILABLE: Final = 503
"""What pjsip calls the final response that did not come because the transport failed (RFC 3261 §8.1.3.1)."""


def guarded(callback: Callable[Concatenate[DialogCall, P], None]) -> Callable[Concatenate[DialogCall, P], None]:
    """An exception in a director callback would only be printed by SWIG: end the leg with it instead."""

    def safe(self: DialogCall, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            callback(self, *args, **kwargs)
        except Exception:
            log.exception("%s failed on leg %s", callback.__name__, self.leg)
            self.desk.legs.broken(self)

    return functools.update_wrapper(safe, callback)


class DialogCall(pj.Call):
    """One INVITE dialog. Its callbacks build an event and return; `sip.legs` decides."""

    def __init__(
        self, desk: Desk, account: pj.Account, settings: TrunkAccount, leg: str, call_id: int = pj.PJSUA_INVALID_ID
    ) -> None:
        pj.Call.__init__(self, account, call_id)
        self.desk = desk
        self.leg = leg
        self.trunk = settings
        self.is_incoming = call_id != pj.PJSUA_INVALID_ID
        self.has_heard = self.is_incoming
        self.has_offer = False
        """The INVITE that came in held SDP."""
        self._local_sdp = ""
        """What we say whenever pjsip asks for our SDP."""
        self._is_confirmed = False
        self._accepted_by: siptext.SipText | None = None
        """The peer's 2xx, or its ACK to ours, until the call is confirmed."""
        self._first_cseq: tuple[int, str] | None = None
        """Of our INVITE that made the dialog."""
        self._ended_by: siptext.SipText | None = None
        """A BYE or CANCEL that pjsip will report as the end, without its text."""
        self._sdp_before: str | None = None
        """Our SDP before a re-INVITE of ours that is on its way."""
        self._waiting_token: int | None = None
        """An offer of the peer that the gate holds back."""
        self._owes_offer = False
        """The peer asked for our offer in a re-INVITE; its answer comes with the ACK."""
        self._digits = infodigits.InfoDigits(self._send_info, self._digits_refused)
        self._refreshes = Refreshes(
            desk.after, self._refresh_again, self._end_session_timer, owns_call_id=not self.is_incoming
        )
        self._call_id_header = ""
        self._is_over = False
        self._is_hung_up = False
        self.notes = desk.notes_for(settings.name)

    # --- what sip.legs asks for ---

    def place(self, uri: str, from_header: str, sdp: str, headers: Headers) -> None:
        """Send the INVITE."""
        self._local_sdp = sdp
        prm = call_options()
        prm.txOption.localUri = from_header
        add_headers(prm.txOption, headers)
        try:
            self.makeCall(uri, prm)
        except pj.Error as error:
            self.notes.close(is_lost=False)
            raise TransportError(endings.plain(error.reason) or "The INVITE could not be sent.") from None
        if not self._is_over:  # it may have failed at once
            self.desk.dialogs[self.getId()] = self

    def progress(self, status: int, sdp: str | None, headers: Headers) -> None:
        """Send 18x."""
        self._answer(status, sdp, headers)

    def accept(self, sdp: str, headers: Headers) -> None:
        """Send 200."""
        self._answer(200, sdp, headers)

    def _answer(self, status: int, sdp: str | None, headers: Headers) -> None:
        prm = pj.CallOpParam()
        prm.statusCode = status
        add_headers(prm.txOption, headers)
        if sdp and not self._local_sdp:  # the first answer to an offer is the answer (RFC 3261 §13.2.1)
            self._local_sdp = sdp
            if self.has_offer:
                prm.sdp.wholeSdp = sdp
        try:
            self.answer(prm)
        except pj.Error as error:
            raise TransportError(f"The {status} response could not be sent: {error.reason}.") from None

    def discard(self, status: int, reason: str = "", headers: Headers = ()) -> None:
        """BYE, CANCEL or a final response."""
        prm = pj.CallOpParam()
        # A caller must get a refusal, whatever the gateway calls it; BYE and CANCEL carry no status.
        prm.statusCode = status if status >= 300 else 480
        prm.reason = reason
        add_headers(prm.txOption, headers)
        try:
            if self.isActive():
                self._is_hung_up = True
                self.desk.partings.begin(self.getId(), self.notes)
                self.hangup(prm)
        except pj.Error as error:
            log.warning("leg %s: hang-up failed: %s", self.leg, error.reason)

    def abandon(self, status: int) -> None:
        """Forget the call without another word."""
        identity = self.getId()
        self.discard(status)
        pj.terminateCall(identity, self._call_id_header, status)

    def reoffer(self, sdp: str) -> bool:
        """Send a re-INVITE."""
        if self._is_negotiating:
            return False
        self._sdp_before, self._local_sdp = self._local_sdp, sdp
        if self._reinvite():
            return True
        self._local_sdp, self._sdp_before = self._sdp_before, None
        return False

    @property
    def _is_negotiating(self) -> bool:
        """An offer is on its way, ours or theirs."""
        return self._sdp_before is not None or self._waiting_token is not None

    def _reinvite(self) -> bool:
        try:
            self.reinvite(call_options())
        except pj.Error as error:
            log.info("leg %s: re-INVITE not sent: %s", self.leg, error.reason)
            return False
        return True

    def _refresh_again(self) -> bool:
        return not self._is_negotiating and self._reinvite()

    def _end_session_timer(self) -> None:
        pj.endSessionTimer(self.getId())

    def reanswer(self, status: int, sdp: str | None) -> None:
        """Answer what the gate holds back, or the re-INVITE that pjsip let us answer later."""
        if sdp and status < 300:
            self._local_sdp = sdp
        if self._waiting_token is not None:
            token, self._waiting_token = self._waiting_token, None
            self.desk.gate.answer(token, status)
            return
        prm = call_options()
        prm.statusCode = status
        prm.sdp.wholeSdp = self._local_sdp if status < 300 else ""
        try:
            self.answer(prm)
        except pj.Error as error:
            log.info("leg %s: nothing to answer with %d: %s", self.leg, status, error.reason)

    def press(self, digits: str, duration_ms: int) -> None:
        """Send digits by INFO."""
        self._digits.press(digits, duration_ms)

    def _send_info(self, content_type: str, body: str) -> bool:
        prm = pj.CallSendRequestParam()
        prm.method = "INFO"
        prm.txOption.contentType, prm.txOption.msgBody = content_type, body
        try:
            self.sendRequest(prm)
        except pj.Error as error:
            log.info("leg %s: INFO not sent: %s", self.leg, error.reason)
            return False
        return True

    def _digits_refused(self, digits: str, status: int) -> None:
        self.tell(messages.DtmfRefused(self.leg, digits, status))

    # --- what the gate hands over ---

    def offered(self, token: int, sdp: str) -> bool:
        """A re-INVITE without SDP, or an UPDATE; True: it waits for `reanswer`."""
        if self._is_negotiating:
            return False  # glare: pjsip says 491 or 500 (RFC 3311 §5.2)
        if not self._is_confirmed:
            # Early media that moves. It cannot wait, our side of the session stays what it is.
            if sdp and not self.is_incoming:
                self.tell(messages.Ringing(self.leg, 183, sdp, ()))
            return False
        self._waiting_token = token
        self._owes_offer = not sdp
        self.tell(messages.Reoffered(self.leg, sdp or None))
        return True

    def digit(self, content_type: str, body: str) -> int:
        """An INFO with a body; the status to answer it with."""
        match infodigits.read(content_type, body):
            case infodigits.Digit(key, duration_ms):
                self.tell(messages.InfoDtmf(self.leg, key, duration_ms))
                return 200
            case status:
                return status

    # --- callbacks of pjsua2 ---

    def tell(self, event: messages.LegEvent) -> None:
        self.desk.legs.tell(event)

    @guarded
    def onCallSdpCreated(self, prm: pj.OnCallSdpCreatedParam) -> None:
        if self._local_sdp:
            prm.sdp.wholeSdp = self._local_sdp
        elif prm.remSdp.wholeSdp:
            # pjsip wants an answer before we have one. The offer itself is always acceptable to its
            # negotiator, and is replaced before anything is sent.
            prm.sdp.wholeSdp = prm.remSdp.wholeSdp

    @guarded
    def onCallState(self, prm: pj.OnCallStateParam) -> None:
        info = self.getInfo()
        self._call_id_header = info.callIdString
        message = received(prm.e)
        self._follow(prm.e, message)
        if info.state == pj.PJSIP_INV_STATE_CONNECTING and message and message.status:
            self._accepted_by = message
            self.desk.later(self._judge_answer, 488)  # pjsip negotiates after this callback
        elif info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            self._confirmed(message)
        elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self._disconnected(info, message)

    def _confirmed(self, message: siptext.SipText | None) -> None:
        if self._is_confirmed:
            return
        if self.is_incoming:
            self._accepted_by = message
        self.forgetInvite()  # nobody redirects an answered call
        headers = self._accepted_by.end_to_end if self._accepted_by else ()
        sdp = self.activeRemoteSdp()
        self._is_confirmed = bool(sdp)
        if sdp:
            if self._accepted_by and not self.is_incoming:
                self._first_cseq = self._accepted_by.cseq
            self._accepted_by = None
            self.tell(messages.Answered(self.leg, sdp, headers))
            return
        self._unusable()
        self.desk.later(self.discard, 488)

    def _judge_answer(self, status: int) -> None:
        """pjsip sends BYE for a 2xx without usable SDP: the leg is over now, whenever that is answered."""
        if not self._is_over and not self._is_confirmed and not self.activeRemoteSdp():
            self._unusable()

    def _unusable(self) -> None:
        self.desk.legs.disconnected(self, endings.LastWords(488, "", None, was_accepted=True))

    def _disconnected(self, info: pj.CallInfo, message: siptext.SipText | None) -> None:
        self._is_over = True
        if not self._is_hung_up:
            self.notes.close(is_lost=message is None and info.lastStatusCode == UNAVAILABLE)
        self._refreshes.stop()
        if self._waiting_token is not None:  # pjsip refuses it now
            self.desk.later(functools.partial(self.desk.gate.answer, self._waiting_token), 481)
        # A CANCEL is seen only as a transaction, just before.
        message = message if message and message.is_ending else self._ended_by
        words = endings.LastWords(
            status=info.lastStatusCode,
            reason=info.lastReason,
            message=message,
            has_credentials=bool(self.trunk.user),
            was_accepted=self._accepted_by is not None and not self._is_confirmed,
        )
        self.desk.legs.disconnected(self, words)
        self.desk.forget(self)

    @guarded
    def onCallTsxState(self, prm: pj.OnCallTsxStateParam) -> None:
        message = received(prm.e)
        transaction = prm.e.body.tsxState.tsx
        self._follow(prm.e, message)
        if message:
            self.has_heard = True
            if message.start_line.startswith(("BYE ", "CANCEL ")):
                self._ended_by = message
        if transaction.method == "INFO" and transaction.role == pj.PJSIP_ROLE_UAC:
            self._follow_info(prm.e.body.tsxState)
        if transaction.method not in OFFERING or transaction.role != pj.PJSIP_ROLE_UAC:
            return
        if not self._is_confirmed and message and 180 <= message.status <= 189:
            self.tell(messages.Ringing(self.leg, message.status, message.sdp, message.end_to_end))
        if not self._is_confirmed or transaction.statusCode < 200:
            return
        if self._sdp_before is not None and transaction.method == "INVITE":
            self._reoffer_answered(transaction.statusCode, message)
        elif message and not self._is_first_answer(message):
            self._refresh_answered(message)

    def _follow_info(self, event: pj.TsxStateEvent) -> None:
        """An INFO of ours is answered; or it timed out, or its transport broke: then it is terminated at once."""
        completed, terminated = pj.PJSIP_TSX_STATE_COMPLETED, pj.PJSIP_TSX_STATE_TERMINATED
        if event.tsx.state == completed or (event.tsx.state == terminated and event.prevState != completed):
            self.desk.later(self._digits.answered, event.tsx.statusCode)

    def _follow(self, event: pj.SipEvent, message: siptext.SipText | None) -> None:
        """Tell the gateway what it needs if this process dies, before it hears of anything else."""
        if message:
            self.notes.received(message)
        elif event.type == pj.PJSIP_EVENT_TSX_STATE and event.body.tsxState.type == pj.PJSIP_EVENT_TX_MSG:
            self.notes.sent(siptext.parse(event.body.tsxState.src.tdata.wholeMsg))

    def _reoffer_answered(self, status: int, message: siptext.SipText | None) -> None:
        if status in GONE:
            self.desk.legs.disconnected(self, endings.LastWords(status, "", message))
            self.desk.later(self.discard, status)
            return
        if status >= 300:
            self._local_sdp = self._sdp_before or ""
        self._sdp_before = None
        self.tell(messages.Reanswered(self.leg, status, self.activeRemoteSdp() if status < 300 else None))

    def _is_first_answer(self, message: siptext.SipText) -> bool:
        """Of the INVITE that made the dialog: pjsip tells of its transaction once more when the call is confirmed."""
        return self._first_cseq is not None and message.cseq == self._first_cseq

    def _refresh_answered(self, message: siptext.SipText) -> None:
        """A session refresh that pjsip sent by itself (RFC 4028 §10); its answer may move the far end's media."""
        self._refreshes.answered(message.status)
        if message.status < 300 and message.sdp:
            self.tell(messages.Reanswered(self.leg, message.status, self.activeRemoteSdp()))

    @guarded
    def onCallMediaState(self, prm: pj.OnCallMediaStateParam) -> None:
        if self._owes_offer and self._waiting_token is None:
            self._owes_offer = False
            self.tell(messages.Reanswered(self.leg, 200, self.activeRemoteSdp()))

    @guarded
    def onCallRxReinvite(self, prm: pj.OnCallRxReinviteParam) -> None:
        prm.isAsync = bool(prm.offer.wholeSdp)
        if prm.isAsync:
            self.tell(messages.Reoffered(self.leg, prm.offer.wholeSdp))

    @guarded
    def onCallRxOffer(self, prm: pj.OnCallRxOfferParam) -> None:
        prm.statusCode = self.desk.gate.answering_with

    def onCallRedirected(self, prm: pj.OnCallRedirectedParam) -> int:
        # Following would let the peer choose where our money goes: the gateway decides.
        return int(pj.PJSIP_REDIRECT_REJECT)
