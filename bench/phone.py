"""The far end of the gateway's trunk: a SIP user agent server that answers every call it expects at once (RFC 3261).

As cheap as it can be, for it shares the machine with what is measured: UDP only, no timers but the one for 2xx.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Any, Final

from bench.descriptions import phone_answer
from bench.subject import HOST, Address

T1_S: Final = 0.5
MAX_REPEATS: Final = 6
_COPIED: Final = ("via", "from", "to", "call-id", "cseq", "record-route")


@dataclass(frozen=True, slots=True)
class Message:
    """A request or response, as far as it concerns us."""

    first: str
    headers: tuple[tuple[str, str], ...]
    body: str

    @property
    def method(self) -> str:
        """Of a request; SIP/2.0 for a response."""
        return self.first.split(" ")[0]

    def get(self, name: str) -> str:
        """The first header of this name."""
        return next((value for key, value in self.headers if key.lower() == name), "")


def parse(data: bytes) -> Message:
    """Read a message; the compact form of Call-ID and the like is not used by the gateway."""
    head, _, body = data.decode(errors="replace").partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers = tuple((name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
    return Message(first, headers, body)


def respond(request: Message, status: str, contact: str, body: str = "") -> bytes:
    """A response to `request` (RFC 3261 §8.2.6.2)."""
    lines = [f"SIP/2.0 {status}"]
    for name, value in request.headers:
        if name.lower() in _COPIED:
            tag = ";tag=bench" if name.lower() == "to" and ";tag=" not in value else ""
            lines.append(f"{name}: {value}{tag}")
    lines.append(f"Contact: {contact}")
    if body:
        lines.append("Content-Type: application/sdp")
    lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


@dataclass(slots=True)
class Expected:
    """A call that is to come: what we answer, and the offer once it is there."""

    answer: str
    offer: asyncio.Future[str]
    hung_up: asyncio.Event


class Phone(asyncio.DatagramProtocol):
    """Answers INVITE with 180 and 200, BYE with 200."""

    def __init__(self) -> None:
        self._transport: asyncio.DatagramTransport
        self._expected: dict[str, Expected] = {}
        self._calls: dict[str, Expected] = {}
        self._waiting_for_ack: dict[str, asyncio.TimerHandle] = {}

    @classmethod
    async def open(cls) -> Phone:
        """A phone on a free port."""
        loop = asyncio.get_running_loop()
        _, phone = await loop.create_datagram_endpoint(cls, local_addr=(HOST, 0))
        return phone

    @property
    def port(self) -> int:
        """Its SIP port."""
        return int(self._transport.get_extra_info("sockname")[1])

    def expect(self, number: str, media: Address, codec: str) -> Expected:
        """Answer the call to `number` with this address for its media."""
        offer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._expected[number] = Expected(phone_answer(media, codec), offer, asyncio.Event())
        return self._expected[number]

    def close(self) -> None:
        """Close the port."""
        for timer in self._waiting_for_ack.values():
            timer.cancel()
        self._transport.close()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        message = parse(data)
        match message.method:
            case "INVITE":
                self._on_invite(message, addr)
            case "ACK":
                if timer := self._waiting_for_ack.pop(message.get("call-id"), None):
                    timer.cancel()
            case "BYE" | "CANCEL":
                self._send(respond(message, "200 OK", self._contact), addr)
                if call := self._calls.pop(message.get("call-id"), None):
                    call.hung_up.set()
            case "OPTIONS":
                self._send(respond(message, "200 OK", self._contact), addr)

    @property
    def _contact(self) -> str:
        return f"<sip:phone@{HOST}:{self.port}>"

    def _on_invite(self, invite: Message, source: Address) -> None:
        found = re.search(r"sips?:([^@;>]+)@", invite.first)
        call_id = invite.get("call-id")
        call = self._calls.get(call_id) or self._expected.pop(found[1] if found else "", None)
        if call is None:
            self._send(respond(invite, "404 Not Found", self._contact), source)
            return
        self._calls[call_id] = call
        self._send(respond(invite, "180 Ringing", self._contact), source)
        self._accept(invite, respond(invite, "200 OK", self._contact, call.answer), source, 0)
        if not call.offer.done():
            call.offer.set_result(invite.body)

    def _accept(self, invite: Message, response: bytes, source: Address, repeats: int) -> None:
        """Send the 2xx until ACK comes (RFC 3261 §13.3.1.4)."""
        self._send(response, source)
        if repeats < MAX_REPEATS:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(T1_S * 2**repeats, self._accept, invite, response, source, repeats + 1)
            self._waiting_for_ack[invite.get("call-id")] = timer

    def _send(self, data: bytes, to: Address) -> None:
        self._transport.sendto(data, to)
