"""`gateway.trunkdigits`: digits reach the trunk in the form that it takes, once, and what fails is told."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from call.codecs import TelephoneEvent
from call.coupling import Press
from call.dtmf import DtmfPolicy
from call.leg import Failed, Pressed
from call.sdp_attributes import Direction
from call.trunk_sdp import TrunkMedia
from gateway.config import TrunkSettings
from gateway.relays import DigitHeard, Leg
from gateway.trunkdigits import TrunkDigits
from gateway.trunkpace import TrunkPace
from sip.infodigits import NO_ROOM
from sip.messages import DtmfRefused, InfoDtmf, SendDtmf
from tests.unit.recorders import MediaRecorder, ReportRecorder

WITH_EVENTS = TrunkMedia(
    0, "PCMU", 0, (TelephoneEvent(101, 8000),), 20, ("192.0.2.1", 4000), None, False, Direction.SENDRECV
)
WITHOUT = replace(WITH_EVENTS, telephone_events=())


class Bench:
    """Digits of one leg with everything around them."""

    def __init__(self, policy: DtmfPolicy, **extra: bool) -> None:
        self.media = MediaRecorder(1, lambda event: None)
        self.report = ReportRecorder()
        self.posted: list[SendDtmf] = []
        self.now = 0.0
        self.digits = TrunkDigits(
            "L1",
            "carrier",
            TrunkSettings(host="sip.example.com", allow=("*",), dtmf=policy, **extra),
            media=cast(Leg, self.media),
            post=self.posted.append,
            report=self.report.report,
            pace=TrunkPace(self.report.report),
            clock=lambda: self.now,
        )


def test_events_go_through_the_media_core() -> None:
    bench = Bench("auto")
    bench.digits.settle(WITH_EVENTS)
    assert bench.media.last("set_dtmf") == ("rfc4733", False)
    bench.digits.press(Press("12", 90))
    assert bench.media.last("dtmf") == ("12", 90)


def test_what_the_media_core_passes_on_is_not_sent_again() -> None:
    bench = Bench("auto")
    bench.digits.settle(WITH_EVENTS)
    bench.digits.press(Press("5", 90, in_media=True))
    assert bench.media.last("dtmf") is None
    assert bench.posted == []


def test_keys_that_the_media_core_would_drop_are_told_and_none_of_them_is_sent() -> None:
    bench = Bench("auto")
    bench.digits.settle(WITH_EVENTS)
    bench.digits.press(Press("1" * 64))
    bench.digits.press(Press("2"))
    (event,) = bench.report.events
    assert isinstance(event, Failed)
    assert "did not get the keys 2: only 64 can wait" in event.sentence
    assert "Press them again" in event.hint
    assert bench.report.notes[-1][0] == "digits not sent"
    bench.now = 5.0
    bench.digits.press(Press("3" * 20))
    assert bench.media.last("dtmf") == ("3" * 20, 120)
    assert len(bench.report.events) == 1


def test_keys_that_the_media_core_passes_on_wait_in_the_same_queue() -> None:
    bench = Bench("auto")
    bench.digits.settle(WITH_EVENTS)
    bench.digits.press(Press("5", 90, in_media=True))
    bench.digits.press(Press("1" * 64))
    assert bench.media.last("dtmf") is None
    assert len(bench.report.events) == 1


@pytest.mark.parametrize("in_media", [True, False])
def test_info_goes_through_the_worker_wherever_the_digit_came_from(in_media: bool) -> None:
    bench = Bench("info")
    bench.digits.settle(WITH_EVENTS)
    assert bench.media.last("set_dtmf") == ("info", False)
    bench.digits.press(Press("5", 90, in_media=in_media))
    assert bench.posted == [SendDtmf("L1", "5", 90)]
    assert bench.media.last("dtmf") is None


def test_the_form_is_chosen_again_when_the_sdp_changes() -> None:
    bench = Bench("auto")
    bench.digits.settle(WITHOUT)
    bench.digits.settle(WITHOUT)
    bench.digits.settle(WITH_EVENTS)
    assert [what for what, _ in bench.report.notes] == ["DTMF", "DTMF"]
    assert bench.media.last("set_dtmf") == ("rfc4733", False)


@pytest.mark.parametrize("remote", [None, WITHOUT], ids=["too early", "not negotiated"])
def test_digits_that_cannot_be_sent_are_told_with_a_remedy(remote: TrunkMedia | None) -> None:
    bench = Bench("rfc4733")
    if remote:
        bench.digits.settle(remote)
    bench.digits.press(Press("5"))
    (event,) = bench.report.events
    assert isinstance(event, Failed)
    assert "carrier" in event.hint
    assert bench.media.last("dtmf") is None


@pytest.mark.parametrize("status", [501, 0])
def test_an_info_that_is_refused_says_what_to_change(status: int) -> None:
    bench = Bench("info")
    bench.digits.settle(WITH_EVENTS)
    bench.digits.refused(DtmfRefused("L1", "12", status))
    (event,) = bench.report.events
    assert isinstance(event, Failed)
    assert "12" in event.sentence
    assert "trunk.carrier.dtmf" in event.hint


def test_a_trunk_that_refuses_info_gets_tones_for_the_rest_of_the_call() -> None:
    bench = Bench("auto")
    opus = replace(WITHOUT, codec="opus")
    bench.digits.settle(opus)
    bench.digits.press(Press("1"))
    assert bench.posted == [SendDtmf("L1", "1", 120)]
    bench.digits.refused(DtmfRefused("L1", "1", 501))
    assert bench.media.last("set_dtmf") == ("inband", False)
    assert bench.media.last("dtmf") == ("1", 120)
    bench.digits.settle(opus)
    bench.digits.press(Press("2"))
    assert bench.media.last("dtmf") == ("2", 120)
    assert bench.report.events == []


def test_tones_are_listened_for_only_on_request() -> None:
    bench = Bench("inband", detect_inband=True)
    bench.digits.settle(WITH_EVENTS)
    assert bench.media.last("set_dtmf") == ("inband", True)
    bench.digits.heard(DigitHeard("7", 80, "inband"))
    assert bench.report.notes[-1] == ("digit as tones", "7 for 80 ms")


def test_digits_of_the_trunk_go_through_the_media_core_and_are_told_once() -> None:
    bench = Bench("auto")
    bench.digits.by_info(InfoDtmf("L1", "5", 160))
    assert bench.media.last("hear_dtmf") == ("5", 160)
    assert bench.report.events == []
    bench.digits.heard(DigitHeard("5", 160, "info"))
    assert bench.report.events == [Pressed("5", 160, in_media=True)]


def test_a_hook_flash_is_noted_and_goes_nowhere() -> None:
    bench = Bench("auto")
    bench.digits.by_info(InfoDtmf("L1", "", 160))
    assert bench.media.last("hear_dtmf") is None
    assert [what for what, _ in bench.report.notes] == ["hook flash by INFO"]


@pytest.mark.parametrize("policy", ["auto", "info"])
def test_keys_that_find_no_room_behind_unanswered_info_are_told_and_the_form_stays(policy: DtmfPolicy) -> None:
    bench = Bench(policy)
    bench.digits.refused(DtmfRefused("L1", "12", NO_ROOM))
    failed = bench.report.events[-1]
    assert isinstance(failed, Failed)
    assert "did not get the keys 12: 64 can wait" in failed.sentence
    assert bench.media.last("set_dtmf") is None
