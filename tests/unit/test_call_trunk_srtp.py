import pytest

from call import sdes
from call.errors import UnacceptableOffer
from call.sdes import Crypto, Policy
from call.sdp import parse
from call.trunk_sdp import read_trunk_answer, read_trunk_offer, trunk_answer, trunk_offer
from call.trunk_srtp import encrypt_answer, encrypt_offer, offered_keys

HEAD = "v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n"
PLAIN = "m=audio 4000 RTP/AVP 0\r\n"
SAVP = "m=audio 4002 RTP/SAVP 0\r\n"
KEY = f"a=crypto:{Crypto(3, 'AES_CM_128_HMAC_SHA1_80', bytes(30))}\r\n"
ALIEN = KEY.replace("_80", "_96")
TWO_KEYS = KEY.replace("\r\n", f";{KEY.split()[-1]}\r\n")
NAKED = KEY.replace("\r\n", " UNENCRYPTED_SRTP\r\n")
OURS = sdes.offer(None, lambda length: bytes(range(length)))


def offer(srtp: Policy) -> str:
    text = trunk_offer(
        address="192.0.2.1", rtp_port=20_000, rtcp_port=20_001, codecs=("PCMU",), session_id=1, version=1
    )
    return encrypt_offer(text, OURS, srtp)


def taken(text: str, srtp: Policy) -> tuple[int, bool]:
    media = read_trunk_offer(HEAD + text, ("PCMU",), srtp)
    return media.index, media.crypto is not None


@pytest.mark.parametrize(
    ("text", "off", "optional", "required"),
    [
        (PLAIN, (0, False), (0, False), None),
        (PLAIN + KEY, (0, False), (0, True), (0, True)),
        (SAVP + KEY, None, (0, True), (0, True)),
        (SAVP.replace("SAVP", "SAVPF") + KEY, None, (0, True), (0, True)),
        (PLAIN + SAVP + KEY, (0, False), (1, True), (1, True)),
        (SAVP + KEY + PLAIN, (1, False), (0, True), (0, True)),
        (SAVP + ALIEN + PLAIN, (1, False), (1, False), None),
        (SAVP + ALIEN, None, None, None),
        (SAVP + NAKED, None, None, None),
        (SAVP + TWO_KEYS, None, None, None),
        (SAVP, None, None, None),
        (PLAIN + ALIEN, (0, False), (0, False), None),
        (SAVP + ALIEN + KEY, None, (0, True), (0, True)),
        (SAVP.replace("RTP", "UDP/TLS/RTP") + PLAIN, (1, False), (1, False), None),
        (SAVP.replace("4002", "0") + KEY + PLAIN, (1, False), (1, False), None),
    ],
)
def test_the_policy_decides_among_twins(
    text: str, off: tuple[int, bool] | None, optional: tuple[int, bool] | None, required: tuple[int, bool] | None
) -> None:
    policies: list[tuple[Policy, tuple[int, bool] | None]] = [
        ("off", off),
        ("optional", optional),
        ("required", required),
    ]
    for srtp, expected in policies:
        if expected is None:
            with pytest.raises(UnacceptableOffer):
                taken(text, srtp)
        else:
            assert taken(text, srtp) == expected, srtp


def test_the_twin_that_is_not_used_is_rejected_and_the_other_has_our_key() -> None:
    text = HEAD + SAVP + KEY + PLAIN
    media = read_trunk_offer(text, ("PCMU",), "optional")
    assert media.crypto
    keys = sdes.answer(media.crypto, None, lambda length: b"\7" * length)
    answer = trunk_answer(text, media, address="192.0.2.1", rtp_port=20_000, rtcp_port=20_001, session_id=1, version=1)
    said = parse(encrypt_answer(answer, media.index, keys.send))
    assert [(one.protocol, one.port, len(one.crypto)) for one in said.media] == [
        ("RTP/SAVP", 20_000, 1),
        ("RTP/AVP", 0, 0),
    ]
    assert said.media[0].crypto == (str(Crypto(3, "AES_CM_128_HMAC_SHA1_80", b"\7" * 30)),)


def test_optional_is_plain_rtp_with_keys_and_required_is_savp() -> None:
    for srtp, protocol in (("optional", "RTP/AVP"), ("required", "RTP/SAVP")):
        text = offer(srtp)  # type: ignore[arg-type]
        assert [(one.protocol, len(one.crypto)) for one in parse(text).media] == [(protocol, len(sdes.SUITES))]
        assert offered_keys(text) == OURS


@pytest.mark.parametrize("section", [PLAIN, SAVP])
def test_an_answer_with_one_of_our_tags_is_encrypted(section: str) -> None:
    for srtp in ("optional", "required"):
        answer = f"{HEAD}{section}{KEY.replace(':3 ', ':1 ')}"
        media = read_trunk_answer(offer(srtp), answer, srtp)  # type: ignore[arg-type]
        assert media.crypto == Crypto(1, "AES_CM_128_HMAC_SHA1_80", bytes(30))


def test_an_answer_without_a_key_is_plain_where_that_is_allowed() -> None:
    assert read_trunk_answer(offer("optional"), HEAD + PLAIN, "optional").crypto is None
    with pytest.raises(UnacceptableOffer, match="without encryption, and for this trunk it is required") as caught:
        read_trunk_answer(offer("required"), HEAD + PLAIN, "required")
    assert "optional" in caught.value.hint


@pytest.mark.parametrize("key", [KEY, ALIEN])
def test_an_answer_with_a_key_that_fits_none_of_ours_is_refused(key: str) -> None:
    for srtp in ("optional", "required"):
        with pytest.raises(UnacceptableOffer, match="without a key that can be used here") as caught:
            read_trunk_answer(offer(srtp), HEAD + PLAIN + key, srtp)  # type: ignore[arg-type]
        assert "AES_CM_128_HMAC_SHA1_80" in caught.value.hint


def test_no_key_is_in_the_words_about_a_broken_line() -> None:
    from call.errors import PeerError

    broken = f"{HEAD}{SAVP}{KEY}".replace("a=crypto", "acrypto")
    with pytest.raises(PeerError) as caught:
        read_trunk_offer(broken, ("PCMU",), "optional")
    assert "AAAA" not in str(caught.value)
