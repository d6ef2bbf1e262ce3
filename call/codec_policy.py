"""Which codec each leg of a call speaks, and why (design D7). Functions of values only.

The browser wants its answer at once, while the trunk's codec is known only with its answer: the browser's is chosen
by policy, and what the trunk is offered follows from it. A codec that webtrunk cannot transcode is passed on only when
both sides have it (ADR 0024).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from call.codecs import CodecName, codec_of, is_foreign, spoken
from call.errors import UnacceptableOffer

Preference = Literal["quality", "cpu"] | Sequence[CodecName]
"""A route's wish: the best sound, the least work, or these codecs in this order."""

_FOR_BROWSERS = ("opus", "G722", "PCMU", "PCMA")
"""What we take of a browser whatever the trunk speaks."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A codec for the browser leg, and why that one."""

    codec: CodecName
    reason: str
    """A clause for `codec_sentence`, such as "the route prefers quality"."""


def default_codecs(prefer: Preference) -> tuple[CodecName, ...]:
    """What a trunk is offered when its configuration does not say."""
    return ("G722", "PCMU", "PCMA") if prefer == "quality" else ("PCMU", "PCMA", "G722")


def choose_browser_codec(offered: Sequence[CodecName], trunk_codecs: Sequence[CodecName], prefer: Preference) -> Choice:
    """Choose the one codec of our answer to a browser; `trunk_codecs` are those that the trunk speaks or may answer.

    Raises:
        UnacceptableOffer: The route lists codecs and the browser offers none of them, or neither can be transcoded.
    """
    if all(is_foreign(codec) for codec in trunk_codecs):
        return _passed_on(offered, trunk_codecs)
    usable = [codec for codec in offered if codec in _FOR_BROWSERS or codec in trunk_codecs]
    if not usable:
        raise UnacceptableOffer(
            f"The browser offers no codec that webtrunk speaks with browsers (it offered {spoken(offered)}).",
            hint=f"webtrunk speaks {spoken(_FOR_BROWSERS)} with browsers.",
        )
    match prefer:
        case "quality":
            return _for_quality(usable, trunk_codecs)
        case "cpu":
            return _for_cpu(usable, trunk_codecs)
        case _:
            return _from_list(offered, usable, prefer)


def _passed_on(offered: Sequence[CodecName], trunk_codecs: Sequence[CodecName]) -> Choice:
    shared = _first_of(trunk_codecs, offered)
    if shared is None:
        raise UnacceptableOffer(
            f"The trunk speaks only {spoken(trunk_codecs)}, which webtrunk cannot transcode, and the browser does not "
            f"offer it (it offered {spoken(offered)}).",
            hint="Let the trunk speak PCMU or PCMA.",
        )
    return Choice(shared, "it can only be passed on, and both sides have it")


def _for_quality(usable: Sequence[CodecName], trunk_codecs: Sequence[CodecName]) -> Choice:
    if "opus" in usable:
        return Choice("opus", "the route prefers quality")
    shared = _first_of(sorted(trunk_codecs, key=_sounds_worse), usable)
    if shared:
        return Choice(shared, "the browser offers no Opus, and the trunk may speak the same")
    return Choice(min(usable, key=_sounds_worse), "the browser offers no Opus")


def _for_cpu(usable: Sequence[CodecName], trunk_codecs: Sequence[CodecName]) -> Choice:
    cheap = [codec for codec in trunk_codecs if codec != "opus"]
    shared = _first_of(cheap or trunk_codecs, usable)
    if shared:
        return Choice(shared, "the route prefers the trunk's own codec, to save transcoding")
    return Choice(usable[0], "the browser offers no codec of the trunk")


def _from_list(offered: Sequence[CodecName], usable: Sequence[CodecName], wanted: Sequence[CodecName]) -> Choice:
    chosen = _first_of(wanted, usable)
    if chosen is None:
        raise UnacceptableOffer(
            f"The browser offers none of the codecs that the route allows ({spoken(wanted)}); "
            f"it offered {spoken(offered)}.",
            hint="Allow one of those on the route.",
        )
    return Choice(chosen, "the route lists it")


def serves_any_browser(trunk_codecs: Sequence[CodecName], prefer: Preference) -> bool:
    """Whether a browser that offers what browsers have gets a codec; if not, all its calls end with 488."""
    try:
        choose_browser_codec(_FOR_BROWSERS, trunk_codecs, prefer)
    except UnacceptableOffer:
        return False
    return True


def better_browser_codec(
    now: CodecName, offered: Sequence[CodecName], trunk_codec: CodecName, prefer: Preference
) -> Choice | None:
    """What a browser that speaks `now` had better speak, since the trunk speaks `trunk_codec`; None: what it speaks.

    The route's policy chooses as for a first answer. A change must gain something and lose nothing, so that none is
    followed by another while the trunk speaks the same.
    """
    try:
        choice = choose_browser_codec(offered, (trunk_codec,), prefer)
    except UnacceptableOffer:
        return None
    before, after = (_merits(codec, trunk_codec, prefer) for codec in (now, choice.codec))
    gains = after != before and all(new >= old for new, old in zip(after, before, strict=True))
    return choice if gains else None


def _merits(codec: CodecName, trunk_codec: CodecName, prefer: Preference) -> tuple[bool, ...]:
    """What speaks for a browser's codec beside the trunk's; wideband only where it may cost something."""
    is_wide = prefer != "cpu" and codec_of(codec).is_wide and codec_of(trunk_codec).is_wide
    return can_be_joined(codec, trunk_codec), codec == trunk_codec, is_wide


def can_be_joined(browser_codec: CodecName, trunk_codec: CodecName) -> bool:
    """Whether legs that speak these hear each other: relayed, or transcoded."""
    return browser_codec == trunk_codec or not (is_foreign(browser_codec) or is_foreign(trunk_codec))


def offer_to_trunk(
    browser_codec: CodecName, offered: Sequence[CodecName], trunk_codecs: Sequence[CodecName], prefer: Preference
) -> tuple[CodecName, ...]:
    """What a trunk is offered once the browser's codec is chosen, the preferred one first.

    All that the browser hears, or will once it has changed over to another codec that it `offered`. A list orders them,
    but a relay comes first: what the list names before the browser's codec, the browser has not, and would gain nothing
    by (ADR 0021). What can only be passed on comes last, unless the browser speaks it (ADR 0024).
    """

    def will_be_heard(codec: CodecName) -> bool:
        better = better_browser_codec(browser_codec, offered, codec, prefer)
        return can_be_joined(better.codec if better else browser_codec, codec)

    offer = [codec for codec in trunk_codecs if will_be_heard(codec)]
    if not isinstance(prefer, str):
        offer.sort(key=_place_in(prefer))
    offer.sort(key=is_foreign)
    if prefer != "quality" or is_foreign(browser_codec):
        offer.sort(key=lambda codec: codec != browser_codec)
    return tuple(offer)


def choose_trunk_codec(
    offered: Sequence[CodecName], trunk_codecs: Sequence[CodecName], prefer: Preference
) -> CodecName | None:
    """Choose from a trunk's offer; None when it has nothing of `trunk_codecs`.

    The trunk's order decides (RFC 3264 §6.1), but for what the route wishes. What can only be passed on comes last, and
    first where it leads `trunk_codecs`, for then the browser speaks it.
    """
    common = [codec for codec in offered if codec in trunk_codecs]
    if common and is_foreign(trunk_codecs[0]) and trunk_codecs[0] in common:
        return trunk_codecs[0]
    match prefer:
        case "quality":
            common.sort(key=lambda codec: not codec_of(codec).is_wide)
        case "cpu":
            # Browsers speak no G.729, so it would always be transcoded.
            common.sort(key=lambda codec: codec == "G729")
        case _:
            common.sort(key=_place_in(prefer))
    common.sort(key=is_foreign)
    return next(iter(common), None)


def codec_sentence(
    browser_codec: CodecName, trunk_codec: CodecName, reason: str = "", *, spares_silence: bool = False
) -> str:
    """One sentence for the call's record: who speaks what, whether that costs transcoding, and how silence goes."""
    because = f" ({reason})" if reason else ""
    because += "; silence goes to the trunk as comfort noise" if spares_silence else ""
    browser, trunk = codec_of(browser_codec), codec_of(trunk_codec)
    if browser.name == trunk.name:
        return f"Both speak {browser.spoken}: relayed without transcoding{because}."
    speak = f"Browser speaks {browser.spoken} and trunk speaks {trunk.spoken}"
    if not can_be_joined(browser.name, trunk.name):
        return f"{speak}, and webtrunk cannot transcode between them{because}."
    wide = " and keeps wideband" if browser.is_wide and trunk.is_wide else ""
    return f"{speak}, so webtrunk transcodes{wide}{because}."


def change_sentence(now: CodecName, trunk_codec: CodecName, better: Choice) -> str:
    """One sentence: why a browser that speaks `now` is asked for a new offer."""
    trunk, wanted, former = (codec_of(codec).spoken for codec in (trunk_codec, better.codec, now))
    return f"The trunk speaks {trunk}, so {wanted} is better for the browser than {former} ({better.reason})."


def _sounds_worse(codec: CodecName) -> int:
    """Sorts codecs by their sound, the best first; those of equal sound stay in their order."""
    ranks = ("opus", "G722", "PCMU", "G729")
    return ranks.index("PCMU" if codec not in ranks else codec)


def _place_in(wanted: Sequence[CodecName]) -> Callable[[CodecName], int]:
    """Sorts codecs as a list names them; those that it does not name come last, in their order."""
    return lambda codec: wanted.index(codec) if codec in wanted else len(wanted)


def _first_of(wanted: Sequence[CodecName], offered: Sequence[CodecName]) -> CodecName | None:
    return next((codec for codec in wanted if codec in offered), None)
