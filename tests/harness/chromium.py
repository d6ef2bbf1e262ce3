"""Chromium on the softphone page: one process, a fresh context for every phone, a WAV file as microphone."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import numpy as np
from playwright.async_api import Browser, BrowserContext, Locator, Page, async_playwright, expect

from tests.harness.patience import PATIENCE_S
from tests.harness.speech import Samples, loudness

EXECUTABLE: Final = "/usr/bin/chromium"
_FLAGS: Final = (
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
    "--disable-dev-shm-usage",
    "--mute-audio",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--disable-background-networking",
)
_NO_VOICE_PROCESSING: Final = "localStorage.setItem('webtrunk.voice-processing', 'off')"
_HEAR: Final = """async (seconds) => {
  const track = window.webtrunk.call.remoteStream.getAudioTracks()[0].clone();
  const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
  const parts = [];
  let rate = 0;
  for (let have = 0; have < seconds; ) {
    const { value: data, done } = await reader.read();
    if (done) break;
    const part = new Float32Array(data.numberOfFrames);
    data.copyTo(part, { planeIndex: 0, format: 'f32-planar' });
    rate = data.sampleRate;
    have += data.numberOfFrames / rate;
    parts.push(part);
    data.close();
  }
  await reader.cancel();
  track.stop();
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return { rate, samples: btoa(text) };
}"""
_STATS: Final = """async () => [...(await window.webtrunk.call.pc.getStats()).values()]"""
STATE_MS: Final = PATIENCE_S * 1000
expect.set_options(timeout=STATE_MS)


class Softphone:
    """One tab with the page, used as a person uses it."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def part(self, name: str) -> Locator:
        return self.page.get_by_test_id(name)

    async def online(self) -> None:
        """Wait until the page is logged in."""
        await expect(self.page.locator("#line")).to_have_attribute("data-line", "online")

    async def dial(self, number: str) -> None:
        await self.part("number").fill(number)
        await self.part("call").click()

    async def until(self, state: str, timeout_ms: float = STATE_MS) -> None:
        """Wait for a state of the call."""
        await expect(self.part("state")).to_have_attribute("data-state", state, timeout=timeout_ms)

    async def ended(self) -> str:
        """Wait for the end of the call; what the page says about it."""
        await self.until("ended")
        return await self.message()

    async def message(self) -> str:
        """The sentence and the hint that the page shows."""
        await expect(self.part("message")).to_be_visible()
        return (await self.part("message").inner_text()).strip()

    async def talk(self, number: str) -> None:
        """Call and wait for the answer and for sound to have a way."""
        await self.dial(number)
        await self.until("answered")
        await self.connected()

    async def connected(self) -> None:
        """Wait until sound has a way to the gateway."""
        await expect(self.part("state")).to_have_attribute("data-audio", "open")

    async def hear(self, seconds: float) -> tuple[Samples, int]:
        """The next so many seconds of what comes in, and their rate."""
        heard = await asyncio.wait_for(self.page.evaluate(_HEAR, seconds), seconds + PATIENCE_S)
        samples = np.frombuffer(base64.b64decode(heard["samples"]), "<f4").astype(np.float64)
        return samples, int(heard["rate"])

    async def hear_sound(self, threshold: float = 0.005, timeout_s: float = PATIENCE_S) -> None:
        """Wait until something that is not silence comes in."""
        async with asyncio.timeout(timeout_s):
            while loudness((await self.hear(0.2))[0]) < threshold:
                pass

    async def hear_quiet(self, seconds: float, threshold: float = 0.005, timeout_s: float = PATIENCE_S) -> None:
        """Wait until nothing has come in for so long."""
        async with asyncio.timeout(timeout_s):
            while loudness((await self.hear(seconds))[0]) >= threshold:
                pass

    async def stats(self, kind: str) -> dict[str, object]:
        """The first entry of this type of `getStats`."""
        entries: list[dict[str, object]] = await self.page.evaluate(_STATS)
        return next(entry for entry in entries if entry["type"] == kind)

    async def codecs(self) -> tuple[str, str]:
        """What it hears and what it speaks, as of now."""
        entries: list[dict[str, str]] = await self.page.evaluate(_STATS)
        names = {entry["id"]: entry["mimeType"].removeprefix("audio/") for entry in entries if entry["type"] == "codec"}
        inbound, outbound = (
            next(names[entry["codecId"]] for entry in entries if entry["type"] == kind)
            for kind in ("inbound-rtp", "outbound-rtp")
        )
        return inbound, outbound

    async def record_id(self) -> str:
        return str(await self.page.evaluate("window.webtrunk.call.record"))


class Chromium:
    """The one process; it hands out phones."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    @asynccontextmanager
    async def phone(self, url: str, *, microphone: bool = True) -> AsyncIterator[Softphone]:
        """Open the page in a context of its own. Errors of its scripts fail the test."""
        context = await self._browser.new_context(viewport={"width": 1000, "height": 800})
        try:
            await (context.grant_permissions(["microphone"]) if microphone else _refuse_microphone(context))
            await context.add_init_script(_NO_VOICE_PROCESSING)
            page = await context.new_page()
            mistakes: list[str] = []
            page.on("pageerror", lambda error: mistakes.append(str(error)))
            await page.goto(url)
            yield Softphone(page)
            assert not mistakes, mistakes
        finally:
            await context.close()


async def _refuse_microphone(context: BrowserContext) -> None:
    """As if the person had pressed "Block"."""
    page = await context.new_page()
    session = await context.new_cdp_session(page)
    target = await session.send("Target.getTargetInfo")
    permission = {
        "permission": {"name": "microphone"},
        "setting": "denied",
        "browserContextId": target["targetInfo"]["browserContextId"],
    }
    await session.send("Browser.setPermission", permission)
    await page.close()


@asynccontextmanager
async def chromium(microphone: Path) -> AsyncIterator[Chromium]:
    """Start Chromium; everybody in it says what is in the WAV file, over and over."""
    flags = [*_FLAGS, f"--use-file-for-fake-audio-capture={microphone}"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=EXECUTABLE, headless=True, args=flags)
        try:
            yield Chromium(browser)
        finally:
            await browser.close()
