"""Our gateway, whole: `webtrunk run` with its SIP worker, called over the signalling WebSocket as a page would."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sqlite3
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, Self

from websockets.asyncio.client import ClientConnection, connect

from bench import cost
from bench.browser import Browser
from bench.descriptions import read
from bench.generator import Endpoint, Generator
from bench.phone import Expected, Phone
from bench.processes import Program, free_port
from bench.subject import BROWSER_OFFSET, HOST, JOBS, OFFSET_STEP, PHONE_OFFSET, Job
from gateway.builtin import transcoded_codecs
from gateway.directory import PING_S

STEP_S: Final = 20.0
"""No step of a call takes longer, or something is wrong."""
_PREFIX: Final = {name: f"+{number}" for number, name in enumerate(JOBS, 1)}
_USER: Final = "bench"

# Every cap is off: the load is the point. The records go to a file, as they do in earnest.
_CONFIG: Final = """\
[listen]
host = "{host}"
port = {page_port}
[admin]
port = {admin_port}
[auth]
mode = "open"
[[network]]
bind = "{host}"
[media]
browser_port = {media_port}
rtp_ports = [20000, 27999]
[sip]
udp_port = {sip_port}
[records]
url = "sqlite:///{directory}/records.sqlite"
[limits]
calls = 0
user_calls = 0
user_calls_per_minute = 0
user_minutes_per_day = 0
user_pages = 0
[user.{user}]
display = "Bench"
"""
# One for each job; the policy is what makes the gateway do it.
_TRUNK: Final = """\
[trunk.{name}]
host = "{host}"
port = {phone_port}
allow = ["{prefix}"]
codecs = ["{codec}"]
prefer = "{policy}"
max_calls = 0
max_calls_per_minute = 0
max_minutes_per_day = 0
"""


class PageCall:
    """One call: a page with a socket of its own, and the phone that it reached."""

    browser: Endpoint
    phone: Endpoint
    srtp: str

    def __init__(self, page: ClientConnection, media: Browser, expected: Expected) -> None:
        self._page, self._media, self._expected = page, media, expected
        self._alive = asyncio.create_task(self._stay_alive())

    async def _stay_alive(self) -> None:
        """A page that says nothing for long is taken for gone."""
        while True:
            await asyncio.sleep(PING_S)
            await self._page.send(json.dumps({"type": "ping"}))
            await _until(self._page, "pong")

    async def end(self) -> None:
        """The page hangs up and goes."""
        self._alive.cancel()
        async with asyncio.timeout(STEP_S):
            await self._page.send(json.dumps({"type": "call.hangup", "call": "c"}))
            await _until(self._page, "call.ended")
            await self._page.send(json.dumps({"type": "goodbye"}))
            await self._page.close()
            await self._expected.hung_up.wait()
            await self._media.close()
        self.phone.close()


class Webtrunk:
    """`webtrunk run`, alive inside `async with`."""

    name = "webtrunk"

    def __init__(self) -> None:
        project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
        self.version: str = project["project"]["version"]
        self._stack = AsyncExitStack()
        self._phone: Phone
        self._program: Program
        self._page_port = 0
        self._records = Path()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="webtrunk-bench-"))
            self._phone = await Phone.open()
            stack.callback(self._phone.close)
            self._records = Path(directory) / "records.sqlite"
            self._page_port = free_port(socket.SOCK_STREAM)
            config = Path(directory) / "webtrunk.toml"
            config.write_text(self._config(directory))
            words = [sys.executable, "-m", "gateway", "run", "-c", str(config)]
            self._program = await stack.enter_async_context(Program(words, "webtrunk is ready"))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def _config(self, directory: str) -> str:
        trunks = [
            _TRUNK.format(
                name=name,
                host=HOST,
                phone_port=self._phone.port,
                prefix=_PREFIX[name],
                codec=job.phone,
                policy="cpu" if job.browser == job.phone else "quality",
            )
            for name, job in JOBS.items()
            if job.phone in transcoded_codecs()
        ]
        return "".join([self._config_head(directory), *trunks])

    def _config_head(self, directory: str) -> str:
        return _CONFIG.format(
            host=HOST,
            page_port=self._page_port,
            admin_port=free_port(socket.SOCK_STREAM),
            media_port=free_port(),
            sip_port=free_port(),
            directory=directory,
            user=_USER,
        )

    def processes(self) -> Mapping[int, str]:
        """The gateway and its SIP worker."""
        children = cost.descendants(self._program.pid)
        return {self._program.pid: "gateway"} | dict.fromkeys(children, "SIP worker")

    def last_words(self) -> str:
        """The end of the gateway's log."""
        return self._program.last_words()

    def dropped(self) -> dict[str, int]:
        """Packets that the gateway itself dropped, by reason, of all calls that have ended."""
        total: Counter[str] = Counter()
        with contextlib.closing(sqlite3.connect(self._records)) as database:
            for (media,) in database.execute("SELECT media FROM calls"):
                for leg in json.loads(media).values():
                    reasons = {name: count for name, count in leg.items() if name.startswith("dropped_")}
                    total.update({name.removeprefix("dropped_"): count for name, count in reasons.items()})
        return dict(total)

    async def connect(self, generator: Generator, job: Job, number: int) -> PageCall:
        """Open a page, dial, and wait until the phone has answered and the media is secured."""
        media, phone = Browser(knows_gcm=job.knows_gcm), await generator.open()
        destination = f"{_PREFIX[job.name]}{number:06}"
        expected = self._phone.expect(destination, (HOST, phone.port), job.phone)
        async with asyncio.timeout(STEP_S):
            page = await connect(f"ws://{HOST}:{self._page_port}/signal", compression=None)
            await page.send(json.dumps({"type": "hello", "user": _USER}))
            await _until(page, "welcome")
            offer = await media.offer(generator, job.browser)
            await page.send(json.dumps({"type": "call.start", "call": "c", "to": destination, "sdp": offer}))
            answer = await _until(page, "call.answer-sdp")
            await media.connect(answer["sdp"])
            await _until(page, "call.answered")
            trunk = read(await expected.offer)
        media.endpoint.speak(media.remote.address, job.spoken, number * OFFSET_STEP + BROWSER_OFFSET, phone)
        phone.speak(trunk.address, job.phone, number * OFFSET_STEP + PHONE_OFFSET, media.endpoint)
        call = PageCall(page, media, expected)
        call.browser, call.phone, call.srtp = media.endpoint, phone, media.profile
        return call


async def _until(page: ClientConnection, kind: str) -> dict[str, Any]:
    """The next message of this type.

    Raises:
        RuntimeError: The gateway refused something, or ended the call.
    """
    while True:
        message: dict[str, Any] = json.loads(await page.recv())
        if message["type"] == kind:
            return message
        if message["type"] in ("error", "call.ended"):
            raise RuntimeError(f"waiting for {kind}, the gateway said: {message}")
