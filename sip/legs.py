"""The worker's legs: carries out the gateway's commands and turns what dialogs tell into events.

pjsua2 is behind the two protocols below, so this file holds the decisions and `sip.worker` the calls
into C.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Protocol, assert_never

from call.errors import GatewayError, TransportError
from sip import endings, messages, siptext, trunk
from sip.messages import Ended, Headers, Invite, TrunkAccount
from sip.names import Names
from sip.probe import Probe

log = logging.getLogger("sip.legs")

PROBE_AFTER_S = 0.5
"""Without any response by then (one retransmission), ask whether the port is open at all."""

LegCommand = (
    messages.Progress | messages.Accept | messages.Release | messages.Reoffer | messages.Reanswer | messages.SendDtmf
)


class Dialog(Protocol):
    """One INVITE dialog, as the legs see it. Its methods raise `TransportError` when pjsip refuses."""

    leg: str
    trunk: TrunkAccount
    has_heard: bool
    """The peer has sent something, at least a 100."""

    def progress(self, status: int, sdp: str | None, headers: Headers) -> None:
        """Send 18x."""

    def accept(self, sdp: str, headers: Headers) -> None:
        """Send 200."""

    def discard(self, status: int, reason: str = "", headers: Headers = ()) -> None:
        """BYE, CANCEL or this final response, whichever the state asks for; never fails."""

    def abandon(self, status: int) -> None:
        """Forget a peer that never sent a word: nobody is there to CANCEL (RFC 3261 §9.1)."""

    def reoffer(self, sdp: str) -> bool:
        """Send a re-INVITE; False if another offer is on its way (RFC 3261 §14.1)."""

    def reanswer(self, status: int, sdp: str | None) -> None:
        """Answer the peer's re-INVITE or UPDATE."""

    def press(self, digits: str, duration_ms: int) -> None:
        """Send digits by INFO."""


class Stack(Protocol):
    """What the legs need of the SIP stack as a whole."""

    def place(self, command: Invite) -> Dialog:
        """Send an INVITE through a trunk that exists and resolves; raises TransportError."""

    def garbage_from(self, addresses: frozenset[str], port: int) -> str | None:
        """What was wrong with a datagram that came from there and could not be read."""

    def note_garbage(self, host: str, port: int, flaw: str) -> None:
        """Something came from there that is no SIP."""

    def flaw_of(self, addresses: frozenset[str], port: int) -> str | None:
        """Why a TLS connection to there failed."""

    def arm(self) -> None:
        """Timers may have changed."""


class Legs:
    """The table of legs, and the one place that says `Ended`."""

    def __init__(
        self,
        stack: Stack,
        names: Names,
        emit: Callable[[messages.TrunkEvent], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        trunks: Iterable[TrunkAccount],
    ) -> None:
        """`spawn` runs a coroutine in the worker's task group."""
        self._trunks = {account.name: account for account in trunks}
        self._stack = stack
        self._names = names
        self._emit = emit
        self._spawn = spawn
        self._loop = asyncio.get_running_loop()
        self._dialogs: dict[str, Dialog | None] = {}
        """None while the trunk's name is being resolved."""
        self._timers: dict[str, list[asyncio.TimerHandle]] = {}
        self._incoming = 0

    # --- what dialogs tell ---

    def next_incoming(self) -> str:
        """A name for an incoming leg."""
        self._incoming += 1
        return f"w{self._incoming}"

    def incoming(self, dialog: Dialog, source: str, message: siptext.SipText) -> None:
        """An INVITE from a trunk."""
        self._dialogs[dialog.leg] = dialog
        display, uri = siptext.name_addr(message.first("from"))
        self._emit(
            messages.Incoming(
                leg=dialog.leg,
                trunk=dialog.trunk.name,
                number=siptext.printable(trunk.called_user(dialog.trunk, message)),
                from_user=siptext.printable(siptext.uri_user(uri)),
                from_display=siptext.printable(display),
                call_id=siptext.printable(message.first("call-id")),
                source=source,
                sdp=message.sdp,
                headers=message.end_to_end,
            )
        )

    def refused(self, account: TrunkAccount, message: siptext.SipText, status: int) -> None:
        """An INVITE from a trunk that has its final response already: nobody rings, but the gateway shall know."""
        _, uri = siptext.name_addr(message.first("from"))
        detail, fault = endings.why_refused(status, message)
        self._emit(
            messages.InviteRefused(
                trunk=account.name,
                number=siptext.printable(trunk.called_user(account, message)),
                from_user=siptext.printable(siptext.uri_user(uri)),
                status=status,
                detail=detail,
                fault=fault,
            )
        )

    def tell(self, event: messages.LegEvent) -> None:
        """Something happened on a leg; nothing follows its end."""
        if event.leg not in self._dialogs:
            return
        if isinstance(event, messages.Answered | Ended):
            for timer in self._timers.pop(event.leg, ()):
                timer.cancel()
        if isinstance(event, Ended):
            del self._dialogs[event.leg]
        self._emit(event)

    def disconnected(self, dialog: Dialog, words: endings.LastWords) -> None:
        """pjsip says that the dialog is over."""
        event = endings.ended(dialog.leg, words)
        where = self._addresses(dialog.trunk)
        if event.fault == "transport" and (flaw := self._stack.flaw_of(where, dialog.trunk.port)):
            event = endings.with_detail(event, flaw)
        elif event.fault in ("timeout", "transport") and (
            garbage := self._stack.garbage_from(where, dialog.trunk.port)
        ):
            event = endings.malformed(dialog.leg, garbage)
        self.tell(event)

    def broken(self, dialog: Dialog) -> None:
        """Our own bug on one leg: it ends, the others go on."""
        self.tell(endings.by_bug(dialog.leg, "A bug in the SIP worker; its log has the details."))
        self._loop.call_soon(dialog.discard, 500)

    # --- commands ---

    def carry_out(self, command: Invite | LegCommand) -> None:
        """One command of the gateway; what goes wrong ends its leg and no other."""
        if isinstance(command, Invite):
            self._invite(command)
        elif dialog := self._dialogs.get(command.leg):
            self._on_dialog(dialog, command)
        elif isinstance(command, messages.Release):
            self.tell(endings.by_us(command.leg, command.status))  # its trunk is still being resolved
        self._stack.arm()

    def release_all(self, status: int) -> None:
        """BYE, CANCEL or this final response for everybody."""
        for leg, dialog in list(self._dialogs.items()):
            self.tell(endings.by_stop(leg, status))
            if dialog:
                dialog.discard(status)

    def _on_dialog(self, dialog: Dialog, command: LegCommand) -> None:
        try:
            self._apply(dialog, command)
        except GatewayError as error:
            log.warning("leg %s: %s failed: %s", dialog.leg, command.type, error)
            self.tell(endings.by_bug(dialog.leg, str(error)))
            dialog.discard(500)

    def _apply(self, dialog: Dialog, command: LegCommand) -> None:
        match command:
            case messages.Progress(status=status, sdp=early_sdp, headers=headers):
                trunk.check_headers(headers)
                dialog.progress(status, early_sdp, headers)
            case messages.Accept(sdp=sdp, headers=headers):
                trunk.check_headers(headers)
                dialog.accept(sdp, headers)
            case messages.Release(status=status, reason=reason, headers=headers):
                trunk.check_headers((*headers, ("Reason-Phrase", reason)))
                self.tell(endings.by_us(dialog.leg, status))
                dialog.discard(status, reason, headers)
            case messages.Reoffer(sdp=sdp):
                if not dialog.reoffer(sdp):
                    self.tell(messages.Reanswered(dialog.leg, 491, None))
            case messages.Reanswer(status=status, sdp=answer):
                dialog.reanswer(status, answer)
            case messages.SendDtmf(digits=digits, duration_ms=duration_ms):
                dialog.press(digits, duration_ms)
            case _:
                assert_never(command)

    # --- outgoing calls ---

    def _invite(self, command: Invite) -> None:
        if command.leg in self._dialogs:
            log.error("the gateway used the name %s twice; the second INVITE is not sent", command.leg)
            return
        self._dialogs[command.leg] = None
        try:
            trunk.check(command)
        except GatewayError as error:
            self.tell(endings.by_bug(command.leg, str(error), error.sip_status))
            return
        account = self._trunks.get(command.trunk)
        if account is None:
            self.tell(endings.by_bug(command.leg, f"The worker knows no trunk {command.trunk!r}.", 404))
        elif self._names.known(account.host) is None:
            self._spawn(self._resolve_and_place(command, account))
        else:
            self._place(command)

    async def _resolve_and_place(self, command: Invite, account: TrunkAccount) -> None:
        try:
            await self._names.lookup(account.host)
        except TransportError as error:
            self.tell(Ended(command.leg, by="fault", status=503, fault="dns", detail=str(error)))
            return
        if command.leg in self._dialogs:  # not released meanwhile
            self._place(command)
            self._stack.arm()

    def _place(self, command: Invite) -> None:
        try:
            dialog = self._stack.place(command)
        except TransportError as error:
            self.tell(Ended(command.leg, by="fault", status=503, fault="transport", detail=str(error)))
            return
        if command.leg not in self._dialogs:  # it ended while it was being sent
            return
        self._dialogs[command.leg] = dialog
        self._timers[command.leg] = [
            self._loop.call_later(PROBE_AFTER_S, self._probe, dialog),
            self._loop.call_later(dialog.trunk.no_response_s, self._unanswered, dialog),
            self._loop.call_later(command.timeout_s, self._rang_too_long, dialog, command.timeout_s),
        ]

    def _probe(self, dialog: Dialog) -> None:
        """Nothing came back yet: is anybody listening there? (RFC 3261 §18.4)"""
        host = next(iter(self._names.known(dialog.trunk.host) or ()), None)
        if dialog.has_heard or dialog.trunk.transport != "udp" or not host:
            return
        self._spawn(
            Probe.ask(host, dialog.trunk.port, lambda text: self._refused(dialog, text), self._stack.note_garbage)
        )

    def _refused(self, dialog: Dialog, text: str) -> None:
        self._give_up(dialog, Ended(dialog.leg, by="fault", status=503, fault="transport", detail=text))

    def _unanswered(self, dialog: Dialog) -> None:
        account = dialog.trunk
        garbage = self._stack.garbage_from(self._addresses(account), account.port)
        if garbage:
            self._give_up(dialog, endings.malformed(dialog.leg, garbage))
            return
        where = f"{trunk.bracketed(account.host)}:{account.port}"
        detail = f"{where} did not answer the INVITE within {account.no_response_s:g} s."
        self._give_up(dialog, Ended(dialog.leg, by="fault", status=408, fault="timeout", detail=detail))

    def _give_up(self, dialog: Dialog, event: Ended) -> None:
        if dialog.has_heard or dialog.leg not in self._dialogs:
            return
        self.tell(event)
        dialog.abandon(event.status)
        self._stack.arm()

    def _rang_too_long(self, dialog: Dialog, limit_s: float) -> None:
        self.tell(Ended(dialog.leg, by="us", status=408, detail=f"Nobody answered within {limit_s:g} s."))
        dialog.discard(487)
        self._stack.arm()

    def _addresses(self, account: TrunkAccount) -> frozenset[str]:
        return frozenset(self._names.known(account.host) or ())
