"""Calls and addresses as text for a terminal."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from gateway.callrecord import LIVE

if TYPE_CHECKING:
    from gateway.app import Addresses
    from gateway.config import Config

_TITLES: Final[tuple[str, ...]] = ("ID", "WHEN", "DIRECTION", "USER", "REMOTE", "TRUNK", "LASTED", "HOW IT ENDED")
RECORDINGS: Final = "recordings"
TEE: Final = "tee"
_SHOWN_STATS: Final = (
    ("rx_packets", "received"),
    ("rx_lost", "lost"),
    ("rx_jitter_ms", "jitter ms"),
    ("rx_level_dbov", "level dBov"),
    ("rx_mos", "MOS heard"),
    ("tx_packets", "sent"),
    ("remote_lost", "lost at the peer"),
    ("rtt_ms", "round trip ms"),
    ("tx_mos", "MOS at the peer"),
)


def greeting(addresses: Addresses, settings: Config, *, demo: bool) -> str:
    """What a person who started the gateway should read."""
    lines = [
        "",
        f"  webtrunk is ready.  Softphone: {addresses.page}",
        f"  SIP: {addresses.sip_udp}   browser media: UDP {addresses.browser_media}   API: {addresses.admin}",
    ]
    if demo:
        users = " or ".join(f"{addresses.page}?user={user}" for user in settings.user)
        lines += [f"  Demo phone: call {', '.join(settings.trunk['demo'].allow)}.", f"  Users: {users}"]
    return "\n".join([*lines, "  Stop with Ctrl-C.", ""])


def table(calls: Sequence[Mapping[str, Any]]) -> str:
    """Calls, one a line."""
    if not calls:
        return "There are no calls yet."
    rows = [_TITLES, *(tuple(map(harmless, _row(call))) for call in calls)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = ((cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join("  ".join(cells).rstrip() for cells in padded)


def _row(call: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        call["id"],
        _when(call["started_at"]),
        call["direction"],
        call["user"],
        call["remote"],
        call["trunk"],
        _lasted(call),
        call["sentence"],
    )


def page(call: Mapping[str, Any]) -> str:
    """One call in full."""
    lines = [
        f"Call {call['id']}: {call['direction']}, {call['user']} with {call['remote']} through trunk {call['trunk']}",
        f"  began    {_when(call['started_at'])}",
        *([f"  answered {_when(call['answered_at'])}"] if call["answered_at"] else []),
        f"  lasted   {_lasted(call) or 'was not answered'}",
        f"  ended    {call['sentence']} ({call['cause']}, SIP status {call['sip_status'] or '-'})",
    ]
    lines += [f"  hint     {call['hint']}"] if call["hint"] else []
    lines += [f"  codecs   {call['codecs']}"] if call["codecs"] else []
    lines += [f"  media    {words}"] if (words := encryption(call["media"])) else []
    lines += [_quality(leg, stats) for leg, stats in call["media"].items() if stats and leg not in (RECORDINGS, TEE)]
    lines += [f"  recorded {recording(each)}" for each in call["media"].get(RECORDINGS, {}).values()]
    lines += [f"  tee      {_tee(tee)}"] if (tee := call["media"].get(TEE)) else []
    lines += ["", "  Journal:"] + [_entry(entry) for entry in call["journal"]]
    return "\n".join(map(harmless, lines))


def encryption(media: Mapping[str, Mapping[str, Any]]) -> str:
    """How the packets of each leg are protected, in words."""
    keys = {"browser": "DTLS", "trunk": "SDP"}
    known = [(leg, stats.get("srtp")) for leg, stats in media.items() if stats and "srtp" in stats]
    words = [f"{leg}: {f'SRTP with {srtp}, keys by {keys[leg]}' if srtp else 'not encrypted'}" for leg, srtp in known]
    return "; ".join(words)


def recording(status: Mapping[str, Any]) -> str:
    """One recording of a call."""
    gaps = [f"{gap['from_s']:.1f} to {gap['to_s']:.1f} s {gap['why']}" for gap in status["gaps"]]
    length = "of unknown length" if status["seconds"] is None else f"{status['seconds']:.1f} s"
    words = [f"{status['state']}, {length}", status["file"], status["why"], *gaps]
    return harmless("; ".join(word for word in words if word))


def _tee(status: Mapping[str, Any]) -> str:
    sent_s, lost_s = (status[key] / 1000 for key in ("sent_ms", "lost_ms"))
    return f"{status['state']}, {sent_s:.1f} s sent, {lost_s:.1f} s lost, connections: {status['connections']}"


def harmless(text: str) -> str:
    """One line in which nothing commands the terminal: a stranger may have chosen the words."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _quality(leg: str, stats: Mapping[str, Any]) -> str:
    shown = [f"{words} {_figure(stats[key])}" for key, words in _SHOWN_STATS if stats.get(key) is not None]
    dropped = [f"{key} {value}" for key, value in stats.items() if key.startswith("dropped_") and value]
    return f"  {leg:<8} " + ", ".join(shown + dropped)


def _figure(number: float) -> str:
    """Four digits, but whole ones always: nobody counts packets in powers of ten."""
    return f"{number:.0f}" if abs(number) >= 1000 else f"{number:.4g}"


def _entry(entry: Mapping[str, Any]) -> str:
    why = f": {entry['why']}" if entry["why"] else ""
    return f"  {entry['at_ms'] / 1000:9.3f} s  {entry['leg']:<7} {entry['what']}{why}"


def _when(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def _lasted(call: Mapping[str, Any]) -> str:
    if not call["answered_at"]:
        return ""
    if call["cause"] != LIVE and call["ended_at"] is None:
        return "unknown"
    seconds = round((call["ended_at"] or time.time()) - call["answered_at"])
    return f"{seconds // 60}:{seconds % 60:02}"
