"""Debian's rtpengine in user space, doing the gateway's media job; its ng protocol does what signalling there is."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, Final, Self

from bench import bencode
from bench.browser import Browser
from bench.descriptions import phone_answer, read
from bench.generator import Endpoint, Generator
from bench.processes import Program, free_port
from bench.subject import BROWSER_OFFSET, HOST, OFFSET_STEP, PHONE_OFFSET, Job

STEP_S: Final = 20.0
BINARY: Final = "rtpengine"
PACKAGE: Final = "rtpengine-daemon"


class Refused(Exception):
    """rtpengine answered with an error."""


class NgClient(asyncio.DatagramProtocol):
    """Sends commands and awaits their answers, by cookie."""

    def __init__(self) -> None:
        self._transport: asyncio.DatagramTransport
        self._cookies = itertools.count()
        self._waiting: dict[bytes, asyncio.Future[dict[str, Any]]] = {}

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        cookie, _, body = data.partition(b" ")
        if (waiting := self._waiting.pop(cookie, None)) and not waiting.done():
            waiting.set_result(bencode.decode(body))

    async def ask(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """One command and its answer.

        Raises:
            Refused: It was answered with an error.
        """
        cookie = f"bench{next(self._cookies)}".encode()
        self._waiting[cookie] = asyncio.get_running_loop().create_future()
        self._transport.sendto(cookie + b" " + bencode.encode(command))
        async with asyncio.timeout(STEP_S):
            answer = await self._waiting[cookie]
        if answer["result"] not in ("ok", "pong"):
            raise Refused(f"{command['command']}: {answer}")
        return answer

    def close(self) -> None:
        """Close the socket."""
        self._transport.close()


class BridgedCall:
    """One call through rtpengine."""

    browser: Endpoint
    phone: Endpoint
    srtp: str

    def __init__(self, ng: NgClient, call_id: str, media: Browser) -> None:
        self._ng, self._call_id, self._media = ng, call_id, media

    async def end(self) -> None:
        """Delete the call at once."""
        await self._ng.ask({"command": "delete", "call-id": self._call_id, "from-tag": "b", "delete-delay": 0})
        await self._media.close()
        self.phone.close()


class RtpEngine:
    """The process, alive inside `async with`."""

    name = "rtpengine"

    def __init__(self) -> None:
        said = subprocess.run([_binary(), "--version"], capture_output=True, text=True, check=True)
        self.version = (said.stdout + said.stderr).strip().removeprefix("Version: ")
        self._stack = AsyncExitStack()
        self._program: Program
        self._ng: NgClient

    async def __aenter__(self) -> Self:
        port = free_port()
        words = [
            *(_binary(), "--config-file=none", "--table=-1", f"--interface={HOST}", f"--listen-ng={HOST}:{port}"),
            *("--port-min=28000", "--port-max=31999", f"--num-threads={os.cpu_count()}"),
            *("--foreground", "--log-stderr", "--log-level=4", "--dtls-passive"),
        ]
        async with AsyncExitStack() as stack:
            self._program = await stack.enter_async_context(Program(words))
            loop = asyncio.get_running_loop()
            _, self._ng = await loop.create_datagram_endpoint(NgClient, remote_addr=(HOST, port))
            stack.callback(self._ng.close)
            await self._wait_until_it_answers()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _wait_until_it_answers(self) -> None:
        for _ in range(50):
            try:
                async with asyncio.timeout(0.2):
                    await self._ng.ask({"command": "ping"})
                return
            except TimeoutError:
                continue
        raise ChildProcessError(f"rtpengine does not answer:\n{self._program.last_words()}")

    def processes(self) -> Mapping[int, str]:
        """Its one process."""
        return {self._program.pid: "rtpengine"}

    async def connect(self, generator: Generator, job: Job, number: int) -> BridgedCall:
        """Offer and answer, then ICE and DTLS of the browser's side."""
        media, phone = Browser(knows_gcm=job.knows_gcm), await generator.open()
        names = {"call-id": f"bench-{number}", "from-tag": "b"}
        codecs = {} if job.browser == job.phone else {"codec": {"mask": [job.browser], "transcode": [job.phone]}}
        offer = {"command": "offer", "sdp": await media.offer(generator, job.browser), "transport-protocol": "RTP/AVP"}
        offered = await self._ng.ask({**offer, **names, "ICE": "remove", "rtcp-mux": ["demux"], **codecs})
        answer = {"command": "answer", "to-tag": "p", "sdp": phone_answer((HOST, phone.port), job.phone)}
        answer |= {"transport-protocol": "UDP/TLS/RTP/SAVPF", "ICE": "force", "DTLS": "passive"}
        answered = await self._ng.ask({**answer, **names})
        await media.connect(answered["sdp"])
        media.endpoint.speak(media.remote.address, job.spoken, number * OFFSET_STEP + BROWSER_OFFSET, phone)
        phone.speak(read(offered["sdp"]).address, job.phone, number * OFFSET_STEP + PHONE_OFFSET, media.endpoint)
        call = BridgedCall(self._ng, names["call-id"], media)
        call.browser, call.phone, call.srtp = media.endpoint, phone, media.profile
        return call


def _binary() -> str:
    found = shutil.which(BINARY)
    if found is None:
        raise FileNotFoundError(f"{BINARY} is not installed: apt-get install --no-install-recommends {PACKAGE}")
    return found
