"""Pictures of the page in every state, for people to look at: `python tests/web/screenshots.py OUT_DIR [name …]`."""

from __future__ import annotations

import asyncio
import math
import struct
import sys
import tempfile
import wave
from collections.abc import Awaitable, Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fake_gateway import FakeGateway  # noqa: E402
from playwright.async_api import Page, async_playwright  # noqa: E402

SIZES = {"phone": (390, 844), "desktop": (1280, 800)}
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
RECENTS = """localStorage.setItem('webtrunk.recent-calls', JSON.stringify([
  {direction:'outgoing',remote:'echo',display:'',at:new Date(Date.now()-6e5).toISOString(),seconds:42,cause:'hangup',sentence:'You hung up.',outcome:'ok'},
  {direction:'incoming',remote:'+49 30 901820',display:'Reception',at:new Date(Date.now()-42e5).toISOString(),seconds:0,cause:'cancelled',sentence:'The caller gave up.',outcome:'missed'},
  {direction:'outgoing',remote:'busy',display:'',at:new Date(Date.now()-9e7).toISOString(),seconds:0,cause:'busy',sentence:'busy is busy.',outcome:'failed'},
  {direction:'incoming',remote:'bob',display:'Bob',at:new Date(Date.now()-96e6).toISOString(),seconds:1260,cause:'hangup',sentence:'bob hung up.',outcome:'ok'}]))"""


def speech_like(path: Path) -> Path:
    """A sound that moves the meter."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 48_000, 0, "NONE", ""))
        samples = (int(9000 * math.sin(i / 25) * (0.6 + 0.4 * math.sin(i / 6000))) for i in range(48_000 * 4))
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return path


async def state(page: Page, name: str) -> None:
    await page.locator(f"[data-testid=state][data-state={name}]").wait_for(timeout=15_000)


async def until(page: Page, claim: str) -> None:
    """Wait until an expression is true. The page's CSP forbids the eval that `wait_for_function` needs."""
    async with asyncio.timeout(15):
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
    for key in "5-hash".split("-"):
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
    "incoming": incoming,
    "error": error,
}


async def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    wanted = sys.argv[2:]
    port = 8091
    server = await FakeGateway().start(port)
    with tempfile.TemporaryDirectory() as scratch:
        sound = speech_like(Path(scratch) / "voice.wav")
        async with async_playwright() as driver:
            browser = await driver.chromium.launch(
                executable_path="/usr/bin/chromium",
                headless=True,
                args=[*FLAGS, f"--use-file-for-fake-audio-capture={sound}"],
            )
            for name, scene in SCENES.items():
                for size, (width, height) in SIZES.items():
                    for scheme in ("light", "dark"):
                        label = f"{name}-{size}-{scheme}"
                        if wanted and not any(label.startswith(each) for each in wanted):
                            continue
                        gateway_page = await browser.new_page(
                            viewport={"width": width, "height": height},
                            color_scheme=scheme,
                            reduced_motion="reduce",
                        )
                        await picture(gateway_page, f"http://127.0.0.1:{port}/", scene, out / f"{label}.png")
            await browser.close()
    server.close()


async def picture(page: Page, base: str, scene: Callable[[Page, str], Awaitable[None]], path: Path) -> None:
    page.on("console", lambda message: print(f"  console: {message.text}"))
    page.on("pageerror", lambda problem: print(f"  page error: {problem}"))
    await page.add_init_script(RECENTS)
    await page.goto(base)
    await page.locator(".line[data-line=online]").wait_for()
    await scene(page, base)
    await page.mouse.move(0, 0)
    await page.screenshot(path=path)
    print(path.name, flush=True)
    await page.close()


if __name__ == "__main__":
    asyncio.run(main())
