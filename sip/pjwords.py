"""What a dialog says to pjsua2 and hears of it, in our words."""

from __future__ import annotations

import pjsua2 as pj

from sip import siptext
from sip.messages import Headers


def received(event: pj.SipEvent) -> siptext.SipText | None:
    """The message that a pjsip event is about, if it was received."""
    if event.type == pj.PJSIP_EVENT_TSX_STATE and event.body.tsxState.type == pj.PJSIP_EVENT_RX_MSG:
        return siptext.parse(event.body.tsxState.src.rdata.wholeMsg)
    if event.type == pj.PJSIP_EVENT_RX_MSG:
        return siptext.parse(event.body.rxMsg.rdata.wholeMsg)
    return None


def add_headers(option: pj.SipTxOption, headers: Headers) -> None:
    """Put our headers into a message that pjsip builds."""
    for name, value in headers:
        header = pj.SipHeader()
        header.hName = name
        header.hValue = value
        option.headers.append(header)


def call_options() -> pj.CallOpParam:
    """One audio stream as far as pjsip is concerned; our own SDP says what there is."""
    prm = pj.CallOpParam(True)
    prm.opt.audioCount = 1
    prm.opt.videoCount = 0
    prm.opt.textCount = 0
    return prm
