from dataclasses import asdict, replace
from pathlib import Path

from gateway import callview, configfile
from gateway.callrecord import CallRecord

CALL = CallRecord(
    "ab12cd34ef56",
    "outgoing",
    "alice",
    "echo",
    "demo",
    started_at=1_700_000_000.0,
    answered_at=1_700_000_001.0,
    ended_at=1_700_000_066.0,
    cause="hangup",
    sip_status=200,
    sentence="alice hung up.",
    hint="Nothing to do.",
    codecs="Browser speaks Opus and trunk speaks PCMU, so webtrunk transcodes.",
    media={
        "browser": {"rx_packets": 250, "rx_lost": 3, "rtt_ms": None, "dropped_srtp": 2, "dropped_dtls": 0},
        "trunk": {},
    },
    journal=({"at_ms": 1250, "leg": "callee", "what": "180", "why": "without SDP"},),
)


def test_no_calls_are_said_in_words() -> None:
    assert callview.table([]) == "There are no calls yet."


def test_table_has_a_line_per_call_in_straight_columns() -> None:
    refused = replace(CALL, answered_at=None, remote="+493012345678", sentence="+493012345678 is busy.")
    head, first, second = callview.table([asdict(CALL), asdict(refused)]).splitlines()
    assert head.index("HOW IT ENDED") == first.index("alice hung up.") == second.index("+493012345678 is busy.")
    assert "1:05" in first
    assert "1:05" not in second


def test_page_of_a_call_tells_what_happened() -> None:
    page = callview.page(asdict(CALL))
    assert "Call ab12cd34ef56: outgoing, alice with echo through trunk demo" in page
    assert "lasted   1:05" in page
    assert "alice hung up. (hangup, SIP status 200)" in page
    assert "Nothing to do." in page
    assert "so webtrunk transcodes" in page
    assert "1.250 s  callee  180: without SDP" in page


def test_quality_shows_what_is_known_and_what_was_dropped() -> None:
    lines = [line for line in callview.page(asdict(CALL)).splitlines() if line.startswith("  browser")]
    assert lines == ["  browser  received 250, lost 3, dropped_srtp 2"]


def test_large_figures_are_written_out() -> None:
    stats = {"rx_packets": 12_345, "remote_lost": -8_388_608.0, "rtt_ms": 23.456}
    page = callview.page(asdict(replace(CALL, media={"trunk": stats})))
    assert "  trunk    received 12345, lost at the peer -8388608, round trip ms 23.46" in page


def test_call_that_a_killed_gateway_left_says_since_when_it_was_up_and_what_was_recorded() -> None:
    words = "the gateway was lost; the file can be played"
    cut = {"state": "failed", "file": "/two.ogg.part", "seconds": None, "gaps": [], "why": words}
    lost = asdict(replace(CALL, ended_at=None, cause="gateway-lost", media={"recordings": {"1": cut}}))
    page = callview.page(lost)
    assert "  answered 2023-11-1" in page
    assert "  lasted   unknown" in page
    assert f"  recorded failed, of unknown length; /two.ogg.part; {words}" in page


def test_call_that_was_never_answered_says_so() -> None:
    page = callview.page(asdict(replace(CALL, answered_at=None, sip_status=None, hint="", codecs="", media={})))
    assert "lasted   was not answered" in page
    assert "SIP status -" in page
    assert "hint" not in page
    assert "codecs" not in page


def test_what_strangers_wrote_cannot_command_the_terminal() -> None:
    wild = "\x1b[31mred\x07\r\n\x9b2J\u202e"
    entry = {"at_ms": 1, "leg": "caller", "what": wild, "why": wild}
    call = asdict(replace(CALL, user=wild, remote=wild, sentence=wild, hint=wild, codecs=wild, journal=(entry,)))
    for shown in (callview.table([call]), callview.page(call)):
        assert "red" in shown
        assert all(line.isprintable() for line in shown.split("\n"))
    assert len(callview.table([call]).split("\n")) == 2


def test_names_in_any_script_stay_as_they_are() -> None:
    assert callview.harmless("Zoë 王 “x” …") == "Zoë 王 “x” …"


def test_greeting_of_the_demo_says_what_to_do() -> None:
    from gateway.app import Addresses

    addresses = Addresses("http://127.0.0.1:8080/", "http://127.0.0.1:8081/", "127.0.0.1:5060", "127.0.0.1:8082")
    settings = configfile.load(Path(__file__).parents[2] / "config" / "demo.toml")
    words = callview.greeting(addresses, settings, demo=True)
    assert "Softphone: http://127.0.0.1:8080/" in words
    assert "echo" in words
    assert "http://127.0.0.1:8080/?user=alice or http://127.0.0.1:8080/?user=bob" in words
    assert "Users" not in callview.greeting(addresses, settings, demo=False)
