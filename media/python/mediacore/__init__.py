"""mediacore: webtrunk's packet engine, written in Rust."""

from ._mediacore import Leg, Relay

__all__ = ["Leg", "Relay"]
