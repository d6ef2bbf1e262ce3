"""What the admin listener shows of each trunk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.config import TrunkSettings
from sip.messages import Registered


def describe_trunks(trunks: Mapping[str, TrunkSettings], told: Mapping[str, Registered]) -> dict[str, Any]:
    """Each trunk by its name; `told` is what the trunks said to our registration (RFC 3261 §10)."""
    return {name: {"registration": _registration(trunk.registration, told.get(name))} for name, trunk in trunks.items()}


def _registration(is_wanted: bool, told: Registered | None) -> dict[str, Any]:
    if not is_wanted:
        return {"state": "off"}
    if told is None:
        return {"state": "pending"}
    if told.until:
        return {"state": "registered", "until": told.until}
    sentence = f"The trunk does not register us ({told.status} {told.phrase}): its calls do not come here."
    return {"state": "failed", "status": told.status, "sentence": sentence}
