"""Starting another SIP worker goes wrong: telephony comes back all the same."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from call.errors import TransportError
from sip import succession
from sip.messages import Heartbeat, Start
from tests.harness.patience import PATIENCE_S, eventually
from tests.interop.sip_line import Line, line_to
from tests.interop.sip_peer import HOST, Peer, open_peer

peer = pytest.fixture(open_peer)
spawn = asyncio.create_subprocess_exec

NONSENSE = "import socket, sys; socket.socket(fileno=int(sys.argv[-1])).sendall(b'?\\n'); sys.stdin.read()"
AT_ONCE_S = 1.0
LONG_WORDS = "import sys; sys.stderr.write('x' * 300_000 + '\\n'); from sip.worker import main; main()"


async def out_of_descriptors(*_: str, **__: Any) -> asyncio.subprocess.Process:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def running(script: str) -> Callable[..., Awaitable[asyncio.subprocess.Process]]:
    async def start(python: str, *words: str, **options: Any) -> asyncio.subprocess.Process:
        return await spawn(python, "-c", script, *words[2:], **options)

    return start


def once(first: Callable[..., Awaitable[Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """The next process is started in this way, those after it as ever."""

    async def start(*words: str, **options: Any) -> Any:
        monkeypatch.setattr(asyncio, "create_subprocess_exec", spawn)
        return await first(*words, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)


async def lose_worker(gateway: Line) -> None:
    os.kill(gateway.agent.started.pid, signal.SIGKILL)
    async with asyncio.timeout(PATIENCE_S):
        await gateway.lost.get()


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (out_of_descriptors, "cannot be started: Too many open files"),
        (running(NONSENSE), "talked nonsense at its start"),
        (running(LONG_WORDS), "the beginning of a very long line is left out"),
    ],
)
async def test_a_start_that_fails_is_told_and_tried_again(
    peer: Peer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    first: Callable[..., Awaitable[Any]],
    words: str,
) -> None:
    async with line_to(peer) as gateway:
        once(first, monkeypatch)
        await lose_worker(gateway)
        async with asyncio.timeout(PATIENCE_S):
            await gateway.agent.ready()
        await gateway.works(peer)
    assert words in caplog.text  # the last word of the worker is read before it is gone


async def test_a_mishap_of_the_watch_itself_is_told_and_another_worker_started(
    peer: Peer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with line_to(peer) as gateway:
        before = gateway.agent.started.pid

        def fail(_: object) -> None:
            monkeypatch.undo()
            raise RuntimeError("a bug")

        monkeypatch.setattr(gateway.agent, "_take", fail)
        async with asyncio.timeout(PATIENCE_S):
            assert "could not be followed" in await gateway.lost.get()
            assert (await gateway.agent.ready()).pid != before
        assert "a bug" in caplog.text
        await gateway.works(peer)


async def test_a_stop_says_how_many_calls_get_no_goodbye_where_no_worker_can_be_started(
    peer: Peer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with line_to(peer) as gateway:
        await gateway.call_out(peer)
        monkeypatch.setattr(asyncio, "create_subprocess_exec", out_of_descriptors)
        await lose_worker(gateway)
        async with asyncio.timeout(PATIENCE_S):
            await gateway.agent.stop()
    assert "1 calls get no goodbye" in caplog.text


async def test_a_stop_without_calls_waits_for_no_worker_that_waits_for_its_ports(
    peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    async with line_to(peer) as gateway:
        with succession.announced(HOST, gateway.port):
            await lose_worker(gateway)
            await eventually(lambda: "still ends its calls" in caplog.text)
            async with asyncio.timeout(AT_ONCE_S):
                await gateway.agent.stop()


async def test_a_question_that_nobody_waits_for_any_more_harms_nobody(peer: Peer) -> None:
    async with line_to(peer) as gateway:
        question = asyncio.create_task(gateway.agent.ping())
        await asyncio.sleep(0)
        question.cancel()
        assert isinstance(await gateway.agent.ping(), Heartbeat)
        assert gateway.lost.empty()


async def test_a_first_start_that_fails_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    once(out_of_descriptors, monkeypatch)
    with pytest.raises(TransportError, match="cannot be started: Too many open files"):
        await Line(Start(HOST, HOST, 0)).agent.start()
