"""What pjsip says of itself."""

from __future__ import annotations

import logging

import pjsua2 as pj

from sip.flaws import Flaws

log = logging.getLogger("sip.stack")


class PjLog(pj.LogWriter):
    """Takes up pjsip's complaints about packets; passes nothing on that a stranger could fill a disk with."""

    def __init__(self, flaws: Flaws) -> None:
        pj.LogWriter.__init__(self)
        self._flaws = flaws
        self.is_muted = False
        """What fails now is told by an exception."""

    def write(self, entry: pj.LogEntry) -> None:
        """One message, below our log level as a rule."""
        if not self._flaws.note_log(entry.msg) and entry.level <= 1 and not self.is_muted:
            log.info("pjsip: %s", entry.msg.strip().split("\n")[0])
