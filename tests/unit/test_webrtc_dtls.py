"""DTLS for real: two endpoints joined in memory, as the media core joins one with a browser."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from call.errors import PeerError, TransportError
from webrtc import dtls
from webrtc.dtls import QUEUE_DATAGRAMS, Certificates, DtlsEndpoint, Fingerprint, SrtpKeys

CERTIFICATES = Certificates()
Filter = Callable[[bytes], list[bytes]]


@dataclass
class Pair:
    """A server and a client; `lose` may drop or double what is on the way."""

    lose: Filter = lambda datagram: [datagram]

    def __post_init__(self) -> None:
        self.server = DtlsEndpoint(CERTIFICATES.current(), "server", lambda data: self._carry(self.client, data))
        self.client = DtlsEndpoint(Certificates().current(), "client", lambda data: self._carry(self.server, data))

        self.server_closed, self.client_closed = closing(self.server), closing(self.client)

    def _carry(self, target: DtlsEndpoint, datagram: bytes) -> None:
        for copy in self.lose(datagram):
            target.receive(copy)

    async def handshake(self) -> tuple[SrtpKeys, SrtpKeys]:
        async with asyncio.timeout(10):
            return await asyncio.gather(
                self.server.handshake((fingerprint(self.client),)), self.client.handshake((fingerprint(self.server),))
            )

    async def close(self) -> None:
        await asyncio.gather(self.server.close(), self.client.close())


def closing(endpoint: DtlsEndpoint) -> asyncio.Event:
    """Set when the association of this endpoint is over."""
    closed = asyncio.Event()

    def close(one: DtlsEndpoint) -> None:
        assert one is endpoint
        assert not closed.is_set(), "it is told once"
        closed.set()

    endpoint.on_closed = close
    return closed


def fingerprint(endpoint: DtlsEndpoint) -> Fingerprint:
    return Fingerprint("sha-256", endpoint.fingerprint_sha256)


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    pair = Pair()
    yield pair
    await pair.close()


async def test_both_ends_agree_on_crosswise_keys_of_the_cheapest_profile(pair: Pair) -> None:
    server, client = await pair.handshake()
    assert server.profile == client.profile == "AEAD_AES_128_GCM"
    assert (server.receive, server.send) == (client.send, client.receive)
    assert server.receive != server.send
    assert {len(server.receive), len(server.send)} == {16 + 12}


@pytest.mark.parametrize(("spoken", "length"), [("AEAD_AES_256_GCM", 32 + 12), ("AES_CM_128_HMAC_SHA1_80", 16 + 14)])
async def test_other_profiles_are_taken_when_the_browser_speaks_only_them(
    pair: Pair, spoken: dtls.SrtpProfile, length: int
) -> None:
    only = [p for p in dtls._PROFILES if dtls._NAMES[p.openssl_profile] == spoken]
    pair.client._transport._srtp_profiles = only
    server, client = await pair.handshake()
    assert server.profile == spoken
    assert server.send == client.receive
    assert len(server.send) == length


async def test_certificate_that_the_sdp_did_not_announce_is_refused(pair: Pair) -> None:
    wrong = Fingerprint("sha-256", ":".join(["00"] * 32))
    client = asyncio.create_task(pair.client.handshake((fingerprint(pair.server),)))
    with pytest.raises(PeerError, match="handshake with the browser failed") as caught:
        async with asyncio.timeout(10):
            await pair.server.handshake((wrong,))
    assert "fingerprint" in caught.value.hint
    client.cancel()
    await asyncio.gather(client, return_exceptions=True)


async def test_certificate_may_be_announced_by_several_hashes(pair: Pair) -> None:
    announced = pair.client._transport.getLocalParameters().fingerprints
    expected = tuple(Fingerprint(p.algorithm, p.value.lower()) for p in announced)
    assert len(expected) > 1
    async with asyncio.timeout(10):
        server, _ = await asyncio.gather(
            pair.server.handshake(expected), pair.client.handshake((fingerprint(pair.server),))
        )
    assert server.profile == "AEAD_AES_128_GCM"


async def test_certificate_need_match_only_one_of_several_that_are_announced(pair: Pair) -> None:
    other = Fingerprint("sha-256", ":".join(["00"] * 32))
    expected = (other, fingerprint(pair.client), Fingerprint("sha-1", "00"))
    async with asyncio.timeout(10):
        await asyncio.gather(pair.server.handshake(expected), pair.client.handshake((fingerprint(pair.server),)))


async def test_weaker_hash_that_matches_is_no_excuse_for_a_stronger_one_that_does_not(pair: Pair) -> None:
    wrong = Fingerprint("SHA-512", ":".join(["00"] * 64))
    client = asyncio.create_task(pair.client.handshake((fingerprint(pair.server),)))
    with pytest.raises(PeerError, match="handshake with the browser failed"):
        async with asyncio.timeout(10):
            await pair.server.handshake((fingerprint(pair.client), wrong))
    client.cancel()
    await asyncio.gather(client, return_exceptions=True)


async def test_doubled_datagrams_do_no_harm() -> None:
    pair = Pair(lose=lambda datagram: [datagram, datagram])
    server, client = await pair.handshake()
    assert server.send == client.receive
    await pair.close()


async def test_garbage_on_the_path_does_no_harm(pair: Pair) -> None:
    for datagram in (b"", b"\x16", b"\x16\xfe\xfd" + b"\x00" * 40, bytes(range(20, 64)) * 8):
        pair.server.receive(datagram)
    server, client = await pair.handshake()
    assert server.send == client.receive


async def test_peers_close_is_noticed(pair: Pair) -> None:
    await pair.handshake()
    async with asyncio.timeout(5):
        await asyncio.gather(pair.server_closed.wait(), pair.client.close())


async def test_our_own_close_ends_the_waiting(pair: Pair) -> None:
    await pair.handshake()
    async with asyncio.timeout(5):
        await asyncio.gather(pair.server_closed.wait(), pair.server.close())
        await pair.server.close()


async def test_call_that_ends_before_the_first_datagram_ends_the_handshake(pair: Pair) -> None:
    waiting = asyncio.create_task(pair.server.handshake((fingerprint(pair.client),)))
    await asyncio.sleep(0)
    await pair.server.close()
    with pytest.raises(TransportError, match="ended before DTLS began"):
        await waiting


async def test_call_that_ended_before_the_handshake_was_asked_for_ends_it_at_once(pair: Pair) -> None:
    await pair.server.close()
    with pytest.raises(TransportError):
        await pair.server.handshake((fingerprint(pair.client),))


async def test_call_that_ends_within_the_handshake_ends_it(pair: Pair) -> None:
    has_begun = asyncio.Event()

    def swallow(_: bytes) -> list[bytes]:
        has_begun.set()
        return []

    pair.lose = swallow
    waiting = asyncio.create_task(pair.client.handshake((fingerprint(pair.server),)))
    async with asyncio.timeout(5):
        await has_begun.wait()
        await pair.client.close()
        with pytest.raises(PeerError):
            await waiting


async def test_browser_that_stops_in_the_middle_is_given_up(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dtls, "HANDSHAKE_TIMEOUT_S", 0.05)
    pair.lose = lambda datagram: []
    pair.server.receive(b"\x16")
    with pytest.raises(TransportError, match="did not finish the DTLS handshake") as caught:
        await pair.server.handshake((fingerprint(pair.client),))
    assert "firewall" in caught.value.hint


async def test_flood_before_the_handshake_is_bounded(pair: Pair) -> None:
    for _ in range(10 * QUEUE_DATAGRAMS):
        pair.server.receive(b"\x16")
    assert pair.server._path is not None
    assert pair.server._path.waiting.qsize() == QUEUE_DATAGRAMS


def test_calls_share_a_certificate_until_it_is_rotated(monkeypatch: pytest.MonkeyPatch) -> None:
    certificates = Certificates()
    first = certificates.current()
    assert certificates.current() is first
    monkeypatch.setattr(certificates, "_made", certificates._made - 2 * dtls.ROTATE_AFTER)
    assert certificates.current() is not first


def test_keys_stay_out_of_logs() -> None:
    words = repr(SrtpKeys("AEAD_AES_128_GCM", b"receive-secret", b"send-secret"))
    assert "secret" not in words


@pytest.fixture(params=["server", "client"])
async def settled(pair: Pair, request: pytest.FixtureRequest) -> tuple[DtlsEndpoint, DtlsEndpoint]:
    """An endpoint that keeps only its closure, and its peer."""
    await pair.handshake()
    ours, peer = (pair.server, pair.client) if request.param == "server" else (pair.client, pair.server)
    ours.settle()
    ours.settle()
    assert ours._transport is None
    return ours, peer


async def test_settled_endpoint_notices_the_peers_close(settled: tuple[DtlsEndpoint, DtlsEndpoint]) -> None:
    ours, peer = settled
    async with asyncio.timeout(5):
        await asyncio.gather(closing(ours).wait(), peer.close())


async def test_settled_endpoint_says_goodbye(settled: tuple[DtlsEndpoint, DtlsEndpoint]) -> None:
    ours, peer = settled
    async with asyncio.timeout(5):
        await asyncio.gather(closing(peer).wait(), ours.close(), closing(ours).wait())
        await ours.close()


async def test_both_ends_settled_still_part(pair: Pair) -> None:
    await pair.handshake()
    pair.server.settle()
    pair.client.settle()
    async with asyncio.timeout(5):
        await asyncio.gather(pair.client_closed.wait(), pair.server.close())


async def test_settled_endpoint_believes_no_forged_end(pair: Pair) -> None:
    said: list[bytes] = []
    pair.lose = lambda datagram: said.append(datagram) or [datagram]  # type: ignore[func-returns-value]
    await pair.handshake()
    pair.server.settle()
    pair.lose = lambda datagram: said.append(datagram) or []  # type: ignore[func-returns-value]
    await pair.client.close()
    true = said[-1]
    plain = b"\x15\xfe\xfd" + b"\x00" * 8 + b"\x00\x02\x01\x00"
    bent = [true[:index] + bytes([true[index] ^ 1]) + true[index + 1 :] for index in range(len(true))]
    for forged in [plain, b"\x15", true[:-1], *bent, *(true[:length] for length in range(len(true)))]:
        pair.server.receive(forged)
    assert not pair.server_closed.is_set()
    pair.server.receive(true)
    assert pair.server_closed.is_set()


async def test_last_flight_is_repeated_for_a_client_that_missed_it(pair: Pair) -> None:
    flights: list[bytes] = []
    pair.lose = lambda datagram: flights.append(datagram) or [datagram]  # type: ignore[func-returns-value]
    await pair.handshake()
    pair.server.settle()
    ours, theirs = flights[-1], flights[-2]
    flights.clear()
    pair.server.receive(theirs)
    assert flights == [ours]


async def test_endpoint_settles_only_after_its_handshake(pair: Pair) -> None:
    pair.server.settle()
    server, client = await pair.handshake()
    assert server.send == client.receive
