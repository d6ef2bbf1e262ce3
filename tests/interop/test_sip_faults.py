"""What can go wrong with a trunk, each with its own fault and words: names, ports, passwords, garbage."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable

import pytest

from sip.messages import Answered, Ended, Incoming, Invite, InviteRefused, Release, Ringing, TrunkAccount
from tests.harness.patience import PATIENCE_S
from tests.harness.ports import free_port
from tests.interop.sip_line import ANSWER, OFFER, line, line_to, trunk
from tests.interop.sip_peer import HOST, Message, Peer, open_peer

peer = pytest.fixture(open_peer)

CHALLENGE = 'Digest realm="test", nonce="n{}", algorithm={}, qop="auth"'
SILENCE_S = 1.5
"""How long a trunk may be silent: what it says at once comes before, on a busy machine too."""
CREDENTIALS = {"user": "alice", "password": "secret"}


def is_right(request: Message, header: str, password: str, realm: str = "test") -> bool:
    """Check the digest response to whoever has this realm (RFC 8760)."""
    answers = (dict(re.findall(r'(\w+)="?([^",]+)"?', text)) for text in request.all(header))
    fields = next(each for each in answers if each["realm"] == realm)
    function = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}[fields["algorithm"]]

    def digest(text: str) -> str:
        return function(text.encode()).hexdigest()

    assert fields["uri"] == request.start.split(" ")[1]
    ha1 = digest(f"{fields['username']}:{fields['realm']}:{password}")
    ha2 = digest(f"INVITE:{fields['uri']}")
    nonce = ":".join(fields[name] for name in ("nonce", "nc", "cnonce", "qop"))
    return fields["response"] == digest(f"{ha1}:{nonce}:{ha2}")


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize(
    ("status", "challenge", "response"),
    [(401, "WWW-Authenticate", "Authorization"), (407, "Proxy-Authenticate", "Proxy-Authorization")],
)
async def test_a_challenge_is_answered_with_digest(
    peer: Peer, status: int, challenge: str, response: str, algorithm: str
) -> None:
    async with line_to(peer, **CREDENTIALS) as gateway:
        first = await gateway.place(peer, headers=(("X-Order", "42"),))
        peer.reply(first, status, "Who are you", headers=[f"{challenge}: {CHALLENGE.format(1, algorithm)}"])
        second = await peer.request("INVITE")
        assert is_right(second, response, "secret")
        assert second.body == first.body
        assert second.header("X-Order") == "42"
        peer.reply(second, 200, "OK", body=ANSWER)
        await gateway.expect(Answered)


BASIC = 'Basic realm="test"'
BEARER = 'Bearer authz_server="https://id.example", scope="calls"'
NEWER, MOBILE = CHALLENGE.format(0, "SHA-512"), CHALLENGE.format(0, "AKAv1-MD5")


@pytest.mark.parametrize("other", [BASIC, BEARER, NEWER, MOBILE], ids=["Basic", "Bearer", "SHA-512", "AKA"])
@pytest.mark.parametrize(
    ("status", "challenge", "response"),
    [(401, "WWW-Authenticate", "Authorization"), (407, "Proxy-Authenticate", "Proxy-Authorization")],
)
async def test_of_several_challenges_the_topmost_that_we_can_answer_is_answered(
    peer: Peer, status: int, challenge: str, response: str, other: str
) -> None:
    """RFC 8760 §2.4, RFC 3261 §22.4."""
    offered = (other, CHALLENGE.format(1, "SHA-256"), CHALLENGE.format(2, "MD5"))
    async with line_to(peer, **CREDENTIALS) as gateway:
        first = await gateway.place(peer)
        peer.reply(first, status, "Who are you", headers=[f"{challenge}: {each}" for each in offered])
        second = await peer.request("INVITE")
        assert len(second.all(response)) == 1
        assert 'nonce="n1"' in second.header(response)
        assert is_right(second, response, "secret")
        peer.reply(second, 200, "OK", body=ANSWER)
        await gateway.expect(Answered)


async def test_several_proxies_that_each_ask_get_an_answer_of_their_own(peer: Peer) -> None:
    """RFC 3665 §3.3: what the first asked for stays in the INVITE that the second lets through (RFC 3261 §22.3)."""
    asked: list[tuple[str, str]] = []
    async with line_to(peer, **CREDENTIALS) as gateway:
        gateway.agent.post(Invite("a1", "peer", "4711", OFFER))
        for status, name, realm in ((407, "Proxy", "outer"), (407, "Proxy", "inner"), (401, "WWW", "registrar")):
            invite = await peer.request("INVITE")
            assert all(is_right(invite, header, "secret", known) for header, known in asked)
            challenge = CHALLENGE.format(1, "MD5").replace('"test"', f'"{realm}"')
            peer.reply(invite, status, "Who are you", headers=[f"{name}-Authenticate: {challenge}"])
            asked.append(("Authorization" if name == "WWW" else "Proxy-Authorization", realm))
        invite = await peer.request("INVITE")
        assert all(is_right(invite, header, "secret", known) for header, known in asked)
        peer.reply(invite, 200, "OK", body=ANSWER)
        await gateway.expect(Answered)


@pytest.mark.parametrize(("status", "challenge"), [(401, "WWW-Authenticate"), (407, "Proxy-Authenticate")])
async def test_refused_credentials_are_named(peer: Peer, status: int, challenge: str) -> None:
    async with line_to(peer, **CREDENTIALS) as gateway:
        gateway.agent.post(Invite("a1", "peer", "4711", OFFER))
        for serial in range(3):  # a new nonce each time: one more try, no further
            invite = await peer.request("INVITE")
            peer.reply(invite, status, "No", headers=[f"{challenge}: {CHALLENGE.format(serial, 'MD5')}"])
        ended = await gateway.expect(Ended)
        assert (ended.by, ended.status, ended.fault) == ("peer", status, "auth")
        assert "refused the configured user name and password" in ended.detail


async def test_a_challenge_without_configured_credentials_is_named(peer: Peer) -> None:
    async with line_to(peer) as gateway:
        invite = await gateway.place(peer)
        peer.reply(invite, 401, "No", headers=[f"WWW-Authenticate: {CHALLENGE.format(1, 'MD5')}"])
        ended = await gateway.expect(Ended)
        assert (ended.by, ended.status, ended.fault) == ("peer", 401, "auth")
        assert "none is configured" in ended.detail


async def test_a_trunk_that_never_answers_is_given_up(peer: Peer) -> None:
    async with line_to(peer, no_response_s=0.8) as gateway:
        gateway.agent.post(Invite("a1", "peer", "4711", OFFER))
        ended = await gateway.expect(Ended)
        assert (ended.by, ended.status, ended.fault) == ("fault", 408, "timeout")
        assert f"{HOST}:{peer.port} did not answer the INVITE within 0.8 s" in ended.detail
        await gateway.calls_left(0)


async def test_a_trunk_that_only_tries_is_not_given_up_early(peer: Peer) -> None:
    async with (
        Peer.open() as silent,
        line(
            *(trunk(each, name=name, no_response_s=SILENCE_S) for each, name in ((peer, "peer"), (silent, "silent")))
        ) as gateway,
    ):
        invite = await gateway.place(peer)
        peer.reply(invite, 100, "Trying")
        gateway.agent.post(Invite("a2", "silent", "4711", OFFER))
        assert (await gateway.expect(Ended)).leg == "a2"  # later than the limit for total silence of the other one
        peer.reply(invite, 180, "Ringing")
        assert (await gateway.expect(Ringing)).leg == "a1"


async def test_a_refused_port_is_noticed_at_once() -> None:
    port = free_port()
    async with line(TrunkAccount("dead", HOST, port)) as gateway:
        gateway.agent.post(Invite("a1", "dead", "4711", OFFER))
        ended = await gateway.expect(Ended)
        assert (ended.by, ended.status, ended.fault) == ("fault", 503, "transport")
        assert f"Nothing listens on UDP {HOST}:{port}" in ended.detail
        await gateway.calls_left(0)


async def test_a_name_that_does_not_resolve_is_named() -> None:
    async with line(TrunkAccount("lost", "no-such-host.invalid", 5060)) as gateway:
        gateway.agent.post(Invite("a1", "lost", "4711", OFFER))
        ended = await gateway.expect(Ended)
        assert (ended.by, ended.status, ended.fault) == ("fault", 503, "dns")
        assert "no-such-host.invalid" in ended.detail


async def test_a_name_of_the_hosts_file_works_both_ways(peer: Peer) -> None:
    async with line(trunk(peer, host="localhost")) as gateway:
        invite = await gateway.place(peer)
        assert invite.start == f"INVITE sip:4711@localhost:{peer.port} SIP/2.0"
        peer.reply(invite, 200, "OK", body=ANSWER)
        await gateway.expect(Answered)
        dialog = peer.dial(gateway.port, body=ANSWER)
        await dialog.response(100)


@pytest.mark.parametrize(
    "garbage",
    [
        b"hello, this is not a SIP server at all\r\n\r\n",
        b"SIP/2.0 200 OK\r\nVia: ???\r\nnonsense\r\n\r\n",
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        bytes(range(1, 255)),
    ],
    ids=["text", "sip-ish", "http", "bytes"],
)
async def test_garbage_is_told_apart_from_silence(peer: Peer, garbage: bytes) -> None:
    async with line_to(peer, no_response_s=SILENCE_S) as gateway:
        invite = await gateway.place(peer)
        peer.send(garbage, invite.source)
        ended = await gateway.expect(Ended)
        assert (ended.by, ended.status, ended.fault) == ("fault", 502, "malformed")
        assert "not in SIP" in ended.detail


@pytest.mark.parametrize("status", [700, 999])
async def test_a_status_that_sip_does_not_have_is_named(peer: Peer, status: int) -> None:
    async with line_to(peer, no_response_s=SILENCE_S) as gateway:
        peer.reply(await gateway.place(peer), status, "Odd")
        ended = await gateway.expect(Ended)
        assert (ended.fault, ended.detail) == (
            "malformed",
            "with a status code that SIP does not have (it has 100 to 699)",
        )


async def test_garbage_too_short_for_pjsip_is_garbage_too(peer: Peer) -> None:
    async with line_to(peer, no_response_s=SILENCE_S) as gateway:
        gateway.agent.post(Invite("a1", "peer", "4711", OFFER))
        peer.babbles = b"HELLO WORLD garbage\r\n\r\n"
        ended = await gateway.expect(Ended)
        assert (ended.status, ended.fault) == (502, "malformed")


async def test_an_address_that_loopback_does_not_reach_is_explained() -> None:
    async with line(TrunkAccount("far", "192.0.2.1", 5060)) as gateway:
        gateway.agent.post(Invite("a1", "far", "4711", OFFER))
        ended = await gateway.expect(Ended)
        assert (ended.status, ended.fault) == (503, "transport")
        assert "loopback" in ended.detail


async def test_garbage_harms_no_other_call(peer: Peer) -> None:
    async with line_to(peer) as gateway:
        invite = await gateway.place(peer)
        for garbage in (b"\x00" * 2000, b"INVITE\r\n\r\n", b"SIP/2.0 999 X\r\n\r\n", b"\r\n\r\n", b"A" * 9000):
            peer.send(garbage, invite.source)
        peer.reply(invite, 200, "OK", body=ANSWER)
        await gateway.expect(Answered)


async def test_a_broken_sdp_answer_ends_the_call_with_words(peer: Peer) -> None:
    async with line_to(peer) as gateway:
        invite = await gateway.place(peer)
        peer.reply(invite, 200, "OK", body="v=0\r\nthis is not SDP\r\n")
        await peer.request("ACK")
        await peer.request("BYE")
        ended = await gateway.expect(Ended)
        assert (ended.by, ended.fault) == ("fault", "media")


@pytest.mark.parametrize("body", ["", "v=0\r\nthis is not SDP\r\n"], ids=["none", "broken"])
async def test_an_unusable_answer_ends_the_call_though_nobody_answers_our_bye(peer: Peer, body: str) -> None:
    peer.confirms = False
    async with line_to(peer) as gateway:
        peer.reply(await gateway.place(peer), 200, "OK", body=body)
        ended = await gateway.expect(Ended)
        assert (ended.by, ended.status, ended.fault) == ("fault", 488, "media")
        bye = await peer.request("BYE")
        peer.reply(bye, 200, "OK")
        await gateway.calls_left(0)


def rewritten(peer: Peer, old: str, new: str) -> Callable[[str | bytes, tuple[str, int]], None]:
    """How the peer sends, with this change on the way."""
    send = peer.send

    def change(text: str | bytes, address: tuple[str, int]) -> None:
        assert isinstance(text, str)
        send(re.sub(old, new, text, count=1), address)

    return change


@pytest.mark.parametrize(
    ("old", "new", "body", "status", "words"),
    [
        ("", "", "v=0\r\nthis is not SDP\r\n", 400, "SDP cannot be read"),
        ("Max-F", "Require: telepathy\r\nMax-F", ANSWER, 420, "telepathy"),
        ("application/sdp", "text/plain", "hello", 415, "no SDP"),
        (r"Contact: .*\r\n", "", ANSWER, 400, "no Contact"),
        ("INVITE sip:", "INVITE sips:", ANSWER, 480, "TLS"),
        ("1 INVITE", "1 OPTIONS", ANSWER, 500, "another method"),
        (r"Length: \d+", "Length: 2000", ANSWER, 400, "shorter than its Content-Length"),
    ],
    ids=["sdp", "require", "type", "contact", "sips", "cseq", "length"],
)
async def test_an_invite_that_is_refused_rings_nowhere_and_is_told_truly(
    peer: Peer, monkeypatch: pytest.MonkeyPatch, old: str, new: str, body: str, status: int, words: str
) -> None:
    async with line_to(peer) as gateway:
        monkeypatch.setattr(peer, "send", rewritten(peer, old, new))
        dialog = peer.dial(gateway.port, "4711", body=body)
        await dialog.response(status)
        refused = await gateway.expect(InviteRefused)
        assert (refused.trunk, refused.number, refused.status) == ("peer", "4711", status)
        assert words in refused.detail


async def test_an_invite_that_comes_by_two_ways_rings_once(peer: Peer) -> None:
    """A merged request (RFC 3261 §8.2.2.2)."""
    async with line_to(peer) as gateway:
        dialog = peer.dial(gateway.port, body=ANSWER)
        incoming = await gateway.expect(Incoming)
        dialog.send("INVITE", body=ANSWER, cseq=1)
        await dialog.response(482)
        gateway.agent.post(Release(incoming.leg, 486))
        await dialog.response(486)
        assert isinstance(await gateway.next_event(), Ended)


async def test_an_unknown_trunk_is_refused(peer: Peer) -> None:
    async with line_to(peer) as gateway:
        gateway.agent.post(Invite("a1", "nowhere", "4711", OFFER))
        ended = await gateway.expect(Ended)
        assert (ended.status, ended.fault) == (404, "worker")
        assert "nowhere" in ended.detail


async def test_a_call_released_while_its_trunk_is_resolved_is_never_placed(peer: Peer) -> None:
    async with line(trunk(peer, host="localhost")) as gateway:
        gateway.agent.post(Invite("a1", "peer", "4711", OFFER))
        gateway.agent.post(Release("a1"))
        assert (await gateway.expect(Ended)).by == "us"


async def test_two_trunks_at_one_address_are_told_apart_by_port(peer: Peer) -> None:
    async with Peer.open() as other, line(trunk(peer), trunk(other, name="other")) as gateway:
        for caller, name in ((other, "other"), (peer, "peer")):
            caller.dial(gateway.port, body=ANSWER)
            assert (await gateway.expect(Incoming)).trunk == name


async def test_a_trunk_may_call_from_other_addresses_than_its_hosts(peer: Peer) -> None:
    async with line(trunk(peer, host="127.0.0.9", sources=(f"{HOST}/32",))) as gateway:
        caller = peer.dial(gateway.port, body=ANSWER)
        gateway.agent.post(Release((await gateway.expect(Incoming)).leg, 486))
        await caller.response(486)


async def test_an_answer_that_comes_again_gets_the_same_ack_again(peer: Peer) -> None:
    async with line_to(peer) as gateway:
        invite = await gateway.place(peer)
        peer.reply(invite, 200, "OK", body=ANSWER)
        await peer.request("ACK")
        await gateway.expect(Answered)
        ack = peer.raw[-1]
        peer.reply(invite, 200, "OK", body=ANSWER)
        async with asyncio.timeout(PATIENCE_S):
            await peer.more()
        assert peer.raw[-1] == ack


def longer(offer: str, length: int) -> str:
    """The same with so many characters more that mean nothing to us."""
    return offer + "".join(f"a=x:{'x' * 200}\r\n" for _ in range(length // 200))


async def test_a_long_message_is_sent_whole(peer: Peer) -> None:
    async with line_to(peer) as gateway:
        gateway.agent.post(Invite("a1", "peer", "4711", longer(OFFER, 6000)))
        invite = await peer.request("INVITE")
        assert invite.body == longer(OFFER, 6000)
        peer.reply(invite, 486, "Busy Here")


async def test_a_message_that_is_too_long_ends_its_call_and_no_other(peer: Peer) -> None:
    async with line_to(peer) as gateway:
        gateway.agent.post(Invite("a1", "peer", "4711", longer(OFFER, 10_000)))
        assert (await gateway.expect(Ended)).by == "fault"
        gateway.agent.post(Invite("a2", "peer", "4711", OFFER))
        invite = await peer.request("INVITE")
        assert invite.body == OFFER
        peer.reply(invite, 486, "Busy Here")
