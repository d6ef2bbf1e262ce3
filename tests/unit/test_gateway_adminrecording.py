"""Recordings by the admin listener and by `webtrunk record`."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from click.testing import CliRunner
from starlette.applications import Starlette

from call.errors import PolicyError
from gateway import __main__ as commandline
from gateway.adminbody import MAX_BODY
from gateway.adminrecording import recording_route
from gateway.callrecording import CallRecording, Wish
from gateway.livecall import LiveCall
from gateway.problems import EXPLAINED
from tests.unit.asgi import Answer, get

STATUS = {"state": "recording", "file": "/r/a.ogg.part", "started_at": 1.0, "seconds": 2.5, "gaps": [], "why": ""}


class RecordingStub:
    """Obeys, but cannot pause."""

    async def obey(self, wish: Wish) -> dict[str, Any]:
        if wish == "pause":
            raise PolicyError("There is nothing to pause.", hint="Start it first.")
        return STATUS


async def ask(call_id: str = "id1", body: bytes = b'{"do": "start"}', content: str = "application/json") -> Answer:
    live = LiveCall("id1", "outgoing", user="alice", remote="echo", trunk="demo")
    live.recording = cast(CallRecording, RecordingStub())
    app = Starlette(routes=[recording_route(lambda: {"id1": live})], exception_handlers=EXPLAINED)
    return await get(app, f"/api/calls/{call_id}/recording", method="POST", body=body, content=content)


async def test_a_wish_is_carried_out() -> None:
    answer = await ask("id")
    assert (answer.status, answer.json) == (200, {"recording": STATUS})


async def test_a_wish_that_makes_no_sense_is_refused_in_words() -> None:
    answer = await ask(body=b'{"do": "pause"}')
    assert (answer.status, answer.json["detail"]) == (409, "There is nothing to pause. Start it first.")


async def test_a_refusal_is_made_of_sentences() -> None:
    detail = (await ask(body=b"{}")).json["detail"]
    assert detail == 'do: Field required. Expected such as {"do": "start"}: one of start, pause, resume, stop.'


async def test_a_call_that_is_not_up_cannot_be_recorded() -> None:
    assert (await ask("other")).status == 404


@pytest.mark.parametrize(
    ("body", "content", "status"),
    [
        (b'{"do": "start"}', "text/plain", 415),
        (b'{"do": "start"}', "", 415),
        (b'{"do": "erase"}', "application/json", 400),
        (b'{"do": ["start"]}', "application/json", 400),
        (b'{"do": "start", "now": true}', "application/json", 400),
        (b"[]", "application/json", 400),
        (b"[" * MAX_BODY, "application/json", 400),
        (b'{"do":' * (MAX_BODY // 6), "application/json", 400),
        (b"no JSON", "application/json", 400),
        (b"\xff", "application/json; charset=utf-8", 400),
        (b'{"do": "start"}' + b" " * MAX_BODY, "application/json", 413),
    ],
)
async def test_what_is_no_wish_is_refused(body: bytes, content: str, status: int) -> None:
    answer = await ask(body=body, content=content)
    assert answer.status == status
    assert "one of start, pause, resume, stop" in answer.json["detail"]


def test_the_command_asks_the_gateway_and_says_how_the_recording_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str, Any]] = []

    def answer(url: str, _timeout_s: float, method: str, body: Any) -> tuple[int, Any]:
        asked.append((url.partition("/api/")[2], method, body))
        gaps = [{"from_s": 1.0, "to_s": 2.0, "why": "paused"}]
        return 200, {"recording": json.loads(json.dumps(STATUS)) | {"gaps": gaps}}

    monkeypatch.setattr(commandline.localhttp, "ask", answer)
    result = CliRunner().invoke(commandline.main, ["record", "id1", "start"])
    assert asked == [("calls/id1/recording", "POST", {"do": "start"})]
    assert result.output == "recording, 2.5 s; /r/a.ogg.part; 1.0 to 2.0 s paused\n"


def test_the_command_takes_no_other_ids_and_wishes() -> None:
    assert CliRunner().invoke(commandline.main, ["record", "../x", "start"]).exit_code == 1
    assert CliRunner().invoke(commandline.main, ["record", "id1", "erase"]).exit_code == 2
