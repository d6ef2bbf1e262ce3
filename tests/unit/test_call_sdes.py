import base64
import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from call import sdes
from call.sdes import MAX_MKI_BYTES, SUITES, Crypto, Keys

KEY = bytes(range(30))
KEY_TEXT = base64.b64encode(KEY).decode()
LINE = f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_TEXT}"
FIRST = Crypto(1, "AES_CM_128_HMAC_SHA1_80", KEY)

cryptos = st.sampled_from(list(SUITES)).flatmap(
    lambda suite: st.builds(
        Crypto,
        st.integers(0, 999_999_999),
        st.just(suite),
        st.binary(min_size=SUITES[suite], max_size=SUITES[suite]),
        st.binary(max_size=MAX_MKI_BYTES),
    )
)


def counting() -> Iterator[bytes]:
    return (bytes([number]) * 64 for number in itertools.count(1))


class Random:
    """Bytes that are never the same."""

    def __init__(self) -> None:
        self._source = counting()

    def __call__(self, length: int) -> bytes:
        return next(self._source)[:length]


@given(cryptos)
def test_what_is_printed_is_read(line: Crypto) -> None:
    assert sdes.parse(str(line)) == line


@given(cryptos)
def test_a_key_is_never_in_a_repr(line: Crypto) -> None:
    shown = repr((line, Keys(line, line)))
    assert base64.b64encode(line.key).decode() not in shown
    assert "key=" not in shown


@pytest.mark.parametrize(
    ("extra", "mki"),
    [
        ("", b""),
        ("|2^48", b""),
        ("|1048576", b""),
        ("|1:4", b"\0\0\0\1"),
        ("|2^20|1066:4", b"\0\0\x04\x2a"),
        ("|", b""),
        ("||", b""),
        ("|2^20|", b""),
        ("|2^200|1:1", b"\1"),
        ("|00000000000000001048576", b""),
        ("||1:1", b"\1"),
        (" WSH=64", b""),
        ("|2^31 FEC_ORDER=FEC_SRTP WSH=1024", b""),
        (" -X-VENDOR=1", b""),
    ],
)
def test_lifetime_mki_and_harmless_parameters_are_tolerated(extra: str, mki: bytes) -> None:
    assert sdes.parse(LINE + extra) == Crypto(1, FIRST.suite, KEY, mki)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "1",
        f"x AES_CM_128_HMAC_SHA1_80 inline:{KEY_TEXT}",
        f"1 F8_128_HMAC_SHA1_80 inline:{KEY_TEXT}",
        f"1 AEAD_AES_128_GCM inline:{KEY_TEXT}",
        "1 AES_CM_128_HMAC_SHA1_80 inline:AAAA",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_TEXT[:-1]}",
        f"1 AES_CM_128_HMAC_SHA1_80 ext:{KEY_TEXT}",
        f"{LINE}|0:0",
        f"{LINE}|256:1",
        f"{LINE}|1:129",
        f"{LINE}|1:4|1:4",
        f"{LINE}|1:4;inline:{KEY_TEXT}|2:4",
        f"{LINE};inline:{KEY_TEXT}",
        f"{LINE} KDR=1",
        f"{LINE} UNENCRYPTED_SRTP",
        f"{LINE} UNENCRYPTED_SRTCP",
        f"{LINE} UNAUTHENTICATED_SRTP",
        f"{LINE} SOMETHING=NEW",
    ],
)
def test_lines_that_cannot_be_served_are_passed_over(line: str) -> None:
    assert sdes.parse(line) is None
    assert sdes.read([line, LINE.replace("1 ", "7 ", 1)]) == (Crypto(7, FIRST.suite, KEY),)


def test_padding_case_and_blanks_are_forgiven() -> None:
    key = bytes(range(28))
    text = base64.b64encode(key).decode()
    for written in (text, text.rstrip("=")):
        assert sdes.parse(f" 2  aead_aes_128_gcm \tINLINE:{written} ") == Crypto(2, "AEAD_AES_128_GCM", key)


def test_a_tag_that_comes_twice_counts_once() -> None:
    assert sdes.read([LINE, LINE.replace("_80", "_32")]) == (FIRST,)


def test_the_first_offer_has_every_suite_with_a_key_of_its_own() -> None:
    lines = sdes.offer(None, Random())
    assert [(line.tag, line.suite) for line in lines] == list(enumerate(SUITES, start=1))
    assert len({line.key for line in lines}) == len(SUITES)
    assert [len(line.key) for line in lines] == list(SUITES.values())


@given(cryptos)
def test_a_later_offer_has_the_key_in_use_first_and_unchanged(in_use: Crypto) -> None:
    lines = sdes.offer(in_use, Random())
    assert lines[0] == in_use
    assert {line.suite for line in lines} == set(SUITES)
    assert len({line.tag for line in lines}) == len(lines)


@given(cryptos)
def test_an_answer_has_the_tag_suite_and_mki_form_of_the_offer_and_a_key_of_our_own(theirs: Crypto) -> None:
    keys = sdes.answer(theirs, None, Random())
    assert keys.receive == theirs
    assert (keys.send.tag, keys.send.suite, len(keys.send.mki)) == (theirs.tag, theirs.suite, len(theirs.mki))
    assert keys.send.key != theirs.key
    assert keys.suite == theirs.suite


def test_our_key_stays_while_the_suite_does() -> None:
    random = Random()
    ours = sdes.answer(FIRST, None, random).send
    changed = Crypto(4, FIRST.suite, bytes(30))
    assert sdes.answer(changed, ours, random).send == Crypto(4, ours.suite, ours.key)
    other = Crypto(4, "AES_CM_128_HMAC_SHA1_32", bytes(30))
    assert sdes.answer(other, ours, random).send.key != ours.key


def test_an_answer_must_have_the_tag_and_suite_of_an_offered_line() -> None:
    ours = sdes.offer(None, Random())
    theirs = Crypto(4, "AES_CM_128_HMAC_SHA1_32", KEY)
    assert sdes.agree(ours, [theirs]) == Keys(theirs, ours[3])
    assert sdes.agree(ours, [Crypto(1, "AES_CM_128_HMAC_SHA1_32", KEY)]) is None
    assert sdes.agree(ours, []) is None
