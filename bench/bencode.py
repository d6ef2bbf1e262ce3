"""Bencode, which rtpengine's ng protocol is written in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def encode(value: Any) -> bytes:
    """A str, bytes, int, sequence or mapping as bencode.

    Raises:
        TypeError: Something else.
    """
    match value:
        case str():
            return encode(value.encode())
        case bytes():
            return b"%d:%b" % (len(value), value)
        case int():
            return b"i%de" % value
        case Mapping():
            return b"d%be" % b"".join(encode(key) + encode(value[key]) for key in sorted(value))
        case Sequence():
            return b"l%be" % b"".join(map(encode, value))
        case _:
            raise TypeError(f"bencode has no {type(value).__name__}")


def decode(data: bytes) -> Any:
    """The value that `data` holds; strings come out as str.

    Raises:
        ValueError: It is no bencode, or not all of it.
    """
    value, end = _decode(data, 0)
    if end != len(data):
        raise ValueError(f"{len(data) - end} bytes after the value")
    return value


def _decode(data: bytes, at: int) -> tuple[Any, int]:
    match data[at : at + 1]:
        case b"i":
            end = data.index(b"e", at)
            return int(data[at + 1 : end]), end + 1
        case b"l":
            return _decode_list(data, at + 1)
        case b"d":
            items, end = _decode_list(data, at + 1)
            return dict(zip(items[::2], items[1::2], strict=True)), end
        case _:
            colon = data.index(b":", at)
            end = colon + 1 + int(data[at:colon])
            return data[colon + 1 : end].decode(errors="replace"), end


def _decode_list(data: bytes, at: int) -> tuple[list[Any], int]:
    items = []
    while data[at : at + 1] != b"e":
        if at >= len(data):
            raise ValueError("the list has no end")
        item, at = _decode(data, at)
        items.append(item)
    return items, at + 1
