"""Prompts by the admin listener and by `webtrunk play`."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner, Result
from starlette.applications import Starlette
from starlette.types import ASGIApp

from call.leg import Answered
from gateway.__main__ import main
from gateway.adminbody import MAX_BODY
from gateway.adminplay import play_routes
from gateway.browserleg import BrowserLeg
from gateway.livecall import LiveCall
from gateway.problems import EXPLAINED
from gateway.relays import Sound
from gateway.trunkleg import TrunkLeg
from tests.unit.asgi import Answer, get
from tests.unit.recorders import SOUNDS
from tests.unit.servers import stranger
from tests.unit.test_gateway_livecall import LegRecorder
from tests.unit.test_gateway_soundfiles import write_wav


class SpeakerRecorder:
    def __init__(self) -> None:
        self.playing: tuple[str, bool] | None = None

    def play(self, sound: Sound, name: str, *, repeats: bool) -> None:
        self.playing = (name, repeats)

    def stop(self) -> bool:
        was, self.playing = self.playing, None
        return was is not None


class Scene:
    """A call that is up, and the part of the admin listener that plays into it."""

    def __init__(self) -> None:
        self.live = LiveCall("bb22", "outgoing", user="alice", remote="echo", trunk="demo")
        self.legs = {"browser": LegRecorder(lambda _: None), "trunk": LegRecorder(lambda _: None)}
        self.speakers = {name: SpeakerRecorder() for name in self.legs}
        for name, leg in self.legs.items():
            leg.speaker = cast(Any, self.speakers[name])
        self.live.browser = cast(BrowserLeg, self.legs["browser"])
        self.live.trunk = cast(TrunkLeg, self.legs["trunk"])
        self.app: ASGIApp = Starlette(
            routes=play_routes(lambda: {"bb22": self.live, "cc33": self.live, "cc44": self.live}, SOUNDS),
            exception_handlers=EXPLAINED,
        )

    async def answer(self) -> None:
        self.live.report_of(self.live.browser_side.other).emit(Answered())
        answered = asyncio.Event()
        self.live.on_answer = answered.set
        running = asyncio.create_task(self.live.run())
        await answered.wait()
        running.cancel()

    async def post(self, path: str, body: Any, content: str = "application/json") -> Answer:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await get(self.app, path, method="POST", body=data, content=content)

    @property
    def playing(self) -> dict[str, tuple[str, bool] | None]:
        return {name: speaker.playing for name, speaker in self.speakers.items()}


async def test_a_prompt_is_played_to_whom_it_is_for_and_stopped(tmp_path: Path) -> None:
    scene = Scene()
    await scene.answer()
    file = str(write_wav(tmp_path / "a.wav", seconds=0.5))
    answer = await scene.post("/api/calls/bb/play", {"file": file, "to": "trunk", "loop": True})
    assert answer.status == 200
    assert answer.json["seconds"] == pytest.approx(0.5, abs=0.01)
    assert scene.playing == {"browser": None, "trunk": (file, True)}
    await scene.post("/api/calls/bb22/play", {"file": "silence"})
    assert scene.playing == {"browser": ("silence", False), "trunk": ("silence", False)}
    for stopped in (True, False):
        assert (await get(scene.app, "/api/calls/bb22/play?to=browser", method="DELETE")).json == {"stopped": stopped}
    assert scene.playing == {"browser": None, "trunk": ("silence", False)}


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("dd", {"file": "silence"}, 404, "There is no live call dd"),
        ("cc", {"file": "silence"}, 404, "2 live calls begin with cc: give more of the id."),
        ("bb22", {"file": "/no.wav"}, 409, "cannot be read"),
        ("bb22", {"file": "QQ"}, 409, "The tones of QQ are not known. Known are AT,"),
        ("bb22", {"file": "silence", "to": "all"}, 400, "to: "),
        ("bb22", {"file": ""}, 400, "file: "),
        ("bb22", {"file": "silence", "lop": 1}, 400, "lop: "),
        ("bb22", b"[", 400, "JSON"),
        ("bb22", b" " * (MAX_BODY + 1), 413, "8192 bytes"),
    ],
)
async def test_what_cannot_be_played_is_refused_in_words(path: str, body: Any, status: int, words: str) -> None:
    scene = Scene()
    await scene.answer()
    answer = await scene.post(f"/api/calls/{path}/play", body)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert words in answer.json["detail"]
    assert scene.playing == {"browser": None, "trunk": None}


async def test_a_sound_too_short_to_play_is_refused_in_words(tmp_path: Path) -> None:
    scene = Scene()
    await scene.answer()
    (tmp_path / "odd.ul").write_bytes(b"\x80")
    answer = await scene.post("/api/calls/bb22/play", {"file": str(tmp_path / "odd.ul")})
    assert (answer.status, "shorter than a millisecond" in answer.json["detail"]) == (409, True)


async def test_a_call_that_is_not_up_hears_nothing() -> None:
    scene = Scene()
    answer = await scene.post("/api/calls/bb22/play", {"file": "silence"})
    assert (answer.status, "not answered" in answer.json["detail"]) == (409, True)
    assert (await get(scene.app, "/api/calls/bb22/play", method="DELETE")).status == 409
    for query in ("to=all", "too=trunk"):
        assert (await get(scene.app, f"/api/calls/bb22/play?{query}", method="DELETE")).status == 400


@pytest.mark.parametrize("content", ["", "text/plain", "application/x-www-form-urlencoded"])
async def test_what_a_page_of_another_site_could_send_is_refused(content: str) -> None:
    scene = Scene()
    await scene.answer()
    assert (await scene.post("/api/calls/bb22/play", {"file": "silence"}, content)).status == 415


# -- the command line ---------------------------------------------------------------------------------


class AdminRecorder:
    """Stands for the admin listener of a running gateway."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.answer: tuple[int, dict[str, Any]] = (200, {"seconds": 2.5})
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                recorder.asked.append((self.command, self.path, json.loads(body) if body else None))
                self.send_response(recorder.answer[0])
                self.end_headers()
                self.wfile.write(json.dumps(recorder.answer[1]).encode())

            do_POST = do_DELETE = handle_any  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def admin() -> Iterator[AdminRecorder]:
    recorder = AdminRecorder()
    yield recorder
    recorder.server.shutdown()
    recorder.server.server_close()


def run(tmp_path: Path, port: int, *words: str) -> Result:
    file = tmp_path / "webtrunk.toml"
    file.write_text(f'[auth]\nmode = "open"\n[admin]\nport = {port}\n')
    return CliRunner().invoke(main, ["play", "-c", str(file), *words])


def test_command_asks_the_running_gateway(
    admin: AdminRecorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(tmp_path, admin.port, "bb/22", "a.wav", "--to", "browser", "--loop")
    assert result.output == "Playing a.wav, 2.5 s, to the browser.\n"
    body = {"file": str(tmp_path / "a.wav"), "to": "browser", "loop": True}
    assert admin.asked == [("POST", "/api/calls/bb%2F22/play", body)]
    assert "to both sides" in run(tmp_path, admin.port, "bb", "DE").output
    assert admin.asked[-1][2]["file"] == "DE"
    assert run(tmp_path, admin.port, "bb", "--stop").output == "Nothing was playing.\n"
    assert admin.asked[-1] == ("DELETE", "/api/calls/bb/play?to=both", None)
    admin.answer = (200, {"stopped": True})
    assert run(tmp_path, admin.port, "bb", "--stop").output == "Stopped.\n"


def test_command_says_what_was_in_the_way(admin: AdminRecorder, tmp_path: Path) -> None:
    admin.answer = (409, {"title": "x", "detail": "The sound\x1b[2J cannot be read."})
    result = run(tmp_path, admin.port, "bb", "a.wav")
    assert (result.exit_code, "\x1b" in result.output) == (1, False)
    assert "cannot be read" in result.output
    assert run(tmp_path, admin.port, "bb").exit_code == 2
    assert run(tmp_path, admin.port, "bb", "a.wav", "--stop").exit_code == 2
    admin.server.server_close()
    admin.server.shutdown()
    result = run(tmp_path, admin.port, "bb", "a.wav")
    assert (result.exit_code, "is not running" in result.output) == (1, True)


@pytest.mark.parametrize("words", [b"HTTP/1.0 500 Oh\r\n\r\nInternal Server Error", b"SSH-2.0-x\r\n"])
def test_command_tells_another_program_on_the_port_from_none(tmp_path: Path, words: bytes) -> None:
    with stranger(words) as port:
        result = run(tmp_path, port, "bb", "--stop")
    told = f"What answers at 127.0.0.1:{port} (`admin.port`) is not this gateway.\n"
    assert (result.exit_code, result.output) == (1, told)
