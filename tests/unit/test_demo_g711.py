import pytest

from demo.g711 import ULAW_SILENCE, ULAW_TO_ALAW, alaw_encode, ulaw_decode, ulaw_encode

NEGATIVE_ZERO = 0x7F


@pytest.mark.parametrize("code", [code for code in range(256) if code != NEGATIVE_ZERO])
def test_every_ulaw_code_survives_decoding_and_encoding(code: int) -> None:
    assert ulaw_encode(ulaw_decode(code)) == code


@pytest.mark.parametrize(
    ("code", "sample"), [(0xFF, 0), (NEGATIVE_ZERO, 0), (0x80, 8031), (0x00, -8031), (0xFE, 2), (0xEF, 33)]
)
def test_ulaw_decodes_to_the_values_of_the_recommendation(code: int, sample: int) -> None:
    assert ulaw_decode(code) == sample


def test_too_loud_a_sample_is_clipped() -> None:
    assert ulaw_encode(20_000) == 0x80
    assert ulaw_encode(-20_000) == 0x00


@pytest.mark.parametrize(("sample", "code"), [(0, 0xD5), (-1, 0x55), (4095, 0xAA), (-4096, 0x2A), (64, 0xF5)])
def test_alaw_encodes_to_the_values_of_the_recommendation(sample: int, code: int) -> None:
    assert alaw_encode(sample) == code


def test_alaw_uses_every_code_and_never_falls_when_the_sample_rises() -> None:
    codes = [alaw_encode(sample) ^ 0x55 for sample in range(4096)]
    assert codes == sorted(codes)
    assert {alaw_encode(sample) for sample in range(-4096, 4096)} == set(range(256))


def test_silence_in_one_law_is_silence_in_the_other() -> None:
    assert bytes([ULAW_SILENCE]).translate(ULAW_TO_ALAW) == b"\xd5"
