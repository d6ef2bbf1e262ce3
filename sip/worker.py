"""The SIP worker process: one thread, one event loop, the one import of pjsua2.

Frozen commands arrive on a Unix socket, frozen events leave on it. pjsip's epoll descriptor is one
more reader of the loop, so callbacks run where everything else runs and no pjsua2 object is ever
seen by a second thread (pjproject #3125). Run as `python -m sip.worker --socket FD`.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import functools
import logging
import signal
import socket
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar, assert_never

import pjsua2 as pj

from call.errors import GatewayError, PeerError, TransportError
from sip import endings, messages, siptext, trunk
from sip.channel import Channel
from sip.messages import TrunkAccount
from sip.names import Names
from sip.probe import Probe

log = logging.getLogger("sip.worker")

HEARTBEAT_S = 0.5
STOP_GRACE_S = 1.5
"""How long BYE and CANCEL may take on the way out."""
PROBE_AFTER_S = 0.5
"""Without any response by then (one retransmission), ask whether the port is open at all."""
RESOLVE_TRUNKS_EVERY_S = 60.0
MAX_EVENTS_PER_WAKEUP = 64

P = ParamSpec("P")
R = TypeVar("R")
_S = TypeVar("_S", bound="DialogCall")


def guarded(callback: Callable[Concatenate[_S, P], None]) -> Callable[Concatenate[_S, P], None]:
    """An exception in a director callback would only be printed by SWIG: end the leg with it instead."""

    @functools.wraps(callback)
    def safe(self: _S, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            callback(self, *args, **kwargs)
        except Exception:
            log.exception("%s failed on leg %s", callback.__name__, self.leg)
            self.broken()

    return safe


class PjLoop:
    """Drives pjsip from the asyncio loop that owns it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, endpoint: pj.Endpoint) -> None:
        self._loop = loop
        self._endpoint = endpoint
        self._timer: asyncio.TimerHandle | None = None
        self._descriptor = ctypes.c_int.from_address(endpoint.libGetSipIoqueueHandle()).value
        loop.add_reader(self._descriptor, self.pump)

    def pump(self) -> None:
        """Handle what is ready, then sleep until pjsip's next timer."""
        for _ in range(MAX_EVENTS_PER_WAKEUP):
            if self._endpoint.libHandleEvents(0) <= 0:
                break
        self.arm()

    def arm(self) -> None:
        """Wake up for pjsip's next timer; call it after anything that may have set one."""
        if self._timer:
            self._timer.cancel()
        due_ms = pj.nextTimerMs()
        self._timer = self._loop.call_later(max(due_ms, 1) / 1000, self.pump) if due_ms >= 0 else None

    def close(self) -> None:
        """Stop driving."""
        self._loop.remove_reader(self._descriptor)
        if self._timer:
            self._timer.cancel()


class DialogCall(pj.Call):
    """One INVITE dialog. Its callbacks build an event and return; nothing is decided here."""

    def __init__(self, worker: Worker, account: TrunkLine, leg: str, call_id: int = pj.PJSUA_INVALID_ID) -> None:
        pj.Call.__init__(self, account, call_id)
        self.worker = worker
        self.line = account
        self.leg = leg
        self.is_incoming = call_id != pj.PJSUA_INVALID_ID
        self.local_sdp = ""
        self.is_answer_given = False
        self.has_offer = False
        self.has_heard = False
        self.is_confirmed = False
        self.is_reoffering = False
        self.waiting_offer: int | None = None
        """Token of an UPDATE or re-INVITE that the gate holds back."""
        self.is_async_reinvite = False
        self.refusal = 0
        self.answer_headers: messages.Headers = ()
        self.last_message: siptext.SipText | None = None
        self.call_id_header = ""
        self.timers: list[asyncio.TimerHandle] = []
        self.is_over = False

    def emit(self, event: messages.LegEvent) -> None:
        self.worker.emit(event)

    def broken(self) -> None:
        """Our own bug: this leg ends, the others go on."""
        self.over(
            messages.Ended(self.leg, by="fault", status=500, fault="worker", detail="A bug in the SIP worker; see its log.")
        )
        self.worker.later(self.discard, 500)

    def over(self, event: messages.Ended) -> None:
        """Say once that the leg is over, and forget it."""
        if self.is_over:
            return
        self.is_over = True
        for timer in self.timers:
            timer.cancel()
        self.worker.forget(self)
        self.emit(event)

    def discard(self, status: int, reason: str = "", headers: messages.Headers = ()) -> None:
        """BYE, CANCEL or a final response, whichever the state asks for."""
        prm = pj.CallOpParam()
        prm.statusCode = status
        prm.reason = reason
        add_headers(prm.txOption, headers)
        try:
            if self.isActive():
                self.hangup(prm)
        except pj.Error as error:
            log.warning("leg %s: hang-up failed: %s", self.leg, error.info())

    # --- callbacks of pjsua2 ---

    @guarded
    def onCallSdpCreated(self, prm: pj.OnCallSdpCreatedParam) -> None:
        if self.local_sdp:
            prm.sdp.wholeSdp = self.local_sdp
        elif prm.remSdp.wholeSdp:
            # pjsip wants an answer before we have one. The offer itself is always acceptable to its
            # negotiator, and is replaced before anything is sent.
            prm.sdp.wholeSdp = prm.remSdp.wholeSdp

    @guarded
    def onCallState(self, prm: pj.OnCallStateParam) -> None:
        info = self.getInfo()
        self.call_id_header = info.callIdString
        message = received(prm.e)
        if info.state == pj.PJSIP_INV_STATE_CONNECTING and message and message.status:
            self.answer_headers = message.end_to_end
        elif info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            self.confirmed(message)
        elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self.disconnected(info, message)

    def confirmed(self, message: siptext.SipText | None) -> None:
        if self.is_confirmed:
            return
        self.is_confirmed = True
        if self.is_incoming and message:
            self.answer_headers = message.end_to_end
        sdp = self.activeRemoteSdp()
        if sdp:
            self.emit(messages.Answered(self.leg, sdp, self.answer_headers))
            return
        self.over(
            messages.Ended(self.leg, by="fault", status=488, fault="media", detail="The call was answered without SDP.")
        )
        self.worker.later(self.discard, 200)

    def disconnected(self, info: pj.CallInfo, message: siptext.SipText | None) -> None:
        # A CANCEL is seen only as a transaction, just before.
        message = message if message and is_ending(message) else self.last_message
        words = endings.LastWords(info.lastStatusCode, info.lastReason, message, bool(self.line.trunk.user))
        self.over(self.worker.explain(self, endings.ended(self.leg, words)))

    @guarded
    def onCallTsxState(self, prm: pj.OnCallTsxStateParam) -> None:
        message = received(prm.e)
        if message is None:
            return
        self.has_heard = True
        transaction = prm.e.body.tsxState.tsx
        if message.start_line.startswith(("BYE ", "CANCEL ")):
            self.last_message = message
        elif transaction.method == "INVITE" and message.status:
            self.invite_response(message)

    def invite_response(self, message: siptext.SipText) -> None:
        if not self.is_confirmed:
            if 180 <= message.status <= 189:
                self.emit(messages.Ringing(self.leg, message.status, message.sdp, message.end_to_end))
        elif self.is_reoffering and message.status >= 200:
            self.is_reoffering = False
            sdp = self.activeRemoteSdp() if message.status < 300 else None
            self.emit(messages.Reanswered(self.leg, message.status, sdp))

    @guarded
    def onCallRxReinvite(self, prm: pj.OnCallRxReinviteParam) -> None:
        prm.isAsync = True
        self.is_async_reinvite = True
        self.emit(messages.Reoffered(self.leg, prm.offer.wholeSdp or None))

    @guarded
    def onCallRxOffer(self, prm: pj.OnCallRxOfferParam) -> None:
        prm.statusCode = self.refusal or 200

    def onCallRedirected(self, prm: pj.OnCallRedirectedParam) -> int:
        # Following would be the peer's choice of where our money goes: the gateway decides.
        return int(pj.PJSIP_REDIRECT_REJECT)

    @guarded
    def onCallTransferRequest(self, prm: pj.OnCallTransferRequestParam) -> None:
        # Accepting makes pjsua place a call of its own.
        prm.statusCode = 603


def received(event: pj.SipEvent) -> siptext.SipText | None:
    """The message that a pjsip event is about, if it was received."""
    if event.type == pj.PJSIP_EVENT_TSX_STATE and event.body.tsxState.type == pj.PJSIP_EVENT_RX_MSG:
        return siptext.parse(event.body.tsxState.src.rdata.wholeMsg)
    if event.type == pj.PJSIP_EVENT_RX_MSG:
        return siptext.parse(event.body.rxMsg.rdata.wholeMsg)
    return None


def is_ending(message: siptext.SipText) -> bool:
    return message.status >= 300 or message.start_line.startswith(("BYE ", "CANCEL "))


def add_headers(option: pj.SipTxOption, headers: messages.Headers) -> None:
    """Put our headers into a message that pjsip builds."""
    for name, value in headers:
        header = pj.SipHeader()
        header.hName = name
        header.hValue = value
        option.headers.append(header)


class TrunkLine(pj.Account):
    """pjsip's account of one trunk: credentials, transport, Contact."""

    def __init__(self, worker: Worker, settings: TrunkAccount) -> None:
        pj.Account.__init__(self)
        self.worker = worker
        self.trunk = settings

    def onIncomingCall(self, prm: pj.OnIncomingCallParam) -> None:
        try:
            self.worker.incoming(prm)
        except Exception:
            log.exception("an incoming INVITE could not be handled")  # pjsua2 answers 500


class Gate(pj.RequestGate):
    """Sees every request outside a dialog first, and offers that must wait for the gateway."""

    def __init__(self, worker: Worker) -> None:
        pj.RequestGate.__init__(self)
        self.worker = worker

    def onRequest(self, method: str, rdata: pj.SipRxData) -> int:
        try:
            return self.worker.admit(method, rdata)
        except Exception:
            log.exception("a %s could not be judged", method)
            return -1

    def onUpdate(self, token: int, call_id: int, offer: str) -> bool:
        call = self.worker.call_by_id(call_id)
        if not call or call.waiting_offer is not None:
            return False
        call.waiting_offer = token
        call.emit(messages.Reoffered(call.leg, offer))
        return True

    def onInfo(self, call_id: int, content_type: str, body: str) -> int:
        call = self.worker.call_by_id(call_id)
        if not call:
            return 481
        digit = siptext.info_dtmf(content_type, body)
        if not digit:
            return 415
        call.emit(messages.InfoDtmf(call.leg, *digit))
        return 200


class Resolver(pj.NameResolver):
    """Gives pjsip the addresses that `Names` knows or finds."""

    def __init__(self, worker: Worker) -> None:
        pj.NameResolver.__init__(self)
        self.worker = worker

    def onResolve(self, token: int, host: str, port: int) -> None:
        # Never from inside the question: pjsip does not expect that answer yet.
        self.worker.spawn(self.answer(token, host))

    async def answer(self, token: int, host: str) -> None:
        try:
            addresses = await self.worker.names.lookup(host)
        except TransportError as error:
            log.warning("%s", error)
            addresses = ()
        self.resolved(token, pj.StringVector(list(addresses)))
        self.worker.loop.arm()


class Endpoint(pj.Endpoint):
    """pjsip's endpoint with the two callbacks we need of it."""

    worker: Worker

    def onSelectAccount(self, prm: pj.OnSelectAccountParam) -> None:
        line = self.worker.line_of(prm.rdata)
        if line:
            prm.accountIndex = line.getId()


class Worker:
    """Carries out the gateway's commands with pjsip and reports what happens."""

    def __init__(self, channel: Channel, tasks: asyncio.TaskGroup) -> None:
        self.channel = channel
        self.tasks = tasks
        self.aio = asyncio.get_running_loop()
        self.names = Names(self.aio.time)
        self.calls: dict[str, DialogCall | None] = {}
        """By leg; None while the trunk's name is being resolved."""
        self.lines: dict[str, TrunkLine] = {}
        self.addresses: dict[str, frozenset[str]] = {}
        self.incoming_count = 0
        self.stopping = False

    # --- services for the callbacks ---

    def emit(self, event: messages.Event) -> None:
        self.channel.send(event)

    def spawn(self, work: Any) -> None:
        self.tasks.create_task(work)

    def later(self, action: Callable[..., None], *args: object) -> None:
        """Do it after pjsip's callback has returned."""

        def act() -> None:
            action(*args)
            self.loop.arm()

        self.aio.call_soon(act)

    def forget(self, call: DialogCall) -> None:
        """Let go of a call, but not inside its own callback: the last reference destroys it."""
        self.calls.pop(call.leg, None)
        self.aio.call_soon(lambda _: None, call)

    def call_by_id(self, call_id: int) -> DialogCall | None:
        return next((call for call in self.calls.values() if call and call.getId() == call_id), None)

    def line_of(self, rdata: pj.SipRxData) -> TrunkLine | None:
        """The trunk that a request comes from."""
        accounts = [line.trunk for line in self.lines.values()]
        found = trunk.trunk_of(rdata.srcAddress, siptext.parse(rdata.wholeMsg), accounts, self.addresses)
        return self.lines[found.name] if found else None

    def admit(self, method: str, rdata: pj.SipRxData) -> int:
        """0: pjsip handles it; -1: no answer; else the status of a terse one."""
        if self.line_of(rdata) is None:
            log.warning("%s from %s, which is no trunk: not answered", method, rdata.srcAddress)
            return -1
        if self.stopping:
            return 503
        if method in ("INVITE", "ACK", "CANCEL", "BYE", "PRACK", "UPDATE"):
            return 0
        return 200 if method == "OPTIONS" else 405

    def explain(self, call: DialogCall, event: messages.Ended) -> messages.Ended:
        return event

    # --- start and stop ---

    def start(self, command: messages.Start) -> None:
        """Open the transports.

        Raises:
            TransportError: A port is taken, a certificate cannot be read; the sentence says which.
        """
        self.settings = command
        self.endpoint = Endpoint()
        self.endpoint.worker = self
        self.endpoint.libCreate()
        self.endpoint.libInit(endpoint_config(command))
        self.transports: dict[str, tuple[int, int]] = {}
        self.open_transport("udp", command.udp_port)
        used = {account.transport for account in command.trunks}
        if command.tcp_port is not None or "tcp" in used:
            self.open_transport("tcp", command.tcp_port or 0)
        if command.tls_port is not None or "tls" in used:
            self.open_transport("tls", command.tls_port or 0)
        self.endpoint.libStart()
        self.endpoint.audDevManager().setNoDev()
        self.loop = PjLoop(self.aio, self.endpoint)
        self.gate, self.resolver = Gate(self), Resolver(self)
        self.gate.attach()
        self.resolver.attach()
        for account in command.trunks:
            self.add_line(account)
        self.spawn(self.resolve_trunks())

    def open_transport(self, kind: messages.Transport, port: int) -> None:
        config = transport_config(self.settings, kind, port)
        types = {"udp": pj.PJSIP_TRANSPORT_UDP, "tcp": pj.PJSIP_TRANSPORT_TCP, "tls": pj.PJSIP_TRANSPORT_TLS}
        v6 = pj.PJSIP_TRANSPORT_IPV6 if ":" in self.settings.bind else 0
        try:
            identity = self.endpoint.transportCreate(types[kind] + v6, config)
        except pj.Error as error:
            raise TransportError(transport_sentence(kind, port, self.settings, error.reason)) from None
        local = self.endpoint.transportGetInfo(identity).localName
        self.transports[kind] = (identity, int(local.rpartition(":")[2]))

    def add_line(self, account: TrunkAccount) -> None:
        line = TrunkLine(self, account)
        identity, port = self.transports[account.transport]
        line.create(account_config(account, self.settings, identity, port))
        self.lines[account.name] = line
        self.addresses[account.host] = frozenset(self.names.known(account.host) or ())

    async def resolve_trunks(self) -> None:
        """Keep the addresses of the trunks current: they say whose an incoming request is."""
        while not self.stopping:
            for host in list(self.addresses):
                try:
                    self.addresses[host] = frozenset(await self.names.lookup(host))
                except TransportError as error:
                    log.warning("calls from trunk host %s are not recognised: %s", host, error)
            await asyncio.sleep(RESOLVE_TRUNKS_EVERY_S)

    def started(self) -> messages.Started:
        import os

        def port(kind: str, asked: int | None) -> int | None:
            return self.transports[kind][1] if asked is not None else None

        return messages.Started(
            self.transports["udp"][1], port("tcp", self.settings.tcp_port), port("tls", self.settings.tls_port), os.getpid()
        )

    async def shut_down(self) -> None:
        """BYE, CANCEL or 503 for every call, then let go of pjsip."""
        self.stopping = True
        for call in [call for call in self.calls.values() if call]:
            call.over(messages.Ended(call.leg, by="us", status=503))
            call.discard(503)
        self.calls.clear()
        deadline = self.aio.time() + STOP_GRACE_S
        while pj.liveCalls() and self.aio.time() < deadline:
            self.loop.pump()
            await asyncio.sleep(0.01)
        self.loop.close()

    async def heartbeats(self) -> None:
        sequence = 0
        while not self.stopping:
            self.emit(messages.Heartbeat(sequence, pj.liveCalls()))
            await asyncio.sleep(HEARTBEAT_S)

    # --- commands ---

    def carry_out(self, command: messages.Command) -> None:
        """One command of the gateway; what goes wrong ends its leg."""
        match command:
            case messages.Invite():
                self.invite(command)
            case messages.Ping():
                self.emit(messages.Heartbeat(command.sequence, pj.liveCalls()))
            case messages.Start() | messages.Stop():
                raise PeerError(f"{command.type} in the middle of things")
            case _:
                self.on_leg(command)
        self.loop.arm()

    def on_leg(
        self,
        command: messages.Progress | messages.Accept | messages.Release | messages.Reoffer | messages.Reanswer,
    ) -> None:
        call = self.calls.get(command.leg)
        if call is None:
            if isinstance(command, messages.Release) and command.leg in self.calls:
                del self.calls[command.leg]  # its name was still being resolved
                self.emit(endings.by_us(command.leg, command.status))
            return
        try:
            self.on_call(call, command)
        except (pj.Error, GatewayError) as error:
            text = error.info() if isinstance(error, pj.Error) else str(error)
            log.warning("leg %s: %s failed: %s", call.leg, command.type, text)
            call.over(messages.Ended(call.leg, by="fault", status=500, fault="worker", detail=text))
            call.discard(500)

    def on_call(
        self,
        call: DialogCall,
        command: messages.Progress | messages.Accept | messages.Release | messages.Reoffer | messages.Reanswer,
    ) -> None:
        match command:
            case messages.Progress():
                trunk.check_headers(command.headers)
                self.answer(call, command.status, command.sdp, command.headers)
            case messages.Accept():
                trunk.check_headers(command.headers)
                self.answer(call, 200, command.sdp, command.headers)
            case messages.Release():
                trunk.check_headers(command.headers)
                trunk.refuse_line_breaks((command.reason,))
                call.over(endings.by_us(call.leg, command.status))
                call.discard(release_status(call, command.status), command.reason, command.headers)
            case messages.Reoffer():
                self.reoffer(call, command.sdp)
            case messages.Reanswer():
                self.reanswer(call, command)
            case _:
                assert_never(command)

    def answer(self, call: DialogCall, status: int, sdp: str | None, headers: messages.Headers) -> None:
        prm = pj.CallOpParam()
        prm.statusCode = status
        add_headers(prm.txOption, headers)
        if sdp and not call.is_answer_given:
            call.is_answer_given = True
            call.local_sdp = sdp
            if call.has_offer:
                prm.sdp.wholeSdp = sdp
        call.answer(prm)

    def reoffer(self, call: DialogCall, sdp: str) -> None:
        before, call.local_sdp = call.local_sdp, sdp
        try:
            call.is_reoffering = True
            call.reinvite(call_options())
        except pj.Error as error:
            # Another offer is on its way (RFC 3261 §14.1).
            log.info("leg %s: re-INVITE not sent: %s", call.leg, error.info())
            call.local_sdp, call.is_reoffering = before, False
            self.emit(messages.Reanswered(call.leg, 491, None))

    def reanswer(self, call: DialogCall, command: messages.Reanswer) -> None:
        accepts = command.status < 300 and command.sdp is not None
        if accepts:
            call.local_sdp = command.sdp or ""
        if call.is_async_reinvite:
            call.is_async_reinvite = False
            prm = call_options()
            prm.statusCode = command.status
            if accepts:
                prm.sdp.wholeSdp = call.local_sdp
            call.answer(prm)
        elif call.waiting_offer is not None:
            token, call.waiting_offer = call.waiting_offer, None
            call.refusal = 0 if accepts else command.status
            self.gate.resume(token)
            call.refusal = 0

    # --- outgoing ---

    def invite(self, command: messages.Invite) -> None:
        line = self.lines.get(command.trunk)
        try:
            trunk.check(command)
        except GatewayError as error:
            self.emit(messages.Ended(command.leg, by="fault", status=error.sip_status, fault="worker", detail=str(error)))
            return
        if line is None:
            self.emit(messages.Ended(command.leg, by="fault", status=404, fault="worker", detail="No such trunk."))
        elif self.names.known(line.trunk.host) is not None:
            self.place(command, line)
        else:
            self.calls[command.leg] = None
            self.spawn(self.resolve_and_place(command, line))

    async def resolve_and_place(self, command: messages.Invite, line: TrunkLine) -> None:
        try:
            addresses = await self.names.lookup(line.trunk.host)
        except TransportError as error:
            if self.calls.pop(command.leg, self) is None:
                self.emit(messages.Ended(command.leg, by="fault", status=503, fault="dns", detail=str(error)))
            return
        self.addresses[line.trunk.host] = frozenset(addresses)
        if command.leg in self.calls:  # not released meanwhile
            self.place(command, line)
            self.loop.arm()

    def place(self, command: messages.Invite, line: TrunkLine) -> None:
        call = DialogCall(self, line, command.leg)
        call.local_sdp = command.sdp
        self.calls[command.leg] = call
        prm = call_options()
        prm.txOption.localUri = trunk.from_header(line.trunk, command, self.settings.advertise)
        add_headers(prm.txOption, command.headers)
        try:
            call.makeCall(trunk.request_uri(line.trunk, command.number), prm)
        except pj.Error as error:
            call.over(messages.Ended(call.leg, by="fault", status=503, fault="transport", detail=error.reason))
            return
        call.timers += [
            self.aio.call_later(PROBE_AFTER_S, self.probe, call),
            self.aio.call_later(line.trunk.no_response_s, self.unanswered, call),
            self.aio.call_later(command.timeout_s, self.rang_too_long, call, command.timeout_s),
        ]

    def probe(self, call: DialogCall) -> None:
        """Nothing came back yet: is anybody listening there? (RFC 3261 §8.1.3.1 on ICMP errors)"""
        host = next(iter(self.names.known(call.line.trunk.host) or ()), None)
        if call.has_heard or call.line.trunk.transport != "udp" or not host:
            return
        self.spawn(Probe.ask(host, call.line.trunk.port, lambda text: self.refused(call, text)))

    def refused(self, call: DialogCall, text: str) -> None:
        if not call.has_heard:
            self.give_up(call, messages.Ended(call.leg, by="fault", status=503, fault="transport", detail=text))

    def unanswered(self, call: DialogCall) -> None:
        if call.has_heard:
            return
        host = f"{trunk.bracketed(call.line.trunk.host)}:{call.line.trunk.port}"
        detail = f"{host} did not answer the INVITE within {call.line.trunk.no_response_s:g} s."
        self.give_up(call, messages.Ended(call.leg, by="fault", status=408, fault="timeout", detail=detail))

    def give_up(self, call: DialogCall, event: messages.Ended) -> None:
        """End a call whose peer never sent a word: there is nobody to send CANCEL to (RFC 3261 §9.1)."""
        identity, header = call.getId(), call.call_id_header
        call.over(event)
        call.discard(event.status)
        pj.terminateCall(identity, header, event.status)
        self.loop.arm()

    def rang_too_long(self, call: DialogCall, limit_s: float) -> None:
        call.over(messages.Ended(call.leg, by="us", status=408, detail=f"Nobody answered within {limit_s:g} s."))
        call.discard(487)
        self.loop.arm()

    # --- incoming ---

    def incoming(self, prm: pj.OnIncomingCallParam) -> None:
        message = siptext.parse(prm.rdata.wholeMsg)
        line = self.line_of(prm.rdata)
        if line is None:
            return  # pjsua2 answers 500; the gate let it pass, so this is a race with a re-resolution
        self.incoming_count += 1
        call = DialogCall(self, line, f"w{self.incoming_count}", prm.callId)
        call.has_offer = message.sdp is not None
        call.has_heard = True
        self.calls[call.leg] = call
        display, uri = siptext.name_addr(message.first("from"))
        self.emit(
            messages.Incoming(
                leg=call.leg,
                trunk=line.trunk.name,
                number=siptext.request_user(message),
                from_user=siptext.uri_user(uri),
                from_display=display,
                call_id=message.first("call-id"),
                source=prm.rdata.srcAddress,
                sdp=message.sdp,
                headers=message.end_to_end,
            )
        )


def release_status(call: DialogCall, status: int) -> int:
    """A final response must be one; BYE and CANCEL do not mind."""
    return 480 if call.is_incoming and not call.is_confirmed and status < 300 else status


def call_options() -> pj.CallOpParam:
    """One audio stream as far as pjsip is concerned; our own SDP says what there is."""
    prm = pj.CallOpParam(True)
    prm.opt.audioCount = 1
    prm.opt.videoCount = 0
    prm.opt.textCount = 0
    return prm


def endpoint_config(command: messages.Start) -> pj.EpConfig:
    config = pj.EpConfig()
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = False
    config.uaConfig.maxCalls = command.max_calls
    config.uaConfig.userAgent = command.user_agent
    config.logConfig.level = 1
    config.logConfig.consoleLevel = 1
    config.logConfig.msgLogging = 0
    config.medConfig.hasIoqueue = False
    config.medConfig.threadCnt = 0
    config.medConfig.noVad = True
    config.medConfig.sndAutoCloseTime = -1
    return config


def transport_config(command: messages.Start, kind: messages.Transport, port: int) -> pj.TransportConfig:
    config = pj.TransportConfig()
    config.port = port
    config.boundAddress = command.bind
    config.publicAddress = command.advertise
    if kind == "tls":
        config.tlsConfig.certFile = command.tls_cert
        config.tlsConfig.privKeyFile = command.tls_key
        config.tlsConfig.CaListFile = command.tls_ca
        config.tlsConfig.verifyServer = command.tls_verify
    return config


def account_config(account: TrunkAccount, command: messages.Start, transport: int, port: int) -> pj.AccountConfig:
    config = pj.AccountConfig()
    host = trunk.bracketed(account.from_host or command.advertise)
    user = trunk.escape_user(account.user)
    config.idUri = f"sip:{user}@{host}" if user else f"sip:{host}"
    config.sipConfig.transportId = transport
    config.sipConfig.contactForced = trunk.contact(account.user, command.advertise, port, account.transport)
    if account.user:
        credentials = pj.AuthCredInfo("digest", "*", account.user, 0, account.password)
        config.sipConfig.authCreds.append(credentials)
    config.callConfig.prackUse = pj.PJSUA_100REL_OPTIONAL
    config.callConfig.timerUse = pj.PJSUA_SIP_TIMER_OPTIONAL
    config.mediaConfig.lockCodecEnabled = False
    config.mediaConfig.useLoopMedTp = True
    config.mediaConfig.enableLoopback = False
    config.mediaConfig.srtpUse = pj.PJMEDIA_SRTP_OPTIONAL
    config.mediaConfig.srtpSecureSignaling = 0
    config.natConfig.contactRewriteUse = 0
    config.natConfig.viaRewriteUse = 0
    config.natConfig.sipOutboundUse = 0
    return config


def transport_sentence(kind: str, port: int, command: messages.Start, reason: str) -> str:
    """Why a port could not be opened, and what to do."""
    if "in use" in reason:
        return f"SIP port {port} ({kind.upper()}) on {command.bind} is taken by another program. Stop it or choose another port."
    return f"SIP over {kind.upper()} cannot start on {command.bind}:{port}: {reason}."


async def serve(end: socket.socket) -> int:
    """Obey the gateway until it says stop or its end of the socket closes; the exit status."""
    channel = await Channel.open(end)
    lines = channel.lines()
    start = messages.decode_command(await anext(lines))
    if not isinstance(start, messages.Start):
        raise PeerError("the first command must be start")
    async with asyncio.TaskGroup() as tasks:
        worker = Worker(channel, tasks)
        try:
            worker.start(start)
        except (TransportError, pj.Error) as error:
            channel.send(messages.StartFailed(error.info() if isinstance(error, pj.Error) else str(error)))
            await channel.close()
            return 1
        channel.send(worker.started())
        beats = tasks.create_task(worker.heartbeats())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, channel.interrupt)
        async for line in lines:
            command = messages.decode_command(line)
            if isinstance(command, messages.Stop):
                break
            worker.carry_out(command)
        await worker.shut_down()
        channel.send(messages.Stopped())
        await channel.close()
        beats.cancel()
        raise SystemExit(0)


def main() -> None:
    """Entry point of the process."""
    parser = argparse.ArgumentParser(prog="sip.worker")
    parser.add_argument("--socket", type=int, required=True, help="descriptor of the gateway's socket")
    end = socket.socket(fileno=parser.parse_args().socket)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the gateway's business
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    raise SystemExit(asyncio.run(serve(end)))


if __name__ == "__main__":
    main()
