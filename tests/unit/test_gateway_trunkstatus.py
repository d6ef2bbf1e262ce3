"""What the admin listener shows of each trunk."""

from typing import Any

import pytest

from gateway.config import TrunkSettings
from gateway.trunkstatus import describe_trunks
from sip.messages import Registered

REFUSED = "The trunk does not register us (403 Not here): its calls do not come here."


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ({}, {"state": "pending"}),
        ({"acme": Registered("acme", 200, "OK", 1_300.0)}, {"state": "registered", "until": 1_300.0}),
        (
            {"acme": Registered("acme", 403, "Not here", 0.0)},
            {"state": "failed", "status": 403, "sentence": REFUSED},
        ),
    ],
)
def test_a_registration_is_shown_as_the_trunk_answered_it(told: dict[str, Registered], shown: dict[str, Any]) -> None:
    trunk = TrunkSettings(host="sip.acme.example", allow=("+49",), user="4930", password="secret", registration=True)
    assert describe_trunks({"acme": trunk}, told) == {"acme": {"registration": shown}}


def test_a_registration_that_is_not_asked_for_is_off() -> None:
    trunk = TrunkSettings(host="sip.acme.example", allow=("+49",))
    assert describe_trunks({"acme": trunk}, {}) == {"acme": {"registration": {"state": "off"}}}
