"""SIPp as a SIP peer that does exactly what a scenario says; scenarios are written as steps in Python."""

from __future__ import annotations

import asyncio
import itertools
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal
from xml.sax.saxutils import quoteattr

from tests.harness.patience import PATIENCE_S, PAUSE_S, eventually
from tests.harness.ports import HOST, free_port, is_bound
from tests.harness.program import ROOT, Program

MUSIC: Final = ROOT / "demo" / "prompts" / "music.ul"
"""What a scenario can play: 8 kHz µ-law."""
Law = Literal["PCMU", "PCMA"]
LAWS: Final[dict[Law, int]] = {"PCMU": 0, "PCMA": 8}
"""Their payload types."""
REALM: Final = "sipp.example"
_TAG: Final = ";tag=[pid]sipp[call_number]"
_OF_LAST: Final = """[last_Via:]
[last_From:]
[last_To:]{tag}
[last_CSeq:]"""
_OF_INVITE: Final = """Via:[$via]
From:[$remote]
To:[$local]{tag}
CSeq:[$number]"""
_REPLY: Final = """SIP/2.0 {status} {phrase}
{request}
Call-ID: [call_id]
Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
{headers}"""
_REQUEST: Final = """{method} {uri} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK{branch}-[pid]-[call_number]
From: {sender}
To: {receiver}
Call-ID: [call_id]
CSeq: {cseq}
Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70
{headers}"""
_SDP: Final = """v=0
o=sipp 1 {version} IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [rtpstream_audio_port] RTP/AVP {payload_type} 101
a=rtpmap:{payload_type} {codec}/8000
a=rtpmap:101 telephone-event/8000
a={direction}
"""
# The far end of the dialog, for requests that we send within it, and what an answer to its first one repeats.
_KEEP_DIALOG: Final = """<action>
<ereg regexp=".*" search_in="hdr" header="{theirs}:" assign_to="remote"/>
<ereg regexp=".*" search_in="hdr" header="{ours}:" assign_to="local"/>
<ereg regexp="sip:[^>;]*" search_in="hdr" header="Contact:" assign_to="target"/>
<ereg regexp=".*" search_in="hdr" header="Via:" assign_to="via"/>
<ereg regexp=".*" search_in="hdr" header="CSeq:" assign_to="number"/>
</action>"""


def sdp(direction: str = "sendrecv", version: int = 1, codec: Law = "PCMU") -> str:
    """An SDP body: one codec with telephone-event."""
    return _SDP.format(direction=direction, version=version, codec=codec, payload_type=LAWS[codec])


# --- steps of the called side ------------------------------------------------------------------------------------


def expect(method: str, *, extra: str = "") -> str:
    """A request must come; an INVITE's dialog is remembered."""
    keep = _KEEP_DIALOG.format(theirs="From", ours="To") if method == "INVITE" else ""
    return f'<recv request="{method}" {extra}>{keep}</recv>'


def expect_password(user: str, password: str) -> str:
    """An INVITE with the right digest in Authorization must come; another one gets 403."""
    verify = f'<verifyauth assign_to="good" username="{user}" password="{password}"/>'
    keep = _KEEP_DIALOG.format(theirs="From", ours="To").replace("</action>", f"{verify}</action>")
    jump = '<nop hide="true" test="good" next="good"/>'
    refuse = reply(403, "Forbidden") + expect("ACK") + '<nop><action><exec int_cmd="stop_now"/></action></nop>'
    return f'<recv request="INVITE">{keep}</recv>{jump}{refuse}<label id="good"/>'


def expect_proxy_password(user: str) -> str:
    """An INVITE with credentials for the proxy must come; SIPp cannot compute these."""
    pattern = f'username="{user}", realm="{REALM}".* response="[0-9a-f]{{32}}"'
    return expect_header("INVITE", "Proxy-Authorization", pattern)


def expect_header(method: str, name: str, pattern: str) -> str:
    """A request must come that has such a header."""
    check = f'<ereg regexp={quoteattr(pattern)} search_in="hdr" header="{name}:" check_it="true" assign_to="{name}"/>'
    return expect(method).replace("</action>", f"{check}</action>") + f'<Reference variables="{name}"/>'


def reply(
    status: int, phrase: str, *, body: str = "", headers: str = "", to_invite: bool = False, in_dialog: bool = False
) -> str:
    """A response to the last request, or to the INVITE after something else has come in between."""
    request = (_OF_INVITE if to_invite else _OF_LAST).format(tag="" if in_dialog else _TAG)
    return _send(_REPLY.format(status=status, phrase=phrase, request=request, headers=headers), body)


def challenge(status: int) -> str:
    """401 or 407 with a digest challenge (RFC 3261 §22), and its ACK."""
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    header = f'{name}: Digest realm="{REALM}", nonce="47ebe028cda119c35d4877b383027d28da013815", algorithm=MD5'
    return reply(status, "Who are you", headers=header) + expect("ACK")


def bye_of_callee() -> str:
    """The called side hangs up."""
    request = _request("BYE", "[$target]", f"[$local]{_TAG}", "[$remote]", "1 BYE")
    return request + expect_status(200)


def info_of_callee(body: str) -> str:
    """The called side sends DTMF in an INFO (RFC 6086); it must be taken."""
    headers = "Content-Type: application/dtmf-relay"
    request = _request("INFO", "[$target]", f"[$local]{_TAG}", "[$remote]", "1 INFO", body, headers)
    return request + expect_status(200)


def expect_info(pattern: str) -> str:
    """An INFO must come whose body is like this."""
    check = f'<ereg regexp={quoteattr(pattern)} search_in="body" check_it="true" assign_to="info"/>'
    return f'<recv request="INFO"><action>{check}</action></recv><Reference variables="info"/>'


# --- steps of the calling side -----------------------------------------------------------------------------------


def invite(body: str = "", *, headers: str = "") -> str:
    """The first request."""
    return _request("INVITE", _URI, _FROM, f"<{_URI}>", "1 INVITE", body, headers)


def reinvite(body: str, cseq: int) -> str:
    """A new offer within the dialog, its 200 and ACK."""
    request = _request("INVITE", "[$target]", _FROM, "[$remote]", f"{cseq} INVITE", body)
    return request + expect_status(100, optional=True) + expect_status(200) + ack(cseq)


def ack(cseq: int = 1, body: str = "") -> str:
    """ACK of a 200."""
    return _request("ACK", "[$target]", _FROM, "[$remote]", f"{cseq} ACK", body)


def ack_of_refusal() -> str:
    """ACK of a final response from 300 on: same branch as the INVITE (RFC 3261 §17.1.1.3)."""
    return _request("ACK", _URI, _FROM, "", "1 ACK", branch="1-INVITE").replace("To: ", "[last_To:]")


def bye_of_caller(cseq: int = 2) -> str:
    """The calling side hangs up."""
    return _request("BYE", "[$target]", _FROM, "[$remote]", f"{cseq} BYE") + expect_status(200)


def cancel() -> str:
    """The caller gives up: 200 to the CANCEL, 487 to the INVITE."""
    request = _request("CANCEL", _URI, _FROM, f"<{_URI}>", "1 CANCEL", branch="1-INVITE")
    return request + expect_status(200) + expect_status(487) + ack_of_refusal()


def expect_status(status: int, *, optional: bool = False, keep: bool = False) -> str:
    """A response must come."""
    actions = _KEEP_DIALOG.format(theirs="To", ours="From") if keep else ""
    return f'<recv response="{status}" optional="{str(optional).lower()}">{actions}</recv>'


# --- steps of both -----------------------------------------------------------------------------------------------


_CALL_ID_FILE: Final = "call-id"
UNTIL_TOLD: Final = (
    f'<nop><action><exec command="echo [call_id] > {_CALL_ID_FILE}"/></action></nop><recv request="MESSAGE"></recv>'
)
"""Go on when the test says so, by `Sipp.go_on`."""
_WORD: Final = f"""MESSAGE sip:{HOST} SIP/2.0
Via: SIP/2.0/UDP {HOST};branch=z9hG4bK-word-{{serial}}
From: <sip:{HOST}>;tag=1
To: <sip:{HOST}>;tag=2
Call-ID: {{call_id}}
CSeq: {{serial}} MESSAGE
Content-Length: 0

"""
_serial = itertools.count(1)


def pause(seconds: float) -> str:
    return f'<pause milliseconds="{int(seconds * 1000)}"/>'


def play(file: Path = MUSIC, codec: Law = "PCMU") -> str:
    """Play what is encoded in this law over and over from here on."""
    return f'<nop><action><exec rtp_stream="{file},-1,{LAWS[codec]}"/></action></nop>'


_URI: Final = "sip:[service]@[remote_ip]:[remote_port]"
_FROM: Final = f'"Sipp" <sip:sipp@[local_ip]:[local_port]>{_TAG}'


def _request(
    method: str,
    uri: str,
    sender: str,
    receiver: str,
    cseq: str,
    body: str = "",
    headers: str = "",
    branch: str = "",
) -> str:
    """`branch`: what tells its transaction from others; CANCEL and the ACK of a refusal have the INVITE's."""
    words = {"method": method, "uri": uri, "sender": sender, "receiver": receiver, "cseq": cseq, "headers": headers}
    return _send(_REQUEST.format(**words, branch=branch or cseq.replace(" ", "-")), body)


def _send(text: str, body: str = "") -> str:
    head = [line for line in text.splitlines() if line]
    head += ["Content-Type: application/sdp"] if body and "Content-Type:" not in text else []
    return "<send><![CDATA[\n" + "\n".join([*head, "Content-Length: [len]", "", body]) + "\n]]></send>"


def _scenario(name: str, steps: str) -> str:
    """The file; SIPp takes a variable that is set and never read for a mistake, unless it is mentioned here."""
    keep = '<Reference variables="remote,local,target,via,number"/>' if "assign_to" in steps else ""
    return f'<?xml version="1.0"?>\n<scenario name="{name}">\n{steps}\n{keep}\n</scenario>\n'


class Sipp:
    """One run of one scenario, for one call or for several at once."""

    def __init__(
        self,
        directory: Path,
        name: str,
        steps: Sequence[str],
        *,
        port: int | None = None,
        remote: int | None = None,
        user: str = "alice",
        calls: int = 1,
    ) -> None:
        """`remote`: call this port; without it SIPp waits to be called, `calls` times."""
        directory.mkdir(parents=True, exist_ok=True)
        self._call_id_file = directory / _CALL_ID_FILE
        self.port = port if port is not None else free_port()
        self._errors = directory / f"{name}.errors"
        file = directory / f"{name}.xml"
        file.write_text(_scenario(name, "\n".join(steps)))
        argv = ["sipp", "-sf", str(file), "-i", HOST, "-p", str(self.port), "-m", str(calls), "-nostdin", "-s", user]
        argv += ["-timeout", "40", "-timeout_error", "-trace_err", "-error_file", str(self._errors)]
        self.program = Program(f"sipp {name}", [*argv, *([f"{HOST}:{remote}"] if remote else [])], cwd=directory)
        if remote is None:
            self._listens()

    def _listens(self) -> None:
        """Wait until it can be called: a call that comes sooner is told that nothing listens."""
        until = time.monotonic() + PATIENCE_S
        while not is_bound(self.port) and self.program.returncode is None:
            assert time.monotonic() < until, f"{self.program.name} does not listen:\n{self.program.log}"
            time.sleep(PAUSE_S)

    async def go_on(self) -> None:
        """Let its one call pass `UNTIL_TOLD`: to SIPp a message belongs to a call if it has the Call-ID."""
        await eventually(lambda: self._call_id_file.exists() and self._call_id_file.read_text().endswith("\n"))
        word = _WORD.format(serial=next(_serial), call_id=self._call_id_file.read_text().strip())
        self._call_id_file.unlink()  # the next such step makes it again
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth:
            mouth.sendto(word.replace("\n", "\r\n").encode(), (HOST, self.port))

    async def succeeds(self, timeout_s: float = 40.0) -> None:
        """Wait until the scenario is through; everything in it must have happened."""
        status = await asyncio.to_thread(self.program.wait, timeout_s)
        errors = self._errors.read_text() if self._errors.exists() else ""
        assert status == 0, f"{self.program.name} failed ({status}):\n{errors}\n{self.program.log[-3000:]}"

    def stop(self) -> None:
        self.program.stop()
