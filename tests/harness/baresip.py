"""baresip as a desk phone: it speaks a WAV file, records what it hears, and is driven over its control socket."""

from __future__ import annotations

import json
import socket
import time
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from tests.harness.patience import PATIENCE_S
from tests.harness.ports import HOST, free_block, free_port
from tests.harness.program import Program
from tests.harness.speech import PHONE_SAYS_S, RATE_HZ, Samples, Speech, read_wav, write_wav

Transport = Literal["udp", "tcp", "tls"]
Encryption = Literal["", "srtp", "srtp-mand"]
"""None, RTP/AVP with SDES keys, or RTP/SAVP."""
CODECS: Final = {"PCMU": "PCMU/8000/1", "PCMA": "PCMA/8000/1", "G722": "G722/16000/1", "opus": "opus/48000/2"}

_CONFIG: Final = """
poll_method epoll
call_max_calls 4
call_local_timeout 60
sip_listen {host}:{port}
sip_certificate {certificate}
sip_cafile {authority}
sip_trans_def {transport}
audio_player aubridge,null
audio_source aufile,{speech}
audio_alert aubridge,alert
audio_level no
ausrc_srate 48000
auplay_srate 48000
ausrc_channels 1
auplay_channels 1
audio_buffer 20-160
rtp_ports {first}-{last}
rtcp_mux no
jitter_buffer_delay 1-5
rtp_stats no
module_path /usr/lib/baresip/modules
module opus.so
module g711.so
module g722.so
module aufile.so
module aubridge.so
module sndfile.so
module srtp.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen {host}:{control}
snd_path {directory}
opus_bitrate 32000
"""


@dataclass(frozen=True, slots=True)
class Credentials:
    """PEM files for TLS: its own certificate with key, and whom it believes."""

    certificate: Path
    authority: Path


class Baresip:
    """One phone on one port (TLS: the port above it)."""

    def __init__(
        self,
        directory: Path,
        speech: Speech,
        *,
        user: str = "baresip",
        port: int | None = None,
        transport: Transport = "udp",
        codec: str = "PCMU",
        tls: Credentials | None = None,
        answers: Literal["auto", "manual"] = "auto",
        encryption: Encryption = "",
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory, self.transport, self.user = directory, transport, user
        self._listen = port if port is not None else free_block(2)[0]
        self._control = free_port()
        # aufile stops at the end of its file.
        write_wav(directory / "speech.wav", speech.repeated(PHONE_SAYS_S), RATE_HZ)
        self._write_config(codec, tls, answers, encryption)
        # No device by the name of "lo", but its address is taken.
        argv = ["baresip", "-4", "-n", HOST, "-f", str(directory), "-v", "-s"]
        self.program = Program("baresip", argv, cwd=directory)
        self.program.wait_for(r"baresip is ready")
        self._socket = socket.create_connection((HOST, self._control), timeout=PATIENCE_S)

    @property
    def port(self) -> int:
        """Where it takes calls: for TLS baresip opens the port above."""
        return self._listen + (1 if self.transport == "tls" else 0)

    def call(self, uri: str) -> None:
        self._command("dial", uri)

    def hold(self, *, resume: bool = False) -> None:
        self._command("resume" if resume else "hold")

    def hang_up(self) -> None:
        self._command("hangup")

    def heard(self) -> tuple[Samples, int]:
        """What its last call let it hear; the recording is complete once the call is over."""
        recordings = sorted(self.directory.glob("*-dec.wav"), key=lambda path: path.stat().st_mtime)
        assert recordings, f"baresip recorded nothing; it said:\n{self.program.log}"
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return read_wav(recordings[-1])
            except (wave.Error, EOFError):  # baresip closes the file a moment after it has heard of the end
                assert time.monotonic() < deadline, f"{recordings[-1].name} is not complete:\n{self.program.log}"
                time.sleep(0.05)

    def stop(self) -> None:
        self._socket.close()
        self.program.stop()

    def _write_config(self, codec: str, tls: Credentials | None, answers: str, encryption: Encryption) -> None:
        rtp = free_block(20)
        config = _CONFIG.format(
            host=HOST,
            port=self._listen,
            transport=self.transport,
            certificate=tls.certificate if tls else "",
            authority=tls.authority if tls else "",
            speech=self.directory / "speech.wav",
            first=rtp[0],
            last=rtp[-1],
            control=self._control,
            directory=self.directory,
        )
        named = [line for line in config.splitlines() if tls or not line.startswith(("sip_certificate", "sip_cafile"))]
        (self.directory / "config").write_text("\n".join(named) + "\n")
        account = f"<sip:{self.user}@{HOST}:{self.port};transport={self.transport}>;regint=0"
        encrypted = f";mediaenc={encryption}" if encryption else ""
        settings = f";answermode={answers};audio_codecs={CODECS[codec]}{encrypted}"
        (self.directory / "accounts").write_text(f"{account}{settings}\n")
        (self.directory / "contacts").write_text("")

    def _command(self, name: str, parameters: str = "") -> dict[str, Any]:
        """One command of ctrl_tcp: JSON in a netstring."""
        text = json.dumps({"command": name, "params": parameters, "token": "t"})
        self._socket.sendall(f"{len(text)}:{text},".encode())
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            message = self._read()
            if message.get("response"):
                assert message.get("ok"), message
                return message
        raise AssertionError(f"baresip did not answer {name}")

    def _read(self) -> dict[str, Any]:
        digits = b""
        while (byte := self._socket.recv(1)) != b":":
            assert byte, "baresip closed its control socket"
            digits += byte
        body = b""
        while len(body) < int(digits) + 1:
            body += self._socket.recv(int(digits) + 1 - len(body))
        message: dict[str, Any] = json.loads(body[:-1])
        return message
