"""One call as a number's script sees it: ring, answer, speak, echo, listen for keys."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from demo.media import Media
from demo.offer_answer import Agreement, LocalMedia, agree, answer, offer
from sip.messages import Accept, Answered, Command, Incoming, Invite, Progress, Reanswer, Release, Reoffered


@dataclass(frozen=True, slots=True)
class Place:
    """Where the phone lives."""

    bind: str
    rtp_ports: range


class Line:
    """One call. A script ends it by returning."""

    def __init__(self, leg: str, number: str, caller: str, place: Place, post: Callable[[Command], None]) -> None:
        """Take a call that came in, or that is about to be placed."""
        self.leg = leg
        self.number = number
        self.caller = caller
        self.remote_sdp: str | None = None
        self.digits: asyncio.Queue[str] = asyncio.Queue()
        self.pressed = ""
        self.ending = ""
        """How it ended, in words; empty while it lasts."""
        self.call_back = ""
        """User to call when this call is over."""
        self._place = place
        self._post = post
        self._media: Media | None = None
        self._local: LocalMedia | None = None
        self._answered: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @classmethod
    def of(cls, incoming: Incoming, place: Place, post: Callable[[Command], None]) -> Line:
        """The line of an INVITE."""
        line = cls(incoming.leg, incoming.number, incoming.from_user, place, post)
        line.remote_sdp = incoming.sdp
        return line

    # --- what scripts say -------------------------------------------------------------------------------------------

    def ring(self) -> None:
        """180: the phone rings, and the caller hears its own ringback tone."""
        self._post(Progress(self.leg, 180))

    async def early(self) -> None:
        """183 with SDP: the caller hears us before we answer (RFC 3960)."""
        self._post(Progress(self.leg, 183, self._own_sdp()))
        self.media.speak()

    async def answer(self) -> None:
        """200, and wait for the ACK."""
        self._post(Accept(self.leg, self._own_sdp()))
        remote_sdp = await self._answered
        if self.remote_sdp is None:  # the INVITE had no offer, so ours was answered in the ACK
            self._aim(remote_sdp)

    async def invite(self, trunk: str, user: str, timeout_s: float) -> None:
        """Place the call and wait until it is answered."""
        self._post(Invite(self.leg, trunk, user, self._own_sdp(), from_user="demo", timeout_s=timeout_s))
        self._aim(await self._answered)

    def refuse(self, status: int, reason: str = "") -> None:
        """End the call with this final response, or with BYE when it was answered."""
        self._post(Release(self.leg, status, reason))

    def hang_up(self) -> None:
        """End the call as its state demands."""
        self._post(Release(self.leg))

    async def say(self, recording: bytes) -> None:
        """Speak, and wait until it is said."""
        self.media.speaker.play(recording)
        self.media.speak()
        await self.media.spoken()

    def loop(self, recording: bytes) -> None:
        """Play something over and over."""
        self.media.speaker.loop(recording)
        self.media.speak()

    def echo(self) -> None:
        """Send back what comes in."""
        self.media.echo()

    @property
    def media(self) -> Media:
        """The call's RTP, open since `with_media`."""
        assert self._media is not None, "with_media comes first"
        return self._media

    @property
    def packets(self) -> str:
        """What went over the wire, for the log."""
        return f"{self._media.counts.sent} packets sent, {self._media.counts.heard} heard" if self._media else "no RTP"

    # --- what happens to it -----------------------------------------------------------------------------------------

    @asynccontextmanager
    async def with_media(self) -> AsyncIterator[None]:
        """Hold RTP ports and a sender that keeps time."""
        self._media = media = await Media.open(self._place.bind, self._place.rtp_ports, self.press)
        self._local = LocalMedia(self._place.bind, media.port, random.getrandbits(31))
        try:
            async with asyncio.TaskGroup() as tasks:
                clock = tasks.create_task(media.keep_time())
                yield
                clock.cancel()
        finally:
            media.close()

    def press(self, digit: str) -> None:
        """A key was heard, by telephone-event or INFO."""
        self.pressed += digit
        self.digits.put_nowait(digit)

    def on_answered(self, event: Answered) -> None:
        """The call stands."""
        if not self._answered.done():
            self._answered.set_result(event.sdp)

    def on_reoffered(self, event: Reoffered) -> None:
        """Hold, resume or a new address: agree to whatever G.711 it brings.

        Raises:
            GatewayError: The offer cannot be met; the session stays as it was.
        """
        if self._local is not None:
            self._local = replace(self._local, version=self._local.version + 1)
        self.remote_sdp = event.sdp
        self._post(Reanswer(self.leg, 200, self._own_sdp()))

    def _own_sdp(self) -> str:
        """Our answer to the offer in hand, else our offer."""
        assert self._local is not None, "with_media comes first"
        if self.remote_sdp is None:
            return offer(self._local)
        return answer(self.remote_sdp, self._aim(self.remote_sdp), self._local)

    def _aim(self, remote_sdp: str) -> Agreement:
        agreed = agree(remote_sdp)
        self.media.aim(agreed)
        return agreed
