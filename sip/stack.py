"""pjsip with its transports and trunks, on one thread inside the asyncio loop."""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import logging
import os
import socket
from collections.abc import Callable, Coroutine
from typing import Any, Final

import pjsua2 as pj

from call.errors import TransportError
from call.tokenbucket import TokenBuckets
from sip import messages, siptext, trunk
from sip.connections import LIMIT, Connections
from sip.dialog import DialogCall
from sip.dialognotes import DialogNotes
from sip.farewells import Farewells
from sip.flaws import Flaws
from sip.floods import DIALOG_BURST, DIALOG_REQUESTS_PER_S, Flood
from sip.gate import Gate
from sip.legs import Legs
from sip.messages import Start, Transport, TrunkAccount
from sip.names import KnownTrunks, Names
from sip.partings import Partings
from sip.pjlog import PjLog
from sip.resolver import Resolver
from sip.stacksettings import account_config, check_tls, endpoint_config, transport_config, transport_sentence
from sip.strangers import Strangers
from sip.trunkline import TrunkLine

log = logging.getLogger("sip.stack")

LAST_REGISTER_S: Final = 1.5
"""How long the trunks may take to let us go."""
RESOLVE_TRUNKS_EVERY_S: Final = 60.0
MAX_EVENTS_PER_WAKEUP: Final = 64
FLOOD_TOLD_AFTER_S: Final = 60.0
DNS_PORT: Final = 53
NO_NEWS: Final = frozenset((422, 482))
"""The same INVITE comes by another way, or again with a longer session (RFC 3261 §8.2.2.2, RFC 4028 §6)."""
TRANSPORTS: Final[tuple[Transport, ...]] = ("udp", "tcp", "tls")


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


class Endpoint(pj.Endpoint):
    """pjsip's endpoint, with the two callbacks we need of it."""

    stack: PjStack

    def onSelectAccount(self, prm: pj.OnSelectAccountParam) -> None:
        line = self.stack.line_of(prm.rdata)
        if line:
            prm.accountIndex = line.getId()

    def onTransportState(self, prm: pj.OnTransportStateParam) -> None:
        if prm.state == pj.PJSIP_TP_STATE_DISCONNECTED and prm.tlsInfo.verifyStatus:
            host, port = trunk.split_source(prm.tlsInfo.remoteAddr)
            reasons = " ".join(dict.fromkeys(prm.tlsInfo.verifyMsgs))
            self.stack.tls_flaws.note(host, port, f"The TLS certificate of {host}:{port} is not trusted: {reasons}")


class PjStack:
    """pjsip with its transports and trunks."""

    def __init__(self, emit: Callable[[messages.Event], None], tasks: asyncio.TaskGroup, settings: Start) -> None:
        self.settings = settings
        self._loop = asyncio.get_running_loop()
        self._tasks = tasks
        family = socket.AF_INET6 if ":" in settings.bind else socket.AF_INET
        servers = [(server, DNS_PORT) for server in settings.nameservers]
        self.names = Names(self._loop.time, family, servers)
        self._known_trunks = KnownTrunks(self.names)
        self._strangers, self._crowds = Strangers(self._loop.time), Strangers(self._loop.time)
        self._chatterers = Strangers(self._loop.time)
        self._dialog_requests = TokenBuckets(DIALOG_REQUESTS_PER_S, DIALOG_BURST)
        self._connections = Connections()
        self._floods = {each.name: Flood(each.new_calls_per_s, self._loop.time()) for each in settings.trunks}
        self.garbage, self.tls_flaws = Flaws(self._loop.time), Flaws(self._loop.time)
        self.garbage_from, self.note_garbage, self.flaw_of = self.garbage.of, self.garbage.note, self.tls_flaws.of
        self.legs = Legs(self, self.names, emit, self.spawn, settings.trunks)
        self._emit = emit
        self.partings = Partings(self._follow, self._loop.call_later)
        self.farewells = Farewells(self._send, emit, self.after)
        self.dialogs: dict[int, DialogCall] = {}
        """By pjsua's call id."""
        self.lines: dict[str, TrunkLine] = {}
        self.transports: dict[Transport, tuple[int, int | None]] = {}
        """pjsua's transport id and the port that is open; None: we only connect."""
        self._awaited: dict[str, int] = {}
        """Branches of INVITEs that pjsua has not told of yet; the status if pjsip has refused them, else 0."""
        self.is_stopping = False
        self._own_farewells = itertools.count(-1, -1)
        """Numbers that the gateway does not use."""

    def open(self) -> None:
        """Start pjsip and open the transports.

        Raises:
            TransportError: A port is taken, a certificate cannot be read; the sentence says which.
        """
        try:
            self._open()
        except pj.Error as error:
            raise TransportError(f"pjsip cannot start: {error.reason}.") from None

    def _open(self) -> None:
        self.endpoint = Endpoint()
        self.endpoint.stack = self
        self.endpoint.libCreate()
        self._pj_log = PjLog(self.garbage)
        self.endpoint.libInit(endpoint_config(self.settings, self._pj_log))
        self._pj_loop = PjLoop(self._loop, self.endpoint)
        used = {account.transport for account in self.settings.trunks}
        self._open_transport("udp", self.settings.udp_port)
        if self.settings.tcp_port is not None or "tcp" in used:
            self._open_transport("tcp", self.settings.tcp_port)
        if self.settings.tls_port is not None or "tls" in used:
            self._open_transport("tls", self.settings.tls_port)
        self.endpoint.libStart()
        self.endpoint.audDevManager().setNoDev()
        self.gate = Gate(self.dialogs, self, self.partings, self.farewells)
        self.resolver = Resolver(self.names, self.spawn, self.arm)
        self.gate.attach()
        self.resolver.attach()
        for account in self.settings.trunks:
            self._add_line(account)
        self.arm()  # a REGISTER may have to be repeated
        self.spawn(self._resolve_trunks())

    def _open_transport(self, kind: Transport, port: int | None) -> None:
        """Make a transport; who wants TCP or TLS without a port only calls, and nobody can connect to it."""
        if kind == "tls":
            check_tls(self.settings)
        types = {"udp": pj.PJSIP_TRANSPORT_UDP, "tcp": pj.PJSIP_TRANSPORT_TCP, "tls": pj.PJSIP_TRANSPORT_TLS}
        family = pj.PJSIP_TRANSPORT_IPV6 if ":" in self.settings.bind else 0
        self._pj_log.is_muted = True
        try:
            identity = self.endpoint.transportCreate(types[kind] + family, transport_config(self.settings, kind, port))
            if kind != "udp" and port is not None:
                port = pj.listenOn(identity, self.settings.bind, port)
        except pj.Error as error:
            raise TransportError(transport_sentence(self.settings, kind, port, error.reason)) from None
        finally:
            self._pj_log.is_muted = False
        if kind == "udp":
            port = trunk.split_source(self.endpoint.transportGetInfo(identity).localName)[1]
        self.transports[kind] = (identity, port)

    def _add_line(self, account: TrunkAccount) -> None:
        line = TrunkLine(account, self.incoming, self._emit)
        try:
            line.create(account_config(account, self.settings, *self.transports[account.transport]))
        except pj.Error as error:
            raise TransportError(f"Trunk {account.name} cannot be used: {error.reason}.") from None
        self.lines[account.name] = line

    async def _resolve_trunks(self) -> None:
        """Keep the addresses of the trunks current: they say whose an incoming request is."""
        while True:
            for account in self.settings.trunks:
                await self._known_trunks.look_up(account.name, account.host)
            await asyncio.sleep(RESOLVE_TRUNKS_EVERY_S)

    def started(self) -> messages.Started:
        """Which ports are open."""
        udp, tcp, tls = (self.transports.get(kind, (0, None))[1] for kind in TRANSPORTS)
        return messages.Started(udp or 0, tcp, tls, os.getpid())

    def arm(self) -> None:
        """pjsip may have set a timer."""
        self._pj_loop.arm()

    def live_calls(self) -> int:
        """Calls that pjsip still has something to do for."""
        return pj.liveCalls()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run beside everything else."""
        self._tasks.create_task(work)

    def later(self, action: Callable[[int], None], argument: int) -> None:
        """Do it after pjsip's callback has returned."""

        def act() -> None:
            action(argument)
            self.arm()

        self._loop.call_soon(act)

    def after(self, delay_s: float, action: Callable[[], None]) -> asyncio.TimerHandle:
        """Do it in so many seconds."""

        def act() -> None:
            action()
            self.arm()

        return self._loop.call_later(delay_s, act)

    def place(self, command: messages.Invite) -> DialogCall:
        """Send an INVITE."""
        line = self.lines[command.trunk]
        dialog = DialogCall(self, line, line.trunk, command.leg)
        from_header = trunk.from_header(line.trunk, command, self.settings.advertise)
        dialog.place(trunk.request_uri(line.trunk, command.number), from_header, command.sdp, command.headers)
        return dialog

    def notes_for(self, trunk: str) -> DialogNotes:
        """Of a new dialog with this trunk, for the gateway."""
        return DialogNotes(trunk, self._note)

    def _note(self, event: messages.DialogNote | messages.DialogOver) -> None:
        """Who stops is no longer told to say again what was lost with its connection, and sees to it alone."""
        self._emit(event)
        if self.is_stopping and isinstance(event, messages.DialogOver) and event.is_lost:
            self.part(messages.Farewell(next(self._own_farewells), event.dialog))

    def part(self, command: messages.Farewell) -> None:
        """End a dialog of a worker that was lost, or whose end was."""
        self.farewells.say(command)
        self.arm()

    def _follow(self, call_id: int, token: int) -> None:
        self.gate.follow(call_id, token)

    def _send(self, trunk_name: str, request: str) -> int:
        line = self.lines.get(trunk_name)
        return self.gate.send(line.getId(), request) if line else 0

    def forget(self, dialog: DialogCall) -> None:
        """Let go of a call, but not inside its own callback: the last reference destroys it."""
        if self.dialogs.get(dialog.getId()) is dialog:
            del self.dialogs[dialog.getId()]
        self._loop.call_soon(lambda _: None, dialog)

    def line_of(self, rdata: pj.SipRxData) -> TrunkLine | None:
        """The trunk that a request comes from."""
        message = siptext.parse(rdata.wholeMsg)
        found = trunk.trunk_of(rdata.srcAddress, message, self.settings.trunks, self._addresses())
        return self.lines[found.name] if found else None

    def _addresses(self) -> dict[str, frozenset[str]]:
        """The addresses of each trunk's host."""
        return {account.host: frozenset(self.names.last(account.host)) for account in self.settings.trunks}

    def connected(self, descriptor: int, host: str) -> bool:
        """A TCP or TLS connection came in; only trunks may keep one, and not too many."""
        addresses = self._addresses()
        if not any(trunk.is_from(account, host, addresses) for account in self.settings.trunks):
            if count := self._strangers.knock(host):
                log.warning("a connection from %s, no trunk: closed (%d such lately)", host, count)
            return False
        if self._connections.take(host, descriptor):
            return True
        if count := self._crowds.knock(host):
            log.warning("%s has %d connections already: another one is closed (%d such lately)", host, LIMIT, count)
        return False

    def admit(self, method: str, rdata: pj.SipRxData) -> int:
        """0: pjsip handles it; -1: no answer; else the status of a terse one."""
        line = self.line_of(rdata)
        if line is None:
            count = self._strangers.knock(trunk.split_source(rdata.srcAddress)[0])
            if count:
                log.warning("%s from %s, no trunk: not answered (%d such lately)", method, rdata.srcAddress, count)
            return -1
        if self.is_stopping or (method == "INVITE" and self._is_flooded(line.trunk)):
            return 503
        if method == "INVITE":
            message = siptext.parse(rdata.wholeMsg)
            if refusal := self._refusal(message, line.trunk):
                return refusal
            self._await_call(message, line.trunk)
        if method in ("INVITE", "ACK", "CANCEL", "BYE", "PRACK", "UPDATE"):
            return 0
        return 200 if method == "OPTIONS" else 405

    def _refusal(self, message: siptext.SipText, account: TrunkAccount) -> int:
        """The status for an INVITE that is cut off, or must take the place of another call (RFC 3891); 0: neither.

        We do not have that extension. So the header alone means nothing, the gate takes it out and the call rings as
        any other (RFC 3261 §8.2.2); who requires it gets 420 (§8.2.2.3). 481 (RFC 3891 §3) is for those who have it.
        """
        status = 400 if message.is_cut_off else 420 if message.requires("replaces") else 0
        if status:
            self.legs.refused(account, message, status)
        return status

    def _is_flooded(self, account: TrunkAccount) -> bool:
        """Anybody who can forge the trunk's address can send INVITEs: more than it means are not taken up."""
        flood = self._floods[account.name]
        if flood.lets_in(self._loop.time()):
            return False
        if flood.refused():
            words = "more than %g new calls a second come from trunk %s or in its name: what is too much gets 503"
            log.warning(words, account.new_calls_per_s, account.name)
            self._loop.call_later(FLOOD_TOLD_AFTER_S, self._tell_flood, account.name)
        return True

    def _tell_flood(self, name: str) -> None:
        log.warning("trunk %s: %d INVITEs were too much and got 503", name, self._floods[name].told())

    def bears(self, tag: str, host: str) -> bool:
        """Whether one more request may come in the dialog that has this tag of ours."""
        if self._dialog_requests.take(tag, self._loop.time()):
            return True
        if count := self._chatterers.knock(host):
            words = "a call with %s gets more than %g requests a second: what is too much gets 503 (%d such lately)"
            log.warning(words, host, DIALOG_REQUESTS_PER_S, count)
        return False

    def refused(self, branch: str, status: int) -> None:
        """The request of this branch is being refused."""
        if branch in self._awaited:
            self._awaited[branch] = status

    def _await_call(self, message: siptext.SipText, account: TrunkAccount) -> None:
        """pjsip refuses an INVITE that it cannot take before pjsua tells of it: notice that no call came of it."""
        if siptext.tag(message.first("to")):
            return

        def judge() -> None:
            status = self._awaited.pop(message.branch, 0)
            if status and status not in NO_NEWS:
                self.legs.refused(account, message, status)

        self._awaited[message.branch] = 0
        self._loop.call_soon(judge)

    def incoming(self, prm: pj.OnIncomingCallParam) -> None:
        """An INVITE that the gate let through."""
        line = self.line_of(prm.rdata)
        if line is None:
            return  # the trunk's name has just changed its addresses; pjsua2 answers 500
        message = siptext.parse(prm.rdata.wholeMsg)
        self._awaited.pop(message.branch, None)
        dialog = DialogCall(self, line, line.trunk, self.legs.next_incoming(), prm.callId)
        dialog.has_offer = message.sdp is not None
        dialog.notes.received(message)
        self.dialogs[prm.callId] = dialog
        self.legs.incoming(dialog, prm.rdata.srcAddress, message)

    async def close(self) -> None:
        """BYE, CANCEL or 503 for every call, no registration any more; wait until that was heard."""
        self.is_stopping = True
        self.legs.release_all(503)
        for line in self.lines.values():
            line.leave()
        began = self._loop.time()
        while self._is_busy(self._loop.time() - began):
            self._pj_loop.pump()
            await asyncio.sleep(0.01)
        if unheard := self._unheard:
            words = "far ends have not confirmed the end of their calls within %g s (%d left): they may go on there"
            log.warning(words, self.settings.goodbyes_s, unheard)

    def _is_busy(self, waited_s: float) -> bool:
        """Whether something is still to be waited for."""
        if waited_s < LAST_REGISTER_S and any(line.is_leaving for line in self.lines.values()):
            return True
        return waited_s < self.settings.goodbyes_s and (self.live_calls() > 0 or self._unheard > 0)

    @property
    def _unheard(self) -> int:
        """Calls that were hung up, and whose far end has not confirmed it yet."""
        return self.partings.unheard + self.farewells.unheard
