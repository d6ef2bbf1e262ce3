"""The demo phone: a SIP worker of its own, and a script for each number."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final, assert_never

from call.errors import GatewayError
from demo.line import Line, Place
from demo.numbers import NUMBERS, Script, called_back, unknown
from sip.agent import Agent
from sip.messages import (
    Answered,
    Command,
    DtmfRefused,
    Ended,
    Incoming,
    InfoDtmf,
    InviteRefused,
    LegEvent,
    Reanswer,
    Reanswered,
    Reoffered,
    Ringing,
    Start,
    TrunkAccount,
    TrunkEvent,
)

GATEWAY: Final = "gateway"
"""The phone's one trunk."""
CALL_BACK_AFTER_S: Final = 2.0
CALL_BACK_RINGS_S: Final = 60.0
GOODBYES_S: Final = 1.5
"""Nobody is billed for the demo phone's calls, and whoever starts it again shall not wait for its port."""

log = logging.getLogger("demo")


class Phone:
    """Answers the demo numbers until it is stopped."""

    def __init__(self, place: Place, sip_port: int, gateway: tuple[str, int]) -> None:
        """Prepare; `run` starts the worker."""
        self.finished = asyncio.Event()
        """Set whenever a call, and its call back, is over."""
        self._place = place
        self._lines: dict[str, Line] = {}
        self._scripts: dict[str, asyncio.Task[None]] = {}
        self._calls_placed = 0
        self._tasks = asyncio.TaskGroup()
        host, port = gateway
        start = Start(
            bind=place.bind,
            advertise=place.bind,
            udp_port=sip_port,
            user_agent="webtrunk-demo-phone",
            goodbyes_s=GOODBYES_S,
            trunks=(TrunkAccount(GATEWAY, host, port),),
        )
        self._agent = Agent(start, on_event=self._on_event, on_lost=self._on_lost)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`, then end every call with BYE or CANCEL.

        Raises:
            TransportError: The SIP port is taken, or the worker cannot start.
        """
        await self._agent.start()
        try:
            async with self._tasks:
                print(f"demo phone ready on {self._place.bind}:{self._agent.started.udp_port}", flush=True)
                await stop.wait()
                for script in tuple(self._scripts.values()):
                    script.cancel()
        finally:
            await self._agent.stop()

    # --- events -----------------------------------------------------------------------------------------------------

    def _on_event(self, event: TrunkEvent) -> None:
        if isinstance(event, Incoming):
            self._begin(Line.of(event, self._place, self._post), NUMBERS.get(event.number.lower(), unknown))
        elif isinstance(event, InviteRefused):
            log.warning("a call to %s was refused with %d: %s", event.number, event.status, event.detail)
        elif line := self._lines.get(event.leg):  # else: a late word about a call that is over
            self._tell(line, event)

    def _tell(self, line: Line, event: LegEvent) -> None:
        match event:
            case Answered():
                line.on_answered(event)
            case InfoDtmf(digit=digit):
                line.press(digit)
            case Reoffered():
                self._reanswer(line, event)
            case Ended():
                self._end(line, event)
            case Incoming() | Ringing() | Reanswered() | DtmfRefused():
                pass  # we hear no early media, never re-offer, and press no keys
            case _:
                assert_never(event)

    def _reanswer(self, line: Line, event: Reoffered) -> None:
        try:
            line.on_reoffered(event)
        except GatewayError as error:
            log.warning("%s: refused a new offer: %s", line.number, error)
            self._post(Reanswer(line.leg, 488))

    def _on_lost(self, why: str) -> None:
        log.error("the SIP worker is gone with %d calls: %s", len(self._scripts), why)
        for script in tuple(self._scripts.values()):
            script.cancel()

    def _post(self, command: Command) -> None:
        self._agent.post(command)

    # --- calls ------------------------------------------------------------------------------------------------------

    def _begin(self, line: Line, script: Script) -> None:
        self._lines[line.leg] = line
        self._scripts[line.leg] = self._tasks.create_task(self._serve(line, script))

    async def _serve(self, line: Line, script: Script) -> None:
        """Run one call's script; whatever goes wrong in it ends this call only."""
        began = time.monotonic()
        try:
            async with line.with_media():
                await script(line)
                line.hang_up()
                await asyncio.get_running_loop().create_future()  # `Ended` cancels us
        except* GatewayError as errors:
            error = next(error for error in _flat(errors) if isinstance(error, GatewayError))
            line.ending = str(error)
            line.refuse(error.sip_status)
        except* Exception:
            log.exception("%s: the script failed; this is a bug", line.number)
            line.ending = "our own bug"
            line.refuse(500)
        finally:
            self._forget(line, time.monotonic() - began)

    def _end(self, line: Line, event: Ended) -> None:
        who = {"peer": "the other side", "us": "us", "fault": event.detail or event.fault}[event.by]
        line.ending = line.ending or f"ended by {who} ({event.status} {event.phrase})".replace(" )", ")")
        if script := self._scripts.get(line.leg):
            script.cancel()

    def _forget(self, line: Line, lasted_s: float) -> None:
        self._lines.pop(line.leg, None)
        self._scripts.pop(line.leg, None)
        keys = f", keys {line.pressed}" if line.pressed else ""
        caller, ending = line.caller or "unknown", line.ending or "stopped"
        log.info("%s → %s: %.1f s, %s%s, %s", caller, line.number, lasted_s, line.packets, keys, ending)
        if line.call_back and line.ending:
            self._tasks.create_task(self._call_back(line.call_back))
        else:
            self.finished.set()

    async def _call_back(self, user: str) -> None:
        await asyncio.sleep(CALL_BACK_AFTER_S)
        self._calls_placed += 1
        line = Line(f"callback-{self._calls_placed}", user, "callback", self._place, self._post)

        async def script(line: Line) -> None:
            await line.invite(GATEWAY, user, CALL_BACK_RINGS_S)
            await called_back(line)

        self._begin(line, script)


def _flat(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """The exceptions inside nested groups."""
    return [
        inner
        for error in group.exceptions
        for inner in (_flat(error) if isinstance(error, BaseExceptionGroup) else [error])
    ]
