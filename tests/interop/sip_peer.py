"""A scripted SIP peer on UDP: says exactly what a test tells it, and hands over what it hears.

It keeps no state but what the test holds: a `Message` heard, a `Dialog` begun. Retransmissions are
dropped, so that a test sees every message once. BYE and CANCEL are confirmed unasked.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from tests.harness.patience import PATIENCE_S

HOST = "127.0.0.1"
Lines = Sequence[str]

_serial = itertools.count(1)


def sdp(
    port: int = 40000, *, direction: str = "sendrecv", version: int = 1, codecs: Sequence[int] = (8, 0, 101)
) -> str:
    """An audio description."""
    names = {0: "PCMU/8000", 8: "PCMA/8000", 9: "G722/8000", 13: "CN/8000", 111: "opus/48000/2"}
    names |= {
        96: "telephone-event/48000",
        98: "opus/48000/2",
        101: "telephone-event/8000",
        110: "telephone-event/48000",
    }
    lines = ["v=0", f"o=- 7 {version} IN IP4 {HOST}", "s=-", f"c=IN IP4 {HOST}", "t=0 0"]
    lines.append(f"m=audio {port} RTP/AVP {' '.join(map(str, codecs))}")
    lines += [f"a=rtpmap:{codec} {names[codec]}" for codec in codecs]
    return "\r\n".join([*lines, f"a={direction}", ""])


@dataclass(frozen=True)
class Message:
    """What was heard."""

    text: str
    source: tuple[str, int]

    @property
    def start(self) -> str:
        return self.text.split("\r\n", 1)[0]

    @property
    def method(self) -> str:
        return "" if self.start.startswith("SIP/2.0") else self.start.split(" ")[0]

    @property
    def status(self) -> int:
        return int(self.start.split(" ")[1]) if self.start.startswith("SIP/2.0") else 0

    @property
    def body(self) -> str:
        return self.text.partition("\r\n\r\n")[2]

    def all(self, name: str) -> list[str]:
        return re.findall(rf"(?im)^{re.escape(name)}[ \t]*:[ \t]*(.*?)\r?$", self.text.partition("\r\n\r\n")[0])

    def header(self, name: str) -> str:
        return (self.all(name) or [""])[0]

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Equal for retransmissions."""
        branch = re.search(r"branch=([^;\s]+)", self.header("Via"))
        return self.start, self.header("CSeq"), branch.group(1) if branch else "", self.header("To")


@dataclass
class Dialog:
    """A dialog that the peer began (as UAC), or joined by answering (as UAS)."""

    peer: Peer
    target: str
    address: tuple[str, int]
    local: str
    remote: str
    call_id: str
    cseq: int = 0
    branch: str = ""
    _last: str = ""
    heard: list[Message] = field(default_factory=list)

    def send(
        self, method: str, headers: Lines = (), body: str = "", *, cseq: int | None = None, branch: str = ""
    ) -> None:
        """Send a request within the dialog."""
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        self.branch = branch or f"z9hG4bK-peer-{next(_serial)}"
        lines = [
            f"{method} {self.target} SIP/2.0",
            f"Via: SIP/2.0/{self.peer.protocol.upper()} {HOST}:{self.peer.port};branch={self.branch};rport",
            "Max-Forwards: 70",
            f"From: {self.local}",
            f"To: {self.remote}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {cseq} {method}",
            f"Contact: {self.peer.contact}",
            *headers,
        ]
        self._last = with_body(lines, body)
        self.peer.send(self._last, self.address)

    async def response(self, status: int) -> Message:
        """Wait for this response; learn tag and target from it."""
        message = await self.peer.heard(lambda m: m.status == status and m.header("Call-ID") == self.call_id)
        if status < 300:
            self.remote = message.header("To")
            self.target = re.sub(r"[<>]", "", message.header("Contact")) or self.target
        return message

    async def request(self, method: str) -> Message:
        """Wait for a request in this dialog."""
        return await self.peer.heard(lambda m: m.method == method and m.header("Call-ID") == self.call_id)

    def send_again(self) -> None:
        """Repeat the last request as it was."""
        self.peer.send(self._last, self.address)

    def ack(self, body: str = "", *, cseq: int | None = None) -> None:
        """ACK to a 2xx: a transaction of its own, with the number of the INVITE (RFC 3261 §13.2.2.4)."""
        self.send("ACK", body=body, cseq=cseq or self.cseq)

    def ack_refusal(self) -> None:
        """ACK to a final response of 300 and over: part of the INVITE transaction (RFC 3261 §17.1.1.3)."""
        self.send("ACK", cseq=self.cseq, branch=self.branch)

    def cancel(self, headers: Lines = ()) -> None:
        """CANCEL of the INVITE just sent (RFC 3261 §9.1)."""
        self.send("CANCEL", headers, cseq=self.cseq, branch=self.branch)

    async def bye(self) -> None:
        """BYE, and wait until it is confirmed."""
        self.send("BYE")
        await self.peer.heard(lambda m: m.status == 200 and "BYE" in m.header("CSeq"))


def with_body(lines: Lines, body: str) -> str:
    kind = ["Content-Type: application/sdp"] if body and not any(ln.startswith("Content-Type:") for ln in lines) else []
    return "\r\n".join([*lines, *kind, f"Content-Length: {len(body)}", "", body])


class Peer(asyncio.DatagramProtocol):
    """One UDP socket."""

    port: int
    protocol = "udp"

    def __init__(self) -> None:
        self._inbox: list[Message] = []
        self._news = asyncio.Event()
        self._seen: set[tuple[str, str, str, str]] = set()
        self.raw: list[bytes] = []
        self._arrival = asyncio.Event()
        self.confirms = True
        """Answer BYE and CANCEL unasked."""
        self.announces = ""
        """The transport that Contact names instead of ours."""
        self.babbles = b""
        """What is sent back for every datagram."""

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, port: int = 0) -> AsyncIterator[Peer]:
        """A peer on this port, or on a free one."""
        transport, peer = await asyncio.get_running_loop().create_datagram_endpoint(cls, local_addr=(HOST, port))
        peer._transport = transport
        peer.port = transport.get_extra_info("sockname")[1]
        try:
            yield peer
        finally:
            transport.close()

    @property
    def contact(self) -> str:
        """Where we are reached (RFC 3261 §19.1.1)."""
        transport = self.announces or self.protocol
        suffix = "" if transport == "udp" else f";transport={transport}"
        return f"<sip:peer@{HOST}:{self.port}{suffix}>"

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.raw.append(data)
        if self.babbles:
            self.send(self.babbles, addr)
        self._arrival.set()
        if not data.strip():
            return
        message = Message(data.decode(errors="replace"), addr)
        if message.key not in self._seen:
            self._seen.add(message.key)
            if self.confirms and message.method in ("BYE", "CANCEL"):
                self.reply(message, 200, "OK")
            self._inbox.append(message)
            self._news.set()

    def forget(self) -> None:
        """Take what is heard from now on for new, even if it is word for word what was heard before."""
        self._seen.clear()

    def send(self, text: str | bytes, address: tuple[str, int]) -> None:
        """Put a datagram on the wire as it is."""
        self._transport.sendto(text.encode() if isinstance(text, str) else text, address)

    async def heard(self, wanted: Callable[[Message], bool], patience_s: float = PATIENCE_S) -> Message:
        """The next message that fits; others stay in the inbox."""
        try:
            async with asyncio.timeout(patience_s):
                while True:
                    for message in self._inbox:
                        if wanted(message):
                            self._inbox.remove(message)
                            return message
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"not heard; the inbox holds {[m.start for m in self._inbox]}") from None

    async def more(self) -> None:
        """Wait for one more datagram, be it a repeated one."""
        self._arrival.clear()
        await self._arrival.wait()

    async def request(self, method: str) -> Message:
        """The next request of a method."""
        return await self.heard(lambda m: m.method == method)

    def reply(
        self, request: Message, status: int, phrase: str = "X", headers: Lines = (), body: str = "", tag: str = "peer"
    ) -> None:
        """Answer a request."""
        to = request.header("To")
        if status > 100 and ";tag=" not in to:
            to += f";tag={tag}"
        lines = [
            f"SIP/2.0 {status} {phrase}",
            *(f"Via: {value}" for value in request.all("Via")),
            *(f"Record-Route: {value}" for value in request.all("Record-Route")),
            f"From: {request.header('From')}",
            f"To: {to}",
            f"Call-ID: {request.header('Call-ID')}",
            f"CSeq: {request.header('CSeq')}",
            f"Contact: {self.contact}",
            *headers,
        ]
        self.send(with_body(lines, body), request.source)

    def join(self, invite: Message, tag: str = "peer") -> Dialog:
        """The dialog that our answer to an INVITE made."""
        target = re.search(r"<([^>]+)>", invite.header("Contact"))
        return Dialog(
            self,
            target.group(1) if target else "",
            invite.source,
            local=f"{invite.header('To')};tag={tag}",
            remote=invite.header("From"),
            call_id=invite.header("Call-ID"),
        )

    def dial(self, port: int, number: str = "100", headers: Lines = (), body: str = "") -> Dialog:
        """Send an INVITE to a gateway on loopback."""
        serial = next(_serial)
        dialog = Dialog(
            self,
            target=f"sip:{number}@{HOST}:{port}",
            address=(HOST, port),
            local=f'"Peer" <sip:peer@{HOST}:{self.port}>;tag=t{serial}',
            remote=f"<sip:{number}@{HOST}:{port}>",
            call_id=f"peer-{serial}-{self.port}",
        )
        dialog.send("INVITE", headers, body)
        return dialog


async def open_peer() -> AsyncIterator[Peer]:
    """For `peer = pytest.fixture(open_peer)` in a test module."""
    async with Peer.open() as peer:
        yield peer
