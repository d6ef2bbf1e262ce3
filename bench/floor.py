"""The floor: `loadgen floor`, the least program that could do the media job; keys by hand, no ICE, no DTLS."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from bench.generator import Endpoint, Generator
from bench.subject import BROWSER_OFFSET, HOST, OFFSET_STEP, PHONE_OFFSET, Job
from webrtc.dtls import SrtpKeys, SrtpProfile

KEY_AND_SALT: Final[dict[SrtpProfile, int]] = {"AEAD_AES_128_GCM": 16 + 12, "AES_CM_128_HMAC_SHA1_80": 16 + 14}
COMPLEXITY: Final = 5
"""Of Opus towards the browser, as in the gateway."""
STEP_S: Final = 10.0


class BareCall:
    """One call through the floor."""

    browser: Endpoint
    phone: Endpoint
    srtp: str

    def __init__(self, browser: Endpoint, phone: Endpoint, srtp: SrtpProfile) -> None:
        self.browser, self.phone, self.srtp = browser, phone, srtp

    async def end(self) -> None:
        """The floor forgets nothing; only our ports are closed."""
        self.browser.close()
        self.phone.close()


class Floor:
    """The process, alive inside `async with`."""

    name = "floor"
    version = "1"

    def __init__(self, binary: Path) -> None:
        self._binary = binary
        self._process: asyncio.subprocess.Process
        self._one_at_a_time = asyncio.Lock()

    async def __aenter__(self) -> Self:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(str(self._binary), "floor", stdin=pipe, stdout=pipe)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        async with asyncio.timeout(STEP_S):
            await self._process.wait()

    def processes(self) -> Mapping[int, str]:
        """Its one process, with one thread."""
        return {self._process.pid: "floor"}

    async def connect(self, generator: Generator, job: Job, number: int) -> BareCall:
        """Give both sides keys and addresses."""
        browser, phone = await generator.open(), await generator.open()
        profile: SrtpProfile = "AEAD_AES_128_GCM" if job.knows_gcm else "AES_CM_128_HMAC_SHA1_80"
        up, down = (secrets.token_bytes(KEY_AND_SALT[profile]) for _ in range(2))
        browser.secure(SrtpKeys(profile, receive=down, send=up))
        places = f"{HOST}:{browser.port} {HOST}:{phone.port}"
        line = f"call {profile} {up.hex()} {down.hex()} {places} {job.browser} {job.phone} {COMPLEXITY}"
        shared_port, phone_port = await self._ask(line)
        browser.speak((HOST, shared_port), job.browser, number * OFFSET_STEP + BROWSER_OFFSET, phone)
        phone.speak((HOST, phone_port), job.phone, number * OFFSET_STEP + PHONE_OFFSET, browser)
        return BareCall(browser, phone, profile)

    async def _ask(self, line: str) -> tuple[int, int]:
        assert self._process.stdin is not None and self._process.stdout is not None
        async with self._one_at_a_time, asyncio.timeout(STEP_S):
            self._process.stdin.write(line.encode() + b"\n")
            word, shared, phone = (await self._process.stdout.readline()).decode().split()
        assert word == "ready"
        return int(shared), int(phone)
