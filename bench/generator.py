"""The load generator's process, seen from Python: endpoints, and streams of speech between them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Self

from webrtc.dtls import SrtpKeys

Address = tuple[str, int]
Datagram = Callable[[bytes, Address], None]

PATIENCE_S: Final = 10.0
LINE_LIMIT: Final = 1 << 20


class GeneratorError(Exception):
    """The load generator failed: no figure of this run can be trusted."""


class Endpoint:
    """One browser or phone inside the load generator."""

    def __init__(self, generator: Generator, number: int, port: int, on_datagram: Datagram) -> None:
        self._generator, self.number, self.port = generator, number, port
        self.on_datagram = on_datagram

    def send(self, to: Address, data: bytes) -> None:
        """Send one datagram of ICE or DTLS."""
        self._generator.tell(f"send {self.number} {_place(to)} {data.hex()}")

    def secure(self, keys: SrtpKeys) -> None:
        """Speak SRTP from now on."""
        self._generator.tell(f"secure {self.number} {keys.profile} {keys.receive.hex()} {keys.send.hex()}")

    def speak(self, to: Address, voice: str, offset: int, heard_by: Endpoint) -> None:
        """Send speech to `to`, once the generator runs; it starts `offset` frames into the speech."""
        self._generator.tell(f"stream {self.number} {_place(to)} {voice} {offset} {heard_by.number}")

    def impair(self, pattern: Path) -> None:
        """Lose and delay what it says, as this file has it (`bench.impairment`)."""
        self._generator.tell(f"impair {self.number} {pattern}")

    def mishear(self, pattern: Path) -> None:
        """Lose what is sent to it, as this file has it, and report that to whom it speaks (RTCP)."""
        self._generator.tell(f"mishear {self.number} {pattern}")

    def keep(self, path: Path) -> None:
        """Write what is heard from here on to a file, when the generator halts."""
        self._generator.tell(f"keep {self.number} {path}")

    def close(self) -> None:
        """Close the port."""
        self._generator.forget(self.number)


class Generator:
    """The process `loadgen peers`, alive inside `async with`."""

    def __init__(self, binary: Path, voices: Sequence[str]) -> None:
        self._command = (str(binary), "peers", *voices)
        self._numbers = itertools.count()
        self._endpoints: dict[int, Endpoint] = {}
        self._opening: dict[int, asyncio.Future[int]] = {}
        self._report: asyncio.Future[dict[str, Any]] | None = None
        self._process: asyncio.subprocess.Process
        self._reader: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe, limit=LINE_LIMIT)
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
        await self._reader

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid

    async def open(self, on_datagram: Datagram | None = None) -> Endpoint:
        """Make an endpoint; STUN and DTLS that it receives go to `on_datagram`."""
        number = next(self._numbers)
        self._opening[number] = asyncio.get_running_loop().create_future()
        self.tell(f"open {number}")
        async with asyncio.timeout(PATIENCE_S):
            port = await self._opening[number]
        self._endpoints[number] = Endpoint(self, number, port, on_datagram or (lambda data, source: None))
        return self._endpoints[number]

    def forget(self, number: int) -> None:
        """Close an endpoint."""
        if self._endpoints.pop(number, None):
            self.tell(f"close {number}")

    def run(self) -> None:
        """Begin to send every stream."""
        self.tell("run")

    def mark(self) -> None:
        """What is sent from here on is measured."""
        self.tell("mark")

    async def halt(self) -> dict[str, Any]:
        """Stop sending; what was measured since the mark."""
        self._report = asyncio.get_running_loop().create_future()
        self.tell("halt")
        async with asyncio.timeout(PATIENCE_S):
            return await self._report

    def tell(self, line: str) -> None:
        """Give the process one line.

        Raises:
            GeneratorError: It has ended; its own words are on standard error.
        """
        if self._reader.done():
            raise GeneratorError("The load generator ended in the middle of a run.")
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            self._take(line.decode().rstrip("\n"))

    def _take(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        match word:
            case "opened":
                number, port = map(int, rest.split())
                self._opening.pop(number).set_result(int(port))
            case "up":
                number_text, source, data = rest.split()
                host, _, port_text = source.rpartition(":")
                with contextlib.suppress(KeyError):  # it was closed meanwhile
                    endpoint = self._endpoints[int(number_text)]
                    endpoint.on_datagram(bytes.fromhex(data), (host, int(port_text)))
            case "report":
                assert self._report is not None
                self._report.set_result(json.loads(rest))


def _place(address: Address) -> str:
    return f"{address[0]}:{address[1]}"
