"""`call.dtmf`: in which form a trunk gets digits."""

import pytest

from call.dtmf import DtmfForm, DtmfPolicy, choose_form


@pytest.mark.parametrize(
    ("policy", "has_event", "form"),
    [
        ("auto", True, "rfc4733"),
        ("auto", False, "info"),
        ("rfc4733", True, "rfc4733"),
        ("info", True, "info"),
        ("info", False, "info"),
    ],
)
def test_the_form_follows_the_policy_and_the_sdp(policy: DtmfPolicy, has_event: bool, form: DtmfForm) -> None:
    choice = choose_form(policy, has_event=has_event)
    assert (choice.form, choice.is_possible) == (form, True)


def test_telephone_events_that_were_not_negotiated_cannot_be_sent() -> None:
    assert not choose_form("rfc4733", has_event=False).is_possible
