import pytest

from bench.bencode import decode, encode


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ("spam", b"4:spam"),
        ("ü", b"2:\xc3\xbc"),
        (-7, b"i-7e"),
        (["a", 1], b"l1:ai1ee"),
        ({"b": [], "a": "x"}, b"d1:a1:x1:blee"),
    ],
)
def test_values_become_bencode_and_back(value: object, data: bytes) -> None:
    assert encode(value) == data
    assert decode(data) == value


@pytest.mark.parametrize("data", [b"", b"i1", b"l1:a", b"4:spam!", b"x"])
def test_what_is_not_bencode_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode(data)


def test_floats_have_no_form() -> None:
    with pytest.raises(TypeError):
        encode(1.5)
