"""Pictures of the page in every state, for people to look at: `python tests/web/screenshots.py OUT_DIR [name …]`."""

from __future__ import annotations

import asyncio
import json
import math
import struct
import sys
import tempfile
import wave
from collections.abc import Awaitable, Callable
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fake_gateway import FakeGateway
from playwright.async_api import Page, async_playwright

SIZES = {"phone": (390, 844), "desktop": (1280, 800), "small": (320, 568), "landscape": (844, 390)}
FLAGS = [
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-dev-shm-usage",
    "--mute-audio",
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--disable-background-networking",
]
RECENTS = [
    {"remote": "echo", "minutes": 10, "seconds": 42, "cause": "hangup", "sentence": "You hung up."},
    {"remote": "+49 30 901820", "display": "Reception", "direction": "incoming", "minutes": 70, "outcome": "missed"},
    {"remote": "busy", "minutes": 1500, "cause": "busy", "sentence": "busy is busy.", "outcome": "failed"},
    {"remote": "bob", "display": "Bob", "direction": "incoming", "minutes": 1600, "seconds": 1260},
]
REMEMBER = """
localStorage.setItem('webtrunk.recent-calls', JSON.stringify(RECENTS.map((call) => ({
  direction: 'outgoing', display: '', seconds: 0, cause: '', sentence: '', outcome: 'ok', ...call,
  at: new Date(Date.now() - 60000 * call.minutes).toISOString(),
}))))"""


def speech_like(path: Path) -> Path:
    """A sound that moves the meter."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 48_000, 0, "NONE", ""))
        samples = (int(9000 * math.sin(i / 25) * (0.6 + 0.4 * math.sin(i / 6000))) for i in range(48_000 * 4))
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return path


async def state(page: Page, name: str) -> None:
    await page.locator(f"[data-testid=state][data-state={name}]").wait_for(timeout=20_000)


async def until(page: Page, claim: str) -> None:
    """Wait until an expression is true. The page's CSP forbids the eval that `wait_for_function` needs."""
    async with asyncio.timeout(20):
        await page.evaluate(
            f"() => new Promise((done) => {{ const look = () => ({claim}) ? done() : setTimeout(look, 40); look(); }})"
        )


async def idle(page: Page, base: str) -> None:
    await page.get_by_test_id("number").blur()


async def typed(page: Page, base: str) -> None:
    await page.get_by_test_id("number").fill("+49 30 901820")
    await page.get_by_test_id("number").dispatch_event("input")


async def dialling(page: Page, base: str) -> None:
    await dial(page, "late")
    await state(page, "ringing")


async def talking(page: Page, base: str) -> None:
    await dial(page, "music")
    await state(page, "answered")
    for key in ["5", "hash"]:
        await page.get_by_test_id(f"key-{key}").click()
    await until(page, "window.webtrunk.call.audio === 'open'")
    await page.wait_for_timeout(2300)


async def muted(page: Page, base: str) -> None:
    await dial(page, "echo")
    await state(page, "answered")
    await page.get_by_test_id("mute").click()
    await page.request.get(base + "control/ring?from=%2B4930123456&display=Front+door")
    await page.locator(".waiting-call").first.wait_for()
    await page.locator("#facts summary").click()


async def held(page: Page, base: str) -> None:
    await dial(page, "echo")
    await state(page, "answered")
    await page.get_by_test_id("hold").click()
    await page.locator("[data-testid=state][data-held=true]").wait_for()
    await page.wait_for_timeout(1300)


async def recorded(page: Page, base: str) -> None:
    await dial(page, "echo")
    await state(page, "answered")
    await page.request.get(base + "control/record")
    await page.get_by_test_id("recorded").wait_for()


async def unheard(page: Page, base: str) -> None:
    await dial(page, "echo")
    await state(page, "answered")
    await page.request.get(base + "control/one-way")
    await page.get_by_test_id("message").wait_for()


async def incoming(page: Page, base: str) -> None:
    await page.request.get(base + "control/ring?from=bob&display=Bob+Sommer")
    await state(page, "ringing")


async def error(page: Page, base: str) -> None:
    await dial(page, "nothing")
    await state(page, "ended")


async def dial(page: Page, number: str) -> None:
    await page.get_by_test_id("number").fill(number)
    await page.get_by_test_id("call").click()


SCENES: dict[str, Callable[[Page, str], Awaitable[None]]] = {
    "idle": idle,
    "typed": typed,
    "dialling": dialling,
    "talking": talking,
    "muted": muted,
    "held": held,
    "recorded": recorded,
    "unheard": unheard,
    "incoming": incoming,
    "error": error,
}


async def main(out: Path, wanted: list[str]) -> None:
    server = await FakeGateway().start(0)
    base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    with tempfile.TemporaryDirectory() as scratch:
        sound = speech_like(Path(scratch) / "voice.wav")
        async with async_playwright() as driver:
            browser = await driver.chromium.launch(
                executable_path="/usr/bin/chromium",
                headless=True,
                args=[*FLAGS, f"--use-file-for-fake-audio-capture={sound}"],
            )
            for name, size, scheme in product(SCENES, SIZES, ("light", "dark")):
                label = f"{name}-{size}-{scheme}"
                if wanted and not any(label.startswith(each) for each in wanted):
                    continue
                width, height = SIZES[size]
                page = await browser.new_page(
                    viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
                )
                await picture(page, base, SCENES[name], out / f"{label}.png")
            await browser.close()
    server.close()


async def picture(page: Page, base: str, scene: Callable[[Page, str], Awaitable[None]], path: Path) -> None:
    page.on("console", lambda message: print(f"  console: {message.text}"))
    page.on("pageerror", lambda problem: print(f"  page error: {problem}"))
    await page.add_init_script(REMEMBER.replace("RECENTS", json.dumps(RECENTS)))
    await page.goto(base)
    await page.locator(".line[data-line=online]").wait_for()
    await scene(page, base)
    await page.mouse.move(0, 0)
    await page.screenshot(path=path)
    print(path.name, flush=True)
    await page.close()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(folder, sys.argv[2:]))
