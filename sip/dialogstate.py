"""What is kept of a dialog outside the process that holds it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OpenInvite:
    """An INVITE of ours without a final response: what a CANCEL must repeat (RFC 3261 §9.1)."""

    uri: str
    branch: str
    cseq: int


@dataclass(frozen=True, slots=True)
class DialogState:
    """What another process must know to end a dialog in our place (RFC 3261 §12)."""

    trunk: str
    call_id: str
    local: str
    """Our From, as it stands in requests that we send."""
    remote: str
    """Their To, with its tag as soon as there is one."""
    target: str
    routes: tuple[str, ...] = ()
    cseq: int = 0
    """The highest number that we used."""
    invite: OpenInvite | None = None
    """None: the call is answered."""

    @property
    def key(self) -> tuple[str, str]:
        """What no other dialog has at the same time: two ends of one call may be ours."""
        return self.call_id, self.local
