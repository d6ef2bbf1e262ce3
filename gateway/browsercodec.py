"""The codec of a browser leg: chosen with its first offer, and again once the trunk has said what it speaks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from call import causes, interworking
from call.causes import Ending
from call.codecs import COMFORT_NOISE, CodecName
from call.interworking import Choice, Preference

PATIENCE_S: Final = 10.0
"""How long a call without any sound waits for its page to change over, which takes some hundred milliseconds."""


class BrowserCodec:
    """What one browser leg speaks and why, and what it had better speak (design D7)."""

    def __init__(
        self,
        offered: Sequence[CodecName],
        trunk_codecs: Sequence[CodecName],
        prefer: Preference,
        end: Callable[[Ending], None],
    ) -> None:
        """Choose from the first offer; `trunk_codecs` are those that the trunk speaks or may answer.

        `end` ends a call in which nothing can be heard.

        Raises:
            UnacceptableOffer: There is no codec to choose.
        """
        self.choice: Choice = interworking.choose_browser_codec(offered, trunk_codecs, prefer)
        self.spares_silence = COMFORT_NOISE in trunk_codecs
        self._prefer, self._end = prefer, end
        self._trunk_codec: CodecName | None = None
        self._asked_for: Choice | None = None
        self._patience: asyncio.TimerHandle | None = None

    def better(self, offered: Sequence[CodecName]) -> Choice | None:
        """What the browser had better speak, of this offer; None: what it speaks."""
        if self._trunk_codec is None:
            return None
        return interworking.better_browser_codec(self.choice.codec, offered, self._trunk_codec, self._prefer)

    def suit(self, trunk_codec: CodecName, offered: Sequence[CodecName]) -> str:
        """The trunk speaks this codec: why the page is to offer again; "" if it is not, or was asked already."""
        self._trunk_codec = trunk_codec
        asked_for, self._asked_for = self._asked_for, self.better(offered)
        self._judge(trunk_codec)
        if self._asked_for is None or self._asked_for == asked_for:
            return ""
        return interworking.change_sentence(self.choice.codec, trunk_codec, self._asked_for)

    def change_to(self, better: Choice) -> None:
        """The browser speaks this from now on."""
        self.choice, self._asked_for = better, None
        self.cancel()

    def cancel(self) -> None:
        """Something is heard again, or the leg is over."""
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _judge(self, trunk_codec: CodecName) -> None:
        """A call in which nothing can be heard ends: at once, if the page has no codec to change over to (ADR 0024)."""
        if interworking.can_be_joined(self.choice.codec, trunk_codec):
            self.cancel()
            return
        ending = causes.no_common_codec(self.choice.codec, trunk_codec)
        if self._asked_for is None:
            self._end(ending)
        elif self._patience is None:  # else a trunk that says so again and again would keep the call up
            self._patience = asyncio.get_running_loop().call_later(PATIENCE_S, self._end, ending)
