"""The live tee: what its server gets, and what happens when it is slow, away, or refuses."""

from __future__ import annotations

import array
import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosedError

from gateway import tee
from gateway.calltee import CallTee
from gateway.tee import FRAME_MS, KEEP_MS, Destination, Tee
from tests.harness.certificates import Authority
from tests.harness.ports import HOST
from tests.harness.transcriber import Transcriber, transcribing
from tests.unit.soundrecorders import Voice

FACTS = {"version": 1, "call": "id1", "rate": 16_000, "channels": 2}


class Bench:
    """A call with a tee; its clock is faster than the world's when it is pushed."""

    def __init__(self, port: int, *, token: str = "", tls: ssl.SSLContext | None = None) -> None:
        self.voices = (Voice(1), Voice(2))
        self.notes: list[tuple[str, str]] = []
        self._began, self._pushed_ms = time.monotonic(), 0
        url = f"{'wss' if tls else 'ws'}://{HOST}:{port}/hear?key=s3cret"
        made = Tee(
            Destination(url, token, tls), self.voices, 0, FACTS, self.clock, lambda *note: self.notes.append(note)
        )
        self.tee = CallTee(lambda: made, asyncio.create_task)
        self.tee.on_answer()

    def clock(self) -> int:
        return int((time.monotonic() - self._began) * 1000) + self._pushed_ms

    def push(self, ms: int) -> None:
        self._pushed_ms += ms

    async def until_lost(self) -> None:
        async with asyncio.timeout(10):
            while not self.tee.describe()["lost_ms"]:  # noqa: ASYNC110 - the tee has no event for it
                await asyncio.sleep(0.02)


class Speaking(Voice):
    """Each frame says its number, so that its sound tells its place."""

    def read(self, until_ms: int) -> bytes:
        self.sample = self.at_ms // FRAME_MS
        return super().read(until_ms)


class StuckSocket:
    """It takes text, and breaks the connection off while a frame is on its way."""

    def __init__(self) -> None:
        self.is_stuck, self.breaks = asyncio.Event(), asyncio.Event()

    async def send(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self.is_stuck.set()
            await self.breaks.wait()
            raise ConnectionClosedError(None, None)


class PlacingSocket:
    """It takes everything; where each frame lies by what the messages say, and by its sound."""

    def __init__(self) -> None:
        self.places: list[tuple[int, int]] = []
        self._due_ms = 0

    async def send(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self.places.append((self._due_ms, array.array("h", message)[0] * FRAME_MS))
            self._due_ms += FRAME_MS
        else:
            told = json.loads(message)
            self._due_ms += told.get("offset_ms", 0) + told.get("ms", 0)


@pytest.fixture
async def server() -> AsyncIterator[Transcriber]:
    async with transcribing("Bearer s3cret") as made:
        yield made


async def test_both_legs_arrive_side_by_side_and_the_end_is_told(server: Transcriber) -> None:
    bench = Bench(server.port, token="Bearer s3cret")
    await server.until(ms=300)
    bench.push(1000)
    await bench.tee.end()
    hearing = await server.until(is_over=True)
    assert hearing.start == {"type": "start", **FACTS, "offset_ms": 0}
    samples = array.array("h", bytes(hearing.pcm))
    assert set(samples[0::2]) == {1}
    assert set(samples[1::2]) == {2}
    assert hearing.messages == [{"type": "stop"}]
    described = bench.tee.describe()
    assert described["sent_ms"] == len(samples) // 32 >= 1200
    assert (described["state"], described["lost_ms"], described["connections"]) == ("finished", 0, 1)
    assert all(voice.is_closed for voice in bench.voices)


async def test_a_lost_connection_is_made_again_and_nothing_is_missing() -> None:
    first = Transcriber()
    await first.start()
    bench = Bench(first.port)
    before = await first.until(ms=200)
    await first.stop()
    second = Transcriber()
    second.port = first.port
    await second.start()
    after = await second.until(ms=500)
    await bench.tee.end()
    assert before.start["offset_ms"] == 0
    assert after.start["offset_ms"] % 100 == 0
    assert 0 < after.start["offset_ms"] <= bench.clock()
    assert [what for what, _ in bench.notes] == ["tee connected", "tee lost", "tee connected"]
    await second.stop()


async def test_a_server_that_does_not_read_costs_the_oldest_and_the_next_is_told() -> None:
    async with transcribing() as server:
        bench = Bench(server.port)
        await server.until(ms=100)
        server.reads.clear()
        for _ in range(40):
            bench.push(2000)
            await asyncio.sleep(0)
        await bench.until_lost()
        assert len(bench.tee._tee._waiting) * 100 <= KEEP_MS  # type: ignore[union-attr]
        server.reads.set()
        hearing = await server.until(ms=KEEP_MS)
        await bench.tee.end()
        await server.until(is_over=True)
    gaps = sum(message["ms"] for message in hearing.messages if message["type"] == "gap")
    assert gaps == bench.tee.describe()["lost_ms"] > 0
    assert gaps + len(hearing.pcm) // 64 == bench.tee.describe()["sent_ms"] + gaps


async def test_a_frame_that_was_on_its_way_when_the_connection_broke_keeps_its_place() -> None:
    made = Tee(Destination("ws://nowhere", "", None), [Speaking()], 0, {}, lambda: 0, lambda *_: None)
    made._take_until(1000)
    stuck, healthy = StuckSocket(), PlacingSocket()
    first = asyncio.create_task(made._converse(cast(ClientConnection, stuck)))
    await stuck.is_stuck.wait()
    made._take_until(20_000)
    stuck.breaks.set()
    with pytest.raises(ConnectionClosedError):
        await first
    made._ending.set()
    await made._converse(cast(ClientConnection, healthy))
    assert all(told == heard for told, heard in healthy.places)
    assert (healthy.places[0][0], healthy.places[-1][0]) == (0, 20_000 - FRAME_MS)
    assert made.describe()["lost_ms"] + made.describe()["sent_ms"] == 20_000


@pytest.mark.parametrize(("steady_s", "expected"), [(tee.STEADY_S, tee.RETRY_S), (0.0, (tee.RETRY_S[0],) * 6)])
async def test_a_server_that_takes_connections_and_closes_them_is_asked_ever_more_rarely_unless_they_held(
    server: Transcriber, monkeypatch: pytest.MonkeyPatch, steady_s: float, expected: tuple[float, ...]
) -> None:
    pauses: list[float] = []
    enough = asyncio.Event()

    async def pause(_tee: Tee, seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == len(expected):
            enough.set()
            await _tee._ending.wait()

    monkeypatch.setattr(tee, "STEADY_S", steady_s)
    monkeypatch.setattr(Tee, "_pause", pause)
    server.closes_with = 1011
    bench = Bench(server.port, token="Bearer s3cret")
    async with asyncio.timeout(15):
        await enough.wait()
    await bench.tee.end()
    assert tuple(pauses) == expected


@pytest.mark.parametrize(
    ("close_code", "state"), [(1000, "finished"), (1005, "finished"), (1011, "lost"), (1006, "lost")]
)
def test_a_tee_is_finished_only_if_its_server_took_the_end(close_code: int, state: str) -> None:
    notes: list[tuple[str, str]] = []
    made = Tee(Destination("ws://nowhere", "", None), [], 0, {}, lambda: 0, lambda *note: notes.append(note))
    made._conclude(close_code)
    assert made.describe()["state"] == state
    assert notes == ([("tee lost", "the server did not take the end")] if state == "lost" else [])


async def test_a_server_that_refuses_is_told_once_and_asked_again(server: Transcriber) -> None:
    bench = Bench(server.port, token="Bearer wrong")
    await server.refusals(2)
    await bench.tee.end()
    assert bench.notes == [("tee lost", "the server answered HTTP 401")]
    assert bench.tee.describe()["state"] == "lost"


@pytest.mark.parametrize("scheme", ["http", "ws"])
async def test_a_redirect_is_not_followed_and_its_target_not_told(
    server: Transcriber, scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with transcribing() as other:
        server.redirects_to = f"{scheme}://{HOST}:{other.port}/login?key=s3cret"
        bench = Bench(server.port, token="Bearer s3cret")
        await server.refusals(2)
        await bench.tee.end()
        assert other.hearings == []
    assert bench.notes == [("tee lost", "the server answered HTTP 302: redirects are not followed")]
    described = bench.tee.describe()
    assert (described["state"], described["lost_ms"] > 0) == ("lost", True)
    assert "s3cret" not in caplog.text


async def test_a_server_that_is_not_there_costs_the_call_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tee, "KEEP_MS", 300)
    bench = Bench(Transcriber().port)
    await bench.until_lost()
    began = time.monotonic()
    await bench.tee.end()
    assert time.monotonic() - began < 2
    assert "cannot be reached" in bench.notes[0][1]
    assert "s3cret" not in str(bench.notes)
    assert all(voice.is_closed for voice in bench.voices)


async def test_a_server_that_hangs_at_the_end_holds_the_call_for_a_moment_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.calltee.END_S", 0.05)
    async with transcribing() as server:
        bench = Bench(server.port)
        await server.until(ms=100)
        server.reads.clear()
        bench.push(60_000)
        await asyncio.sleep(0)
        await bench.tee.end()
        assert all(voice.is_closed for voice in bench.voices)


async def test_tls_is_checked_against_the_named_authority(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path / "a"), Authority(tmp_path / "b")
    certificate, key = authority.issue("transcriber")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = Transcriber()
    await server.start(context)
    good = Bench(server.port, tls=ssl.create_default_context(cafile=authority.certificate))
    await server.until(ms=100)
    await good.tee.end()
    bad = Bench(server.port, tls=ssl.create_default_context(cafile=other.certificate))
    async with asyncio.timeout(10):
        while not bad.notes:  # noqa: ASYNC110 - the journal has no event
            await asyncio.sleep(0.02)
    await bad.tee.end()
    assert "its certificate is not trusted" in bad.notes[0][1]
    await server.stop()
