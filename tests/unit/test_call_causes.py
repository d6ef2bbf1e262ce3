import re

import pytest

from call import causes
from call.causes import Cause, Ending, q850_of, trunk_ending

FAULTS = ("dns", "timeout", "transport", "auth", "malformed", "media", "worker")
UNFILLED = re.compile(r"[{}]")


def of_status(status: int, number: str = "+4930123", phrase: str = "", **more: str) -> Ending:
    return trunk_ending(trunk="carrier", number=number, status=status, phrase=phrase, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "cause", "sentence"),
    [
        (486, Cause.BUSY, "+4930123 is busy."),
        (600, Cause.BUSY, "+4930123 is busy everywhere."),
        (603, Cause.REJECTED, "+4930123 declined the call."),
        (404, Cause.NOT_FOUND, "+4930123 does not exist, says trunk carrier (404)."),
        (408, Cause.NO_ANSWER, "+4930123 did not answer."),
        (480, Cause.UNAVAILABLE, "+4930123 cannot be reached at the moment (480)."),
        (487, Cause.CANCELLED, "The call was cancelled before it was answered."),
        (488, Cause.NO_COMMON_MEDIA, "Trunk carrier accepts none of our codecs (488)."),
        (403, Cause.NOT_ALLOWED, "Trunk carrier does not allow calls to +4930123 (403)."),
    ],
)
def test_known_status_has_its_own_sentence(status: int, cause: Cause, sentence: str) -> None:
    ending = of_status(status)
    assert (ending.cause, ending.sip_status, ending.sentence) == (cause, status, sentence)


@pytest.mark.parametrize(
    ("status", "cause", "sentence"),
    [
        (302, Cause.REDIRECTED, "+4930123 has moved (302 Teapot); webtrunk does not follow redirections."),
        (418, Cause.TRUNK_ERROR, "Trunk carrier refused the call to +4930123: 418 Teapot."),
        (502, Cause.TRUNK_ERROR, "Trunk carrier failed: 502 Teapot."),
        (699, Cause.REJECTED, "+4930123 refused the call: 699 Teapot."),
        (799, Cause.TRUNK_ERROR, "Trunk carrier failed: 799 Teapot."),
    ],
)
def test_unknown_status_is_told_by_its_class_with_the_peers_phrase(status: int, cause: Cause, sentence: str) -> None:
    ending = of_status(status, phrase="Teapot")
    assert (ending.cause, ending.sentence) == (cause, sentence)


def test_every_status_gives_a_whole_sentence() -> None:
    for status in range(300, 700):
        ending = of_status(status, phrase="Some Phrase")
        assert ending.sentence.endswith(".")
        assert not UNFILLED.search(ending.sentence + ending.hint)
        assert ending.sip_status == status


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_names_the_trunk_or_the_part_that_failed(fault: str) -> None:
    ending = of_status(503, fault=fault, detail="no such host")
    assert "carrier" in ending.sentence or fault == "worker"
    assert ending.hint or fault == "media"
    assert not UNFILLED.search(ending.sentence + ending.hint)


def test_fault_outranks_the_status_it_amounts_to() -> None:
    ending = of_status(408, fault="timeout")
    assert ending.cause is Cause.TRUNK_UNREACHABLE
    assert ending.sentence == "Trunk carrier does not answer at all."


def test_detail_of_a_fault_is_shown() -> None:
    assert (
        "no address for sip.example.com"
        in of_status(503, fault="dns", detail="no address for sip.example.com").sentence
    )


@pytest.mark.parametrize("status", [401, 407])
def test_refused_password_is_told_as_such(status: int) -> None:
    ending = of_status(status)
    assert ending.cause is Cause.TRUNK_AUTH
    assert "refused the password" in ending.sentence
    assert "trunk.carrier.password" in ending.hint


def test_missing_password_is_told_apart_from_a_wrong_one() -> None:
    ending = of_status(401, fault="auth", detail="The trunk asks for a user name and password, and none is configured.")
    assert ending.sentence == "Trunk carrier asks for a password (401), and none is configured."


def test_unknown_number_is_called_the_far_end() -> None:
    assert of_status(486, number="").sentence == "The far end is busy."


def test_braces_in_what_the_peer_says_are_only_text() -> None:
    assert of_status(418, phrase="{0} {trunk}").sentence.endswith("418 {0} {trunk}.")


def test_peers_own_q850_cause_is_kept() -> None:
    ending = trunk_ending(trunk="t", number="1", status=503, q850=34)
    assert q850_of(ending) == 34


@pytest.mark.parametrize(
    ("ending", "q850"),
    [
        (causes.hung_up("Bob"), 16),
        (causes.cancelled("Bob"), 16),
        (causes.refused("Bob"), 21),
        (causes.not_answered("Bob"), 19),
        (causes.answered_elsewhere(), 26),
        (causes.connection_lost("Gone."), 102),
        (causes.gateway_error(), 127),
        (of_status(486), 17),
    ],
)
def test_cause_becomes_a_q850_number(ending: Ending, q850: int) -> None:
    assert q850_of(ending) == q850


@pytest.mark.parametrize(
    ("ending", "cause", "status", "sentence"),
    [
        (causes.hung_up("Bob"), Cause.HANGUP, 200, "Bob hung up."),
        (causes.cancelled("Bob"), Cause.CANCELLED, 487, "Bob hung up before the call was answered."),
        (causes.refused("Bob"), Cause.REJECTED, 603, "Bob declined the call."),
        (causes.not_answered("Bob"), Cause.NO_ANSWER, 480, "Bob did not answer."),
        (causes.answered_elsewhere(), Cause.ANSWERED_ELSEWHERE, 487, "The call was answered in another window."),
        (causes.connection_lost("Gone."), Cause.CONNECTION_LOST, 408, "Gone."),
        (
            causes.no_common_codec("opus", "ILBC/8000"),
            Cause.NO_COMMON_MEDIA,
            488,
            "The browser speaks Opus and the trunk ILBC, and webtrunk cannot transcode between them.",
        ),
    ],
)
def test_endings_of_our_own_side_say_who(ending: Ending, cause: Cause, status: int, sentence: str) -> None:
    assert (ending.cause, ending.sip_status, ending.sentence) == (cause, status, sentence)


@pytest.mark.parametrize(
    ("fault", "detail", "sentence"),
    [
        ("dns", "The name pbx.example does not resolve.", "the name pbx.example does not resolve."),
        ("transport", "TLS said no.", "TLS said no."),
        ("transport", "", "nobody knows why."),
        ("media", "SDP does not fit our offer.", "SDP does not fit our offer."),
        ("malformed", "not in SIP: no Via", "answered, but not in SIP: no Via."),
    ],
)
def test_a_detail_becomes_part_of_one_sentence(fault: str, detail: str, sentence: str) -> None:
    said = of_status(503, fault=fault, detail=detail).sentence
    assert said.endswith(sentence)
    assert ".." not in said


@pytest.mark.parametrize(
    ("detail", "names"),
    [
        ("The TLS certificate of 192.0.2.1:5061 is not trusted: self-signed", ("sip.tls_ca", "sip.tls_verify")),
        ("SIP is bound to a loopback address, which leads to no other machine.", ("[[network]]", "first")),
        ("Nothing listens there.", ("trunk.carrier.host", "port")),
    ],
)
def test_the_hint_fits_what_failed(detail: str, names: tuple[str, ...]) -> None:
    hint = of_status(503, fault="transport", detail=detail).hint
    assert all(name in hint for name in names)
