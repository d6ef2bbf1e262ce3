"""Offers and answers of trunks, and ours, as the tests of `call.trunk_sdp` need them."""

from pathlib import Path

import pytest

from call.codecs import CodecName
from call.errors import GatewayError
from call.sdp import SessionDescription, parse
from call.sdp_attributes import Direction
from call.trunk_sdp import TrunkMedia, read_trunk_answer, read_trunk_offer, trunk_answer, trunk_offer

VECTORS = Path(__file__).parents[1] / "vectors" / "sdp"
BOTH: tuple[CodecName, ...] = ("PCMU", "PCMA")


def sample(name: str) -> str:
    return (VECTORS / f"{name}.sdp").read_bytes().decode()


def offer(*codecs: CodecName, direction: Direction = Direction.SENDRECV, rtcp_port: int = 20_001) -> str:
    return trunk_offer(
        address="192.0.2.1",
        rtp_port=20_000,
        rtcp_port=rtcp_port,
        codecs=codecs or BOTH,
        session_id=5,
        version=2,
        direction=direction,
    )


def answer(text: str, media: TrunkMedia, direction: Direction = Direction.SENDRECV) -> SessionDescription:
    return parse(
        trunk_answer(
            text,
            media,
            address="192.0.2.1",
            rtp_port=20_000,
            rtcp_port=20_001,
            session_id=5,
            version=3,
            direction=direction,
        )
    )


def plain(*lines: str, port: int = 4000, formats: str = "0 101") -> str:
    head = ["v=0", "o=- 1 1 IN IP4 192.0.2.9", "s=-", "c=IN IP4 192.0.2.9", "t=0 0"]
    return "\r\n".join([*head, f"m=audio {port} RTP/AVP {formats}", *lines, ""])


def refusal(text: str, offered: str | None = None) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        if offered:
            read_trunk_answer(offered, text)
        else:
            read_trunk_offer(text, BOTH)
    return caught.value
