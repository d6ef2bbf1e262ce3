"""The demo numbers: what happens when one is called. A script that returns hangs up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

from demo import voice
from demo.line import Line

EARLY_S: Final = 5.0
LATE_S: Final = 20.0

Script = Callable[[Line], Awaitable[None]]


async def echo(line: Line) -> None:
    """Answer at once; send back what is heard, from the first packet after our 200."""
    line.echo()
    await line.answer()
    await _until_the_caller_hangs_up()


async def music(line: Line) -> None:
    """Answer at once; play for as long as anyone listens."""
    await line.answer()
    line.loop(voice.prompt("music"))
    await _until_the_caller_hangs_up()


async def hello(line: Line) -> None:
    """Answer at once; a greeting, then the echo."""
    await line.answer()
    await line.say(voice.prompt("hello"))
    line.echo()
    await _until_the_caller_hangs_up()


async def early(line: Line) -> None:
    """Early media: an announcement, then ringback; answer after five seconds, then as `hello`."""
    await line.early()
    line.media.speaker.play(voice.prompt("early"))
    line.loop(voice.ringback())
    await asyncio.sleep(EARLY_S)
    line.media.speaker.stop()
    await hello(line)


async def busy(line: Line) -> None:
    """486 Busy Here."""
    line.refuse(486)
    await _until_the_caller_hangs_up()


async def reject(line: Line) -> None:
    """603 Decline."""
    line.refuse(603)
    await _until_the_caller_hangs_up()


async def noanswer(line: Line) -> None:
    """Ring for ever."""
    line.ring()
    await _until_the_caller_hangs_up()


async def late(line: Line) -> None:
    """Ring for twenty seconds, then as `hello`."""
    line.ring()
    await asyncio.sleep(LATE_S)
    await hello(line)


async def dtmf(line: Line) -> None:
    """Read each key back as it is pressed; the first one cuts the prompt short."""
    await line.answer()
    line.media.speaker.play(voice.prompt("dtmf"))
    line.media.speak()
    digit = await line.digits.get()
    line.media.speaker.stop()
    while True:
        line.media.speaker.play(voice.key(digit))
        digit = await line.digits.get()


async def callback(line: Line) -> None:
    """Announce a call back, hang up, and call the caller through the gateway."""
    await line.answer()
    if line.caller in ("", "anonymous"):
        await line.say(voice.prompt("unknown-caller"))
        return
    await line.say(voice.prompt("callback"))
    line.call_back = line.caller


async def unknown(line: Line) -> None:
    """404 Not Found."""
    line.refuse(404)
    await _until_the_caller_hangs_up()


async def called_back(line: Line) -> None:
    """What the called user hears when `callback` calls: say why, then echo."""
    await line.say(voice.prompt("called-back"))
    line.echo()
    await _until_the_caller_hangs_up()


async def _until_the_caller_hangs_up() -> None:
    """The phone cancels the script when the call ends."""
    await asyncio.get_running_loop().create_future()


NUMBERS: Final[Mapping[str, Script]] = MappingProxyType(
    {script.__name__: script for script in (echo, music, hello, early, busy, reject, noanswer, late, dtmf, callback)}
)
