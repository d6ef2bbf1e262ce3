"""mediacore: webtrunk's packet engine, written in Rust."""

from ._mediacore import Leg, Relay, Sound, Tap, transcoded_codecs
from .types import Address, CodecName, DtmfForm, Event, SrtpProfile

__all__ = [
    "Address",
    "CodecName",
    "DtmfForm",
    "Event",
    "Leg",
    "Relay",
    "Sound",
    "SrtpProfile",
    "Tap",
    "transcoded_codecs",
]
