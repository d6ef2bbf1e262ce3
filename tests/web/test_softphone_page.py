"""The page in Chromium against the pretended gateway: what only a browser can show."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from fake_gateway import FakeGateway
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect
from screenshots import FLAGS, dial, state, until

from tests.harness.patience import PATIENCE_S, eventually

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
expect.set_options(timeout=PATIENCE_S * 1000)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path="/usr/bin/chromium", headless=True, args=FLAGS)
        yield browser
        await browser.close()


class House:
    """A pretended gateway and browser tabs on it."""

    def __init__(self, gateway: FakeGateway, base: str, context: BrowserContext) -> None:
        self.gateway, self.base, self.context = gateway, base, context

    async def tab(self, path: str = "", *, is_online: bool = True) -> Page:
        page = await self.context.new_page()
        self.problems: list[str] = []
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", lambda line: self.problems.append(line.text) if "Content Security" in line.text else None)
        await page.goto(self.base + path)
        if is_online:
            await expect(page.locator("#line")).to_have_attribute("data-line", "online")
        return page

    async def control(self, what: str) -> None:
        assert (await self.context.request.get(f"{self.base}control/{what}")).ok

    @property
    def calls(self) -> list[str]:
        return [call.remote for page in self.gateway.pages.values() for call in page.calls.values()]

    @property
    def digits(self) -> str:
        return "".join(page.digits for page in self.gateway.pages.values())


@pytest_asyncio.fixture(loop_scope="module")
async def house(browser: Browser, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    gateway = FakeGateway(getattr(request, "param", "open"))
    server = await gateway.start(0)
    port = server.sockets[0].getsockname()[1]
    context = await browser.new_context()
    house = House(gateway, f"http://127.0.0.1:{port}/", context)
    yield house
    await context.close()
    server.close()
    assert house.problems == []


async def has_sound(page: Page, meter: str) -> None:
    await until(page, f"document.getElementById('{meter}').ariaValueNow > 20")


async def test_a_call_is_heard_both_ways_and_ends(house: House) -> None:
    page = await house.tab()
    await dial(page, "music")
    await state(page, "ringing")
    await state(page, "answered")
    await has_sound(page, "meter")
    await has_sound(page, "meter-far")
    await expect(page.get_by_test_id("timer")).to_have_text(re.compile("0:0[1-9]"))
    await page.get_by_test_id("hangup").click()
    await state(page, "ended")
    await expect(page.get_by_test_id("message")).to_have_text("You hung up.")
    await expect(page.get_by_test_id("history").locator("li")).to_have_count(1)
    await until(page, "window.webtrunk.call.pc.connectionState === 'closed'")


async def test_the_microphone_is_let_go_after_the_call(house: House) -> None:
    page = await house.tab()
    await dial(page, "echo")
    await state(page, "answered")
    await page.evaluate("window.track = window.webtrunk.call.microphone.getAudioTracks()[0]")
    await house.control("hangup")
    await state(page, "ended")
    assert await page.evaluate("window.track.readyState") == "ended"
    await expect(page.get_by_test_id("message")).to_have_text("echo hung up.")


async def test_mute_silences_the_meter(house: House) -> None:
    page = await house.tab()
    await dial(page, "echo")
    await state(page, "answered")
    await has_sound(page, "meter")
    await page.get_by_test_id("mute").click()
    await expect(page.get_by_test_id("mute")).to_have_attribute("aria-pressed", "true")
    await expect(page.get_by_test_id("meter")).to_have_attribute("aria-valuenow", "0")
    await page.get_by_test_id("mute").click()
    await has_sound(page, "meter")


async def test_a_call_is_held_and_a_reload_remembers_it(house: House) -> None:
    page = await house.tab()
    await dial(page, "late")
    await state(page, "ringing")
    await expect(page.get_by_test_id("hold")).to_be_hidden()
    await page.get_by_test_id("hangup").click()
    await state(page, "ended")
    await dial(page, "echo")
    await state(page, "answered")
    hold = page.get_by_test_id("hold")
    await hold.click()
    await expect(hold).to_have_attribute("aria-pressed", "true")
    await expect(page.get_by_test_id("state")).to_have_text("On hold")
    async with page.expect_navigation():
        await page.evaluate("location.reload()")
    await until(page, "window.webtrunk?.call?.audio === 'open'")
    await expect(hold).to_have_attribute("aria-pressed", "true")
    await hold.click()
    await expect(page.get_by_test_id("state")).to_have_text("Connected")


async def test_a_page_shows_that_its_call_is_recorded_and_a_reload_remembers_it(house: House) -> None:
    page = await house.tab()
    await dial(page, "echo")
    await state(page, "answered")
    shown = page.get_by_test_id("recorded")
    await expect(shown).to_be_hidden()
    await house.control("record")
    await expect(shown).to_have_text("This call is being recorded")
    async with page.expect_navigation():
        await page.evaluate("location.reload()")
    await expect(shown).to_be_visible()
    await house.control("record?on=no")
    await expect(shown).to_be_hidden()


async def test_digits_come_from_the_mouse_the_keyboard_and_a_screen_reader(house: House) -> None:
    page = await house.tab()
    await dial(page, "dtmf")
    await state(page, "answered")
    await page.get_by_test_id("key-1").click()
    await page.keyboard.press("2")
    await page.keyboard.press("#")
    await page.get_by_test_id("key-star").focus()
    await page.keyboard.press("Enter")
    await page.get_by_test_id("key-9").dispatch_event("click")
    await expect(page.locator("#digits")).to_have_text("12#*9")
    await eventually(lambda: len(house.digits) >= 5)
    assert house.digits == "12#*9"


async def test_a_call_is_made_by_keyboard_alone(house: House) -> None:
    page = await house.tab()
    await expect(page.get_by_test_id("number")).to_be_focused()
    await page.keyboard.type("echo")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("hangup")).to_be_focused()
    await state(page, "answered")
    await page.keyboard.press("Enter")
    await state(page, "ended")
    await expect(page.get_by_test_id("number")).to_be_focused()


async def test_a_pasted_number_is_cleaned_where_the_cursor_is(house: House) -> None:
    page = await house.tab()
    await house.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=house.base)
    await page.evaluate("navigator.clipboard.writeText('tel:+49 (0) 30 / 12-34')")
    await page.get_by_test_id("number").focus()
    await page.keyboard.press("Control+V")
    await expect(page.get_by_test_id("number")).to_have_value("+49301234")


async def test_holding_zero_types_plus(house: House) -> None:
    page = await house.tab()
    await page.get_by_test_id("key-0").click(delay=700)
    await page.get_by_test_id("key-4").click()
    await expect(page.get_by_test_id("number")).to_have_value("+4")


@pytest.mark.parametrize(
    ("number", "sentence"),
    [("busy", "busy is busy."), ("reject", "reject declined"), ("nothing", "No rule of the dial plan")],
)
async def test_a_call_that_fails_says_why(house: House, number: str, sentence: str) -> None:
    page = await house.tab()
    await dial(page, number)
    await state(page, "ended")
    await expect(page.get_by_test_id("message")).to_contain_text(sentence)
    await expect(page.get_by_test_id("call")).to_be_visible()


async def test_an_incoming_call_is_announced_and_accepted(house: House) -> None:
    page = await house.tab()
    await house.control("ring?from=bob&display=Bob%20Sommer")
    await expect(page.get_by_test_id("state")).to_have_text("Incoming call")
    await expect(page.locator("#remote")).to_have_text("Bob Sommer")
    await expect(page).to_have_title(re.compile("Bob Sommer is calling"))
    await page.get_by_test_id("accept").click()
    await state(page, "answered")
    await has_sound(page, "meter-far")


async def test_an_incoming_call_is_refused(house: House) -> None:
    page = await house.tab()
    await house.control("ring?from=bob")
    await page.get_by_test_id("reject").click()
    await state(page, "ended")
    await expect(page.get_by_test_id("history")).to_contain_text("You refused the call.")


async def test_an_incoming_call_does_not_take_the_focus_from_who_types(house: House) -> None:
    page = await house.tab()
    await page.get_by_test_id("user").focus()
    await house.control("ring?from=bob")
    await state(page, "ringing")
    await expect(page.get_by_test_id("user")).to_be_focused()


async def test_escape_ends_a_call_but_not_for_who_types_elsewhere(house: House) -> None:
    page = await house.tab()
    await dial(page, "echo")
    await state(page, "answered")
    await page.get_by_test_id("user").focus()
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("hangup")).to_be_visible()
    await page.get_by_test_id("hangup").focus()
    await page.keyboard.press("Escape")
    await state(page, "ended")
    await expect(page.get_by_test_id("message")).to_have_text("You hung up.")
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("message")).to_be_hidden()


async def test_a_second_caller_waits_and_can_be_taken(house: House) -> None:
    page = await house.tab()
    await dial(page, "echo")
    await state(page, "answered")
    await house.control("ring?from=bob")
    await page.get_by_role("button", name="Hang up and answer").click()
    await state(page, "answered")
    await expect(page.locator("#remote")).to_have_text("bob")
    assert house.calls == ["bob"]


async def test_a_lost_socket_costs_no_call(house: House) -> None:
    page = await house.tab()
    await dial(page, "echo")
    await state(page, "answered")
    await house.control("drop")
    await expect(page.locator("#line")).to_have_attribute("data-line", "offline")
    await expect(page.locator("#line")).to_have_attribute("data-line", "online")
    await expect(page.get_by_test_id("state")).to_have_text("Connected")
    assert house.calls == ["echo"]


async def test_a_reload_keeps_the_call(house: House) -> None:
    page = await house.tab()
    await dial(page, "music")
    await state(page, "answered")
    async with page.expect_navigation():
        await page.evaluate("location.reload()")
    await until(page, "window.webtrunk?.call?.audio === 'open'")
    await state(page, "answered")
    await has_sound(page, "meter-far")
    assert house.calls == ["music"]


async def test_closing_the_page_ends_its_calls_at_once(house: House) -> None:
    page = await house.tab()
    await dial(page, "echo")
    await state(page, "answered")
    await page.goto("about:blank")
    await house.tab()
    await eventually(lambda: house.calls == [])


async def test_two_tabs_are_two_phones(house: House) -> None:
    first, second = await house.tab("?user=alice"), await house.tab("?user=bob")
    await dial(first, "music")
    await dial(second, "echo")
    await state(first, "answered")
    await state(second, "answered")
    assert sorted(house.calls) == ["echo", "music"]
    await expect(second.get_by_test_id("user")).to_have_value("bob")


async def test_another_name_logs_in_again(house: House) -> None:
    page = await house.tab()
    await page.get_by_test_id("user").fill("bob")
    await page.keyboard.press("Enter")
    await expect(page.locator("#line-text")).to_have_text("Online as Bob")
    await page.reload()
    await expect(page.get_by_test_id("user")).to_have_value("bob")


@pytest.mark.parametrize("house", ["jwt"], indirect=True)
async def test_a_page_without_a_token_does_not_pretend_to_connect(house: House) -> None:
    page = await house.tab(is_online=False)
    await expect(page.locator("#login")).to_be_visible()
    await expect(page.locator("#line-text")).to_have_text("Not logged in")


@pytest.mark.parametrize("house", ["jwt"], indirect=True)
async def test_a_refused_token_is_asked_for_again(house: House) -> None:
    page = await house.tab("#token=bad", is_online=False)
    assert "token" not in page.url
    await expect(page.locator("#login-reason")).to_contain_text("The token has expired.")
    await page.get_by_test_id("token").fill("good")
    await page.get_by_test_id("login").click()
    await expect(page.locator("#line")).to_have_attribute("data-line", "online")
    await dial(page, "echo")
    await state(page, "answered")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("NotAllowedError", "blocked"), ("NotFoundError", "No microphone"), ("NotReadableError", "in use")],
)
async def test_a_missing_microphone_is_explained(house: House, name: str, sentence: str) -> None:
    page = await house.tab()
    await page.evaluate(
        f"void (navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', '{name}')))"
    )
    await dial(page, "echo")
    await state(page, "ended")
    await expect(page.get_by_test_id("message")).to_contain_text(sentence)
    assert house.calls == []


async def test_a_page_without_encryption_says_so_at_once(house: House) -> None:
    await house.context.add_init_script("Object.defineProperty(globalThis, 'isSecureContext', {value: false})")
    page = await house.tab()
    await expect(page.get_by_test_id("message")).to_contain_text("https://")


async def test_a_gateway_that_is_down_is_named_and_found_again(house: House) -> None:
    await house.context.route("**/settings.json", lambda route: route.abort())
    page = await house.tab(is_online=False)
    await expect(page.get_by_test_id("message")).to_contain_text("The gateway cannot be reached.")
    await house.context.unroute("**/settings.json")
    await expect(page.locator("#line")).to_have_attribute("data-line", "online")
    await expect(page.get_by_test_id("message")).to_be_hidden()


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
async def test_nothing_sticks_out_at_any_width(house: House, width: int) -> None:
    page = await house.tab()
    await page.set_viewport_size({"width": width, "height": 700})
    await dial(page, "x" * 120)
    await state(page, "answered")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("size", [(844, 390), (667, 375), (812, 340)], ids=str)
async def test_a_phone_on_its_side_shows_keys_and_button_without_scrolling(house: House, size: tuple[int, int]) -> None:
    page = await house.tab()
    await page.set_viewport_size({"width": size[0], "height": size[1]})
    await expect(page.get_by_test_id("call")).to_be_in_viewport(ratio=1)
    for key in ("1", "3", "star", "hash"):
        await expect(page.get_by_test_id(f"key-{key}")).to_be_in_viewport(ratio=1)
    await dial(page, "echo")
    await state(page, "answered")
    await expect(page.get_by_test_id("hangup")).to_be_in_viewport(ratio=1)
    await expect(page.get_by_test_id("key-hash")).to_be_in_viewport(ratio=1)
    await page.get_by_test_id("hangup").click()
    await house.control("ring?from=bob&display=Bob")
    await expect(page.get_by_test_id("accept")).to_be_in_viewport(ratio=1)


async def test_who_you_are_is_labelled_on_a_phone(house: House) -> None:
    page = await house.tab()
    await page.set_viewport_size({"width": 320, "height": 568})
    label = await page.get_by_text("You are").bounding_box()
    field = await page.get_by_test_id("user").bounding_box()
    assert label is not None and field is not None
    assert label["width"] > 30
    assert label["y"] + label["height"] <= field["y"]
    assert field["y"] + field["height"] <= 68, "the bar is no higher than it was"


async def test_a_call_that_is_not_heard_can_be_ended_on_a_short_phone_without_scrolling(house: House) -> None:
    page = await house.tab()
    await page.set_viewport_size({"width": 320, "height": 568})
    await dial(page, "echo")
    await state(page, "answered")
    await house.control("one-way")
    await expect(page.get_by_test_id("message")).to_be_in_viewport(ratio=1)
    await expect(page.get_by_test_id("hangup")).to_be_in_viewport(ratio=1)
    await page.get_by_test_id("key-hash").click()  # what lies under the buttons is scrolled to
    await page.get_by_test_id("hangup").click()
    await state(page, "ended")


async def test_the_placeholder_fits_on_a_narrow_phone(house: House) -> None:
    page = await house.tab()
    await page.set_viewport_size({"width": 320, "height": 568})
    spare = await page.evaluate(
        """() => {
          const field = document.getElementById('number');
          const style = getComputedStyle(field);
          const pen = new OffscreenCanvas(1, 1).getContext('2d');
          pen.font = style.font;
          const room = field.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
          return room - pen.measureText(field.placeholder).width;
        }"""
    )
    assert spare > 0
    await expect(page.get_by_test_id("call")).to_be_in_viewport(ratio=1)
