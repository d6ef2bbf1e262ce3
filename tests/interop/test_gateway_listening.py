"""Recordings and live tees of real calls: a channel per leg; what a full disk, a kill and a slow server do."""

from __future__ import annotations

import asyncio
import itertools
import resource
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from gateway import localhttp
from tests.harness.baresip import Baresip
from tests.harness.gateway import GatewayProcess, demo_settings, trunk_to
from tests.harness.pagelike import PageCall, page_at
from tests.harness.ports import HOST, free_block, free_port
from tests.harness.speech import Samples, Speech, hears, loudness, measure
from tests.harness.transcriber import transcribing

pytestmark = pytest.mark.interop

SETTLED_S = 1.0
"""After the consent tone."""


@dataclass(frozen=True)
class Office:
    """A gateway that records all calls of alice as Ogg, and those of bob when somebody asks, as they are wanted."""

    gateway: GatewayProcess
    folder: Path
    phone_port: int
    tee_port: int
    """Where tees go; most of the time nobody is there."""


def start(directory: Path, phone_port: int, **recording: Any) -> Office:
    folder = directory / "recordings"
    users = {"alice": {"recording": "all"}, "bob": {"recording": "on-demand"}, "carol": {}}
    tee_port = free_port()
    tee = {"url": f"ws://{HOST}:{tee_port}/hear", "authorization": "Bearer s3cret"}
    settings = demo_settings(directory, user=users, recording={"folder": str(folder), **recording}, tee=tee)
    settings["trunk"]["phone"] = trunk_to(phone_port, ["phone"], codecs=["PCMU"])
    return Office(GatewayProcess(directory, settings, demo=True), folder, phone_port, tee_port)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    made = start(tmp_path_factory.mktemp("office"), free_block(2)[0])
    yield made
    made.gateway.stop()


@pytest.fixture
def phone(office: Office, other_speech: Speech, tmp_path: Path) -> Iterator[Baresip]:
    made = Baresip(tmp_path / "phone", other_speech, user="phone", port=office.phone_port)
    yield made
    made.stop()


def channels(path: Path) -> tuple[list[Samples], int]:
    """Both channels of a recording, -1 to 1, and their rate."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray() for frame in container.decode(audio=0) if isinstance(frame, av.AudioFrame)]
        stream = container.streams.audio[0]
        assert stream.channels == 2
        both = np.concatenate(frames, axis=1)
        planes = both if both.shape[0] == 2 else both.reshape(-1, 2).T
        scale = 32768 if both.dtype == np.int16 else 1
        return [plane / scale for plane in planes.astype(np.float64)], stream.rate


def post(office: Office, call_id: str, wish: str) -> tuple[int, dict[str, Any]]:
    """What the admin listener answers."""
    port = office.gateway.settings["admin"]["port"]
    return localhttp.ask(f"http://{HOST}:{port}/api/calls/{call_id}/recording", 10, "POST", {"do": wish})


def beeps(heard: Samples, rate_hz: int) -> list[float]:
    """How long hardly anything but 1400 Hz was heard, in seconds, each time; less than 50 ms may be speech."""
    frame = rate_hz // 100
    frames = heard[: len(heard) // frame * frame].reshape(-1, frame)
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(frame))) ** 2
    near = spectrum[:, 12:17].sum(axis=1)
    is_tone = near > 0.9 * spectrum.sum(axis=1).clip(min=1e-3)
    runs = [len(list(run)) / 100 for tone, run in itertools.groupby(is_tone) if tone]
    return [seconds for seconds in runs if seconds >= 0.05]


def check_said(speech: Speech, heard: Samples, rate_hz: int) -> None:
    """One round of the speech must be good: a busy machine may spoil another."""
    period = int(speech.lasts_s * rate_hz)
    begins = range(int(SETTLED_S * rate_hz), len(heard) - period + 1, period // 2)
    qualities = [measure(speech, heard[begin : begin + period], rate_hz) for begin in begins]
    assert any(quality.is_good for quality in qualities), qualities


async def kept(office: Office, call: PageCall) -> dict[str, Any]:
    """What the record of a call says of its first recording."""
    record = await office.gateway.record(await call.record_id())
    found: dict[str, Any] = record["media"]["recordings"]["1"]
    return found


async def test_both_sides_are_recorded_each_in_its_channel(
    office: Office, phone: Baresip, speech: Speech, other_speech: Speech
) -> None:
    async with page_at(office.gateway.signal_url, user="alice") as page:
        call = await page.call("phone", speech)
        await call.answered()
        await call.until("call.recording", on=True)
        await call.listen(2 * speech.lasts_s + SETTLED_S)
        await call.hang_up()
        record = await office.gateway.record(await call.record_id())
    recording = record["media"]["recordings"]["1"]
    assert (recording["state"], recording["why"], recording["gaps"]) == ("finished", "the call ended", [])
    assert Path(recording["file"]).parent.parent == office.folder
    (left, right), rate_hz = channels(Path(recording["file"]))
    assert len(left) / rate_hz == pytest.approx(recording["seconds"], abs=0.1)
    assert recording["seconds"] == pytest.approx(record["ended_at"] - record["answered_at"], abs=0.5)
    for said, heard in ((speech, left), (other_speech, right)):
        check_said(said, heard, rate_hz)
    (beep,) = beeps(*phone.heard())
    assert 0.15 <= beep <= 0.22
    for leg in ("browser", "trunk"):
        assert record["media"][leg]["rx_lost"] == record["media"][leg]["dropped_late"] == 0


async def test_a_recording_is_asked_for_paused_and_ended_and_the_page_knows(office: Office, speech: Speech) -> None:
    async with page_at(office.gateway.signal_url, user="bob") as page:
        call = await page.call("echo", speech)
        await call.answered()
        call_id = await call.record_id()

        async def wish(what: str) -> str:
            status, answer = await asyncio.to_thread(post, office, call_id, what)
            assert status == 200, answer
            return str(answer["recording"]["state"])

        states = (("start", "recording"), ("pause", "paused"), ("resume", "recording"), ("stop", "finished"))
        for what, state in states:
            await call.listen(0.6)
            assert await wish(what) == state
        said = await asyncio.to_thread(office.gateway.command, "record", call_id, "start")
        assert said.startswith("recording")
        await call.hang_up()
        told = [message["on"] for message in call.messages if message["type"] == "call.recording"]
        assert told[:5] == [True, False, True, False, True]
    record = await office.gateway.record(call_id)
    first, second = record["media"]["recordings"].values()
    assert (first["why"], second["why"]) == ("somebody asked for it", "the call ended")
    (gap,) = first["gaps"]
    assert gap["why"] == "paused"
    (left, _), rate_hz = channels(Path(first["file"]))
    begin, end = (int((gap[key] + shift) * rate_hz) for key, shift in (("from_s", 0.1), ("to_s", -0.1)))
    assert loudness(left[begin:end]) < 1e-3 < loudness(left)
    assert "recorded finished" in office.gateway.command("call", call_id)


async def test_nobody_is_recorded_against_the_settings(office: Office) -> None:
    async with page_at(office.gateway.signal_url, user="carol") as page:
        call = await page.call("echo")
        await call.answered()
        status, answer = await asyncio.to_thread(post, office, await call.record_id(), "start")
        assert (status, "not to be recorded" in answer["detail"]) == (409, True)
        await call.hang_up()
        record = await office.gateway.record(await call.record_id())
    assert "recordings" not in record["media"]


async def test_what_is_said_is_teed_as_it_is_said(
    office: Office, phone: Baresip, speech: Speech, other_speech: Speech
) -> None:
    async with transcribing("Bearer s3cret", office.tee_port) as server:
        async with page_at(office.gateway.signal_url, user="carol") as page:
            call = await page.call("phone", speech)
            await call.answered()
            hearing = await server.until(ms=int((2 * speech.lasts_s + SETTLED_S) * 1000))
            await call.hang_up()
            record = await office.gateway.record(await call.record_id())
        await server.until(is_over=True)
    known = {key: hearing.start[key] for key in ("call", "from", "to", "legs", "channels", "rate")}
    parties = {"call": record["id"], "from": "carol", "to": "phone"}
    assert known == {**parties, "legs": ["browser", "trunk"], "channels": 2, "rate": 16_000}
    both = np.frombuffer(bytes(hearing.pcm), "<i2").reshape(-1, 2).T / 32768
    for said, heard in ((speech, both[0]), (other_speech, both[1])):
        check_said(said, heard, 16_000)
    assert (record["media"]["tee"]["state"], record["media"]["tee"]["lost_ms"]) == ("finished", 0)


async def test_a_tee_whose_server_does_not_read_is_nothing_to_the_call(office: Office, speech: Speech) -> None:
    async with (
        transcribing("Bearer s3cret", office.tee_port) as server,
        page_at(office.gateway.signal_url, user="carol") as page,
    ):
        call = await page.call("echo", speech)
        await call.answered()
        await server.until(ms=200)
        server.reads.clear()
        await hears(speech, call.listen)
        await call.hang_up()
        record = await office.gateway.record(await call.record_id())
    browser, trunk = record["media"]["browser"], record["media"]["trunk"]
    assert trunk["tx_packets"] > 0.9 * browser["rx_packets"]
    assert trunk["rx_lost"] == 0


async def test_a_full_disk_ends_the_recording_and_not_the_call(tmp_path: Path, speech: Speech) -> None:
    full = start(tmp_path, free_block(2)[0], format="wav")
    # A file that may not grow is to a program what a full disk is; the other files of the gateway stay smaller.
    resource.prlimit(full.gateway.program.pid, resource.RLIMIT_FSIZE, (200_000, 200_000))
    try:
        async with page_at(full.gateway.signal_url, user="alice") as page:
            call = await page.call("echo", speech)
            await call.answered()
            await call.until("call.recording", on=True)
            await call.until("call.recording", on=False)
            await call.listen(0.5)
            await call.hang_up()
            recording = await kept(full, call)
    finally:
        full.gateway.stop()
    assert (recording["state"], recording["why"]) == ("failed", "the disk refused it: File too large")
    (left, _), rate_hz = channels(Path(recording["file"]))
    assert len(left) / rate_hz > 2.5


async def test_what_a_killed_gateway_recorded_can_be_heard(tmp_path: Path, speech: Speech) -> None:
    killed = start(tmp_path, free_block(2)[0])
    async with page_at(killed.gateway.signal_url, user="alice") as page:
        call = await page.call("echo", speech)
        await call.answered()
        await call.until("call.recording", on=True)
        await call.listen(speech.lasts_s)
        killed.gateway.program.stop(signal.SIGKILL)
    (file,) = killed.folder.glob("*/*.ogg.part")
    (left, _), rate_hz = channels(file)
    assert len(left) / rate_hz > speech.lasts_s - 2
    assert loudness(left) > 0.01
    again = GatewayProcess(tmp_path, killed.gateway.settings, demo=True)
    try:
        record = again.ask(f"calls/{await call.record_id()}")
    finally:
        again.stop()
    assert record["sentence"] == "The call was up when the gateway was lost; when it ended is not known."
    assert record["answered_at"] - record["started_at"] < speech.lasts_s
    assert record["media"]["recordings"]["1"]["file"] == str(file)
