import asyncio
import contextlib
import errno
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast
from unittest.mock import ANY

import pytest

from call.dialplan import TrunkRule
from call.errors import PeerError
from gateway import switchboard as module
from gateway.admission import Admission
from gateway.auth import Gatekeeper, Identity
from gateway.browserleg import BrowserLeg
from gateway.callrecord import LIVE, CallRecord
from gateway.config import AuthSettings, LimitSettings, SessionSettings, TrunkSettings, UserSettings
from gateway.directory import Directory
from gateway.records import Records
from gateway.routing import Router
from gateway.switchboard import Switchboard
from gateway.trunkleg import TrunkLeg
from sip import messages
from tests.unit.recorders import House, Page, Worker, offer, page
from webrtc import signalling
from webrtc.signalling import CallAccept, CallDtmf, CallHangup, CallReject, CallStart, Goodbye, Hello, Ping
from webrtc.websocket import Peer

USERS = {"alice": UserSettings(display="Alice", numbers=("100",)), "bob": UserSettings(numbers=("101",))}
TRUNKS = {"demo": TrunkSettings(host="127.0.0.1", allow=("echo", "+49"))}
ANSWER = (
    "v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)


@dataclass
class RecordsRecorder:
    """The newest record of every call, in the order in which they began."""

    kept: dict[str, CallRecord] = field(default_factory=dict)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def save(self, record: CallRecord) -> None:
        self.kept[record.id] = record
        if record.cause != LIVE:
            self.ended.set()

    async def wait_ended(self) -> CallRecord:
        async with asyncio.timeout(5):
            await self.ended.wait()
        self.ended.clear()
        return next(record for record in reversed(self.kept.values()) if record.cause != LIVE)


class Bench:
    """A switchboard with recorders all around."""

    def __init__(self, limits: LimitSettings | None = None) -> None:
        self.house, self.worker, self.records = House(), Worker(), RecordsRecorder()
        self.directory = Directory(Gatekeeper(AuthSettings(mode="open"), USERS), 30.0)
        self.admission = Admission(limits or LimitSettings(), TRUNKS)
        self.board = Switchboard(
            self.house.surroundings,
            trunks=TRUNKS,
            session=SessionSettings(),
            admission=self.admission,
            router=Router((TrunkRule("demo", TRUNKS["demo"].allow),), USERS, ""),
            directory=self.directory,
            records=cast(Records, self.records),
            post=self.worker.post,
        )
        self.directory.handle = self.board.handle

    async def log_in(self, user: str = "alice") -> Page:
        """A page in the directory."""
        made = page(user)
        made.session = await self.directory.open_door(Hello(user=user), cast(Peer, made))
        made.sent.clear()
        return made

    def start(self, caller: Page, to: str = "echo", name: str = "p-1", **fields: Any) -> None:
        self.board.handle(caller.session, CallStart(name, to, fields.pop("sdp", offer()), **fields))

    @property
    def leg_id(self) -> str:
        command = self.worker.commands[0]
        assert isinstance(command, messages.Invite)
        return command.leg

    def ring_in(self, number: str = "100", sdp: str | None = ANSWER, leg: str = "w1") -> None:
        self.board.on_sip(
            messages.Incoming(leg, "demo", number, "+4930", "Carol", "cid", "x:1", sdp, (("X-Q", "1"), ("Via", "v")))
        )


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    await bench.house.tear_down()


def ended(one: Page) -> signalling.CallEnded:
    message = one.sent[-1]
    assert isinstance(message, signalling.CallEnded)
    return message


async def until_idle(bench: Bench) -> None:
    async with asyncio.timeout(5):
        await bench.board._idle.wait()
    await bench.house.settle()


# -- outgoing -----------------------------------------------------------------------------------------


async def test_call_from_its_start_to_its_record(bench: Bench) -> None:
    caller = await bench.log_in()
    bench.start(caller, headers={"X-Ticket": "42"})
    invite = bench.worker.commands[0]
    assert isinstance(invite, messages.Invite)
    assert (invite.trunk, invite.number, invite.headers) == ("demo", "echo", (("X-Ticket", "42"),))
    assert caller.types == ["call.answer-sdp"]
    assert len(bench.house.relays.coupled) == 1
    assert list(bench.board.calls) == [invite.leg]
    bench.board.on_sip(messages.Answered(invite.leg, ANSWER, ()))
    bench.board.on_sip(messages.Ended(invite.leg, "peer", 200))
    record = await bench.records.wait_ended()
    await until_idle(bench)
    assert caller.types == ["call.answer-sdp", "call.answered", "call.ended"]
    assert (record.cause, record.sentence) == ("hangup", "echo hung up.")
    assert bench.board.calls == {}
    assert sorted(leg.id for leg in bench.house.relays.released) == [1, 2]
    assert caller.session.legs == {}


async def test_page_gives_up(bench: Bench) -> None:
    caller = await bench.log_in()
    bench.start(caller)
    bench.board.handle(caller.session, CallHangup("p-1"))
    await bench.worker.wait_for("release")
    bench.board.on_sip(messages.Ended(bench.leg_id, "us", 200))
    assert (await bench.records.wait_ended()).cause == ended(caller).cause == "cancelled"
    await until_idle(bench)


@pytest.mark.parametrize(
    ("to", "cause", "status", "words"),
    [
        ("ehco", "not-found", 404, "No trunk knows a destination named ehco."),
        ("+1212", "not-allowed", 403, "not allowed through any trunk"),
        ("what ever", "not-found", 404, "neither a number nor a name"),
    ],
)
async def test_call_that_cannot_begin_is_told_and_recorded(
    bench: Bench, to: str, cause: str, status: int, words: str
) -> None:
    caller = await bench.log_in()
    bench.start(caller, to)
    assert caller.types == ["call.ended"]
    assert (ended(caller).cause, ended(caller).sip_status) == (cause, status)
    assert words in ended(caller).sentence
    (record,) = bench.records.kept.values()
    assert (record.cause, record.remote) == (cause, to)
    assert bench.house.relays.legs == []
    assert bench.worker.commands == []


async def test_useless_offer_is_refused_before_anything_is_opened(bench: Bench) -> None:
    caller = await bench.log_in()
    bench.start(caller, sdp="v=0\r\n")
    assert ended(caller).cause == "no-common-media"
    assert bench.house.relays.legs == []
    bench.start(caller)
    assert caller.types == ["call.ended", "call.answer-sdp"]


async def test_gateway_without_a_free_port_gives_back_what_it_took(bench: Bench) -> None:
    caller = await bench.log_in()
    bench.house.relays.has_ports = False
    bench.start(caller)
    await bench.house.settle()
    assert ended(caller).cause == "overload"
    assert "media.rtp_ports" in ended(caller).hint
    assert bench.house.relays.released == bench.house.relays.legs
    assert bench.board.calls == {}


async def test_cap_on_calls_is_told_and_freed_by_their_end() -> None:
    bench = Bench(LimitSettings(user_calls=1))
    caller = await bench.log_in()
    bench.start(caller)
    bench.start(caller, name="p-2")
    assert (ended(caller).call, ended(caller).cause) == ("p-2", "limit")
    bench.board.on_sip(messages.Ended(bench.leg_id, "peer", 486))
    await until_idle(bench)
    bench.start(caller, name="p-3")
    assert caller.types[-1] == "call.answer-sdp"
    await bench.house.tear_down()


async def test_user_may_call_again_as_soon_as_the_page_is_told_of_the_end_and_the_trunk_counts_on() -> None:
    bench = Bench(LimitSettings(user_calls=1, calls=1))
    caller = await bench.log_in()
    bench.start(caller)
    bench.board.handle(caller.session, CallHangup("p-1"))
    assert caller.types[-1] == "call.ended"
    await bench.worker.wait_for("release")
    bench.start(caller, name="p-2")
    assert "The gateway has 1 call at once already" in ended(caller).sentence
    bench.board.on_sip(messages.Ended(bench.leg_id, "us", 200))
    await until_idle(bench)
    bench.start(caller, name="p-3")
    assert caller.types[-1] == "call.answer-sdp"
    await bench.house.tear_down()


async def test_calls_that_ring_a_user_do_not_keep_them_from_calling() -> None:
    bench = Bench(LimitSettings(user_calls=1, user_calls_per_minute=1, calls=3))
    callee = await bench.log_in()
    bench.ring_in(leg="w1")
    bench.ring_in(leg="w2")
    bench.start(callee)
    assert callee.types[-1] == "call.answer-sdp"
    bench.ring_in(leg="w3")
    assert bench.worker.commands[-1] == messages.Release("w3", 503), "the gateway's own limit counts them"
    await bench.house.tear_down()


async def test_name_that_is_taken_is_refused_and_the_first_call_goes_on(bench: Bench) -> None:
    caller = await bench.log_in()
    bench.start(caller)
    with pytest.raises(PeerError, match="There is a call p-1 already"):
        bench.start(caller)
    assert len(bench.board.calls) == 1


@pytest.mark.parametrize(
    "message",
    [CallHangup("p-9"), CallReject("p-9"), CallDtmf("p-9", "1"), CallAccept("p-9", "v=0")],
    ids=lambda m: m.type,
)
async def test_message_for_no_call_is_refused_in_words(bench: Bench, message: signalling.ClientMessage) -> None:
    caller = await bench.log_in()
    with pytest.raises(PeerError, match="There is no call p-9") as caught:
        bench.board.handle(caller.session, message)
    assert caught.value.hint


async def test_another_page_cannot_touch_a_call(bench: Bench) -> None:
    caller, other = await bench.log_in(), await bench.log_in()
    bench.start(caller)
    with pytest.raises(PeerError):
        bench.board.handle(other.session, CallHangup("p-1"))
    assert len(bench.board.calls) == 1


async def test_second_hello_is_refused_and_a_ping_does_nothing(bench: Bench) -> None:
    caller = await bench.log_in()
    with pytest.raises(PeerError, match="said hello already"):
        bench.board.handle(caller.session, Hello())
    bench.board.handle(caller.session, Ping())
    assert caller.sent == []


async def test_caller_id_comes_from_the_login_then_the_trunk_then_the_name(bench: Bench) -> None:
    plain = await bench.log_in()
    bench.start(plain)
    signed = await bench.log_in("bob")
    signed.session.identity = Identity("bob", "Bob", caller_id="+49301")
    bench.start(signed)
    first, second = bench.worker.commands
    assert isinstance(first, messages.Invite)
    assert isinstance(second, messages.Invite)
    assert (first.from_user, second.from_user) == ("alice", "+49301")


# -- incoming -----------------------------------------------------------------------------------------


async def test_incoming_call_rings_all_pages_of_its_user(bench: Bench) -> None:
    first, second, other = await bench.log_in(), await bench.log_in(), await bench.log_in("bob")
    bench.ring_in()
    assert first.types == second.types == ["call.incoming"]
    assert other.sent == []
    incoming = first.sent[0]
    assert isinstance(incoming, signalling.CallIncoming)
    assert (incoming.remote, incoming.display, incoming.to) == ("+4930", "Carol", "100")
    assert incoming.headers == {"X-Q": "1"}
    bench.board.handle(first.session, CallAccept(incoming.call, offer()))
    assert second.types[-1] == "call.ended"
    await bench.worker.wait_for("accept")
    assert bench.worker.types == ["progress", "accept"]
    assert bench.house.relays.coupled


async def test_page_opened_while_a_call_rings_rings_and_can_take_it(bench: Bench) -> None:
    first = await bench.log_in()
    bench.ring_in()
    late = page()
    late.session = await bench.directory.open_door(Hello(user="alice"), cast(Peer, late))
    assert late.types == ["welcome", "call.incoming"]
    assert late.sent[1] == first.sent[0]
    bench.board.handle(late.session, CallAccept(next(iter(late.session.legs)), offer()))
    assert first.types[-1] == "call.ended"
    await bench.worker.wait_for("accept")


async def test_call_for_nobody_is_refused(bench: Bench) -> None:
    bench.ring_in("999")
    bench.ring_in("101", leg="w2")
    assert bench.worker.commands == [messages.Release("w1", 404), messages.Release("w2", 480)]
    unknown, absent = bench.records.kept.values()
    assert (unknown.cause, absent.cause) == ("not-found", "unavailable")
    assert "belongs to no user" in unknown.sentence
    assert "bob is not logged in" in absent.sentence
    assert bench.house.relays.legs == []


async def test_an_invite_that_the_worker_refused_rings_nobody_and_leaves_a_record(bench: Bench) -> None:
    callee = await bench.log_in()
    bench.board.on_sip(messages.InviteRefused("demo", "100", "+4930", 420, "it demands what we do not have (foo)"))
    assert callee.sent == bench.worker.commands == []
    (record,) = bench.records.kept.values()
    assert (record.direction, record.user, record.remote, record.trunk) == ("incoming", "alice", "+4930", "demo")
    assert (record.cause, record.sip_status) == ("trunk-error", 420)
    assert record.sentence == (
        "Trunk demo called 100, which was refused with 420: it demands what we do not have (foo)."
    )


async def test_incoming_offer_that_cannot_be_served_rings_nobody(bench: Bench) -> None:
    callee = await bench.log_in()
    bench.ring_in(sdp=ANSWER.replace("AVP 0", "AVP 18").replace("0 PCMU", "18 G729"))
    assert bench.worker.commands == [messages.Release("w1", 488)]
    assert callee.sent == []
    assert bench.house.relays.released == bench.house.relays.legs
    assert bench.board.calls == {}


async def test_incoming_call_without_a_free_port_is_refused(bench: Bench) -> None:
    callee = await bench.log_in()
    bench.house.relays.has_ports = False
    bench.ring_in()
    assert bench.worker.commands == [messages.Release("w1", 503)]
    assert callee.sent == []


async def test_caller_that_gives_up_stops_the_ringing(bench: Bench) -> None:
    callee = await bench.log_in()
    bench.ring_in()
    bench.board.on_sip(messages.Ended("w1", "peer", 487))
    await until_idle(bench)
    assert ended(callee).cause == "cancelled"
    assert bench.house.relays.released == bench.house.relays.legs


async def test_page_that_says_goodbye_leaves_the_others_ringing(bench: Bench) -> None:
    leaving, staying = await bench.log_in(), await bench.log_in()
    bench.ring_in()
    bench.board.handle(leaving.session, Goodbye())
    assert staying.types == ["call.incoming"]
    bench.board.handle(staying.session, Goodbye())
    await bench.worker.wait_for("release")


# -- mistakes of ours ---------------------------------------------------------------------------------


def broken(*_: object) -> None:
    raise RuntimeError("our own mistake")


@contextlib.contextmanager
def mistake_in(owner: object, name: str) -> Iterator[None]:
    """Within the block this fails."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, broken)
        yield


@pytest.fixture
async def narrow() -> AsyncIterator[Bench]:
    """A switchboard with room for one call, so that one which is not given back is missed."""
    bench = Bench(LimitSettings(calls=1))
    yield bench
    await bench.house.tear_down()


async def test_a_call_for_which_no_rtp_ports_are_left_is_refused_in_words(narrow: Bench) -> None:
    caller = await narrow.log_in()

    def taken(_: object) -> NoReturn:
        raise OSError(errno.EADDRINUSE, "every pair of UDP ports between 30000 and 30003 on 192.0.2.1 is taken")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(narrow.house.relays, "rtp_leg", taken)
        narrow.start(caller)
    message = ended(caller)
    assert message.sentence == (
        "The call gets no RTP ports: every pair of UDP ports between 30000 and 30003 on 192.0.2.1 is taken."
    )
    assert message.hint == "Widen `media.rtp_ports`."


async def test_a_call_for_which_no_file_may_be_opened_says_what_helps(
    narrow: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = await narrow.log_in()

    def exhausted(_: object) -> NoReturn:
        raise OSError(errno.EMFILE, "UDP port 30000 on 192.0.2.1: Too many open files (os error 24)")

    monkeypatch.setattr(narrow.house.relays, "rtp_leg", exhausted)
    narrow.start(caller)
    assert ended(caller).hint == "Raise the limit of open files: LimitNOFILE in the systemd unit, or `ulimit -n`."


@pytest.mark.parametrize("method", ["take_incoming", "__init__"])
async def test_incoming_call_that_we_mishandle_gets_500_and_leaves_nothing(narrow: Bench, method: str) -> None:
    callee = await narrow.log_in()
    with mistake_in(TrunkLeg, method):
        narrow.ring_in()
    assert narrow.worker.commands == [messages.Release("w1", 500)]
    assert [record.cause for record in narrow.records.kept.values()] == ["gateway-error"]
    assert narrow.house.relays.released == narrow.house.relays.legs
    narrow.ring_in(leg="w2")
    assert callee.types == ["call.incoming"]


async def test_incoming_call_that_we_mishandle_at_the_door_gets_500(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.directory, "sessions_of", broken)
    bench.ring_in()
    assert bench.worker.commands == [messages.Release("w1", 500)]


async def test_incoming_call_that_we_mishandle_once_it_rings_ends_everywhere(narrow: Bench) -> None:
    callee = await narrow.log_in()
    with mistake_in(module, "Ringing"):
        narrow.ring_in()
    assert callee.types == ["call.incoming", "call.ended"]
    assert narrow.worker.types == ["release"]
    narrow.board.on_sip(messages.Ended("w1", "us", 500))
    await until_idle(narrow)
    assert narrow.house.relays.released == narrow.house.relays.legs


@pytest.mark.parametrize("method", ["__init__", "follow"])
async def test_outgoing_call_that_we_mishandle_is_told_and_leaves_nothing(narrow: Bench, method: str) -> None:
    caller = await narrow.log_in()
    with mistake_in(TrunkLeg, method):
        narrow.start(caller)
    await narrow.house.settle()
    assert (ended(caller).cause, ended(caller).sip_status) == ("gateway-error", 500)
    assert len(narrow.house.relays.released) == len(narrow.house.relays.legs)
    narrow.start(caller)
    assert caller.types == ["call.ended", "call.answer-sdp"]


async def test_outgoing_call_whose_invite_we_cannot_make_ends(narrow: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = await narrow.log_in()
    monkeypatch.setattr(TrunkLeg, "invite", broken)
    narrow.start(caller)
    assert caller.types == ["call.answer-sdp", "call.ended"]
    (leg,) = narrow.board.calls
    narrow.board.on_sip(messages.Ended(leg, "us", 500))
    await until_idle(narrow)
    assert (await narrow.records.wait_ended()).cause == "gateway-error"


@pytest.mark.parametrize(
    ("owner", "name"), [(BrowserLeg, "take_offer"), (BrowserLeg, "_answer_offer"), (signalling, "CallAnswerSdp")]
)
async def test_accepting_that_we_mishandle_ends_the_call_everywhere(narrow: Bench, owner: object, name: str) -> None:
    first, second = await narrow.log_in(), await narrow.log_in()
    narrow.ring_in()
    with mistake_in(owner, name):
        narrow.board.handle(first.session, CallAccept(next(iter(first.session.legs)), offer()))
    assert ended(first).cause == "gateway-error"
    assert second.types[-1] == "call.ended"
    await narrow.worker.wait_for("release")
    assert narrow.worker.commands[-1] == messages.Release("w1", 500, "", ANY)
    narrow.board.on_sip(messages.Ended("w1", "us", 500))
    record = await narrow.records.wait_ended()
    await until_idle(narrow)
    assert (record.cause, record.answered_at) == ("gateway-error", None)
    assert len(narrow.house.relays.released) == len(narrow.house.relays.legs)
    narrow.ring_in(leg="w2")
    assert first.types[-1] == "call.incoming"


async def test_event_of_the_worker_that_we_mishandle_ends_its_call_and_no_other(bench: Bench) -> None:
    caller = await bench.log_in()
    bench.start(caller)
    bench.start(caller, name="p-2")
    with mistake_in(TrunkLeg, "_apply"):
        bench.board.on_sip(messages.Answered(bench.leg_id, ANSWER, ()))
    assert (ended(caller).call, ended(caller).cause) == ("p-1", "gateway-error")
    assert bench.worker.commands[-1].type == "release"
    bench.board.on_sip(messages.Ended(bench.leg_id, "us", 500))
    await bench.records.wait_ended()
    assert len(bench.board.calls) == 1


# -- losses -------------------------------------------------------------------------------------------


async def test_lost_worker_ends_its_calls_in_words(bench: Bench) -> None:
    caller = await bench.log_in()
    bench.start(caller)
    bench.board.on_worker_lost("killed by signal 11")
    record = await bench.records.wait_ended()
    await until_idle(bench)
    assert record.cause == ended(caller).cause == "gateway-error"
    assert "being restarted" in ended(caller).sentence


async def test_event_for_a_leg_that_is_gone_is_ignored(bench: Bench) -> None:
    bench.board.on_sip(messages.Answered("nobody", ANSWER, ()))
    assert bench.worker.commands == []


async def test_stopping_gateway_says_goodbye_and_takes_no_more(bench: Bench) -> None:
    caller = await bench.log_in()
    bench.start(caller)
    draining = asyncio.create_task(bench.board.drain())
    await bench.worker.wait_for("release")
    bench.board.on_sip(messages.Ended(bench.leg_id, "us", 487))
    await draining
    assert "stopped" in ended(caller).sentence
    bench.start(caller, name="p-2")
    assert "about to stop" in ended(caller).sentence


async def test_worker_that_never_confirms_does_not_hold_up_the_stop(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DRAIN_S", 0.0)
    caller = await bench.log_in()
    bench.start(caller)
    async with asyncio.timeout(5):
        await bench.board.drain()
    assert len(bench.records.kept) == 1
