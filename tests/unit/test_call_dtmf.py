"""`call.dtmf`: in which form a trunk gets digits."""

import pytest

from call.codecs import CodecName
from call.dtmf import DtmfForm, DtmfPolicy, choose_form


@pytest.mark.parametrize(
    ("policy", "codec", "has_event", "form"),
    [
        ("auto", "PCMU", True, "rfc4733"),
        ("auto", "opus", True, "rfc4733"),
        ("auto", "PCMU", False, "inband"),
        ("auto", "G722", False, "inband"),
        ("auto", "opus", False, "info"),
        ("auto", "G729", False, "info"),
        ("auto", "AMR-WB/16000", False, "info"),
        ("rfc4733", "PCMU", True, "rfc4733"),
        ("info", "PCMU", True, "info"),
        ("info", "opus", False, "info"),
        ("inband", "PCMA", True, "inband"),
        ("inband", "opus", False, "inband"),
    ],
)
def test_the_form_follows_the_policy_and_the_sdp(
    policy: DtmfPolicy, codec: CodecName, has_event: bool, form: DtmfForm
) -> None:
    choice = choose_form(policy, codec, has_event=has_event)
    assert (choice.form, choice.is_possible) == (form, True)


def test_telephone_events_that_were_not_negotiated_cannot_be_sent() -> None:
    assert not choose_form("rfc4733", "PCMU", has_event=False).is_possible


def test_tones_cannot_be_put_into_a_codec_that_is_only_passed_on() -> None:
    choice = choose_form("inband", "AMR-WB/16000", has_event=True)
    assert not choice.is_possible
    assert "AMR-WB" in choice.reason
