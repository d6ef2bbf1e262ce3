"""Linphone as a desk phone that speaks G.729: says a WAV file, records what it hears, is driven by its command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from tests.harness.ports import HOST, free_block
from tests.harness.program import Program
from tests.harness.speech import PHONE_SAYS_S, RATE_HZ, Samples, Speech, read_wav, write_wav

_CONFIG: Final = """
[sip]
sip_port={port}
sip_tcp_port=0
sip_tls_port=0
contact=<sip:{user}@{host}:{port}>
guess_hostname=0
auto_net_state_mon=0
bind_address={host}
[rtp]
audio_rtp_port={rtp}
bind_address={host}
[sound]
echocancellation=0
[audio_codec_0]
mime=G729
rate=8000
channels=1
enabled=1
"""
"""Without `auto_net_state_mon=0` it takes a machine that has only a loopback for one without a network."""


class Linphone:
    """One phone on one UDP port that answers every call at once; of audio codecs it is asked for G.729 first."""

    def __init__(self, directory: Path, speech: Speech, *, user: str, port: int) -> None:
        (directory / ".local/share/linphone").mkdir(parents=True)  # it makes no folder for its database
        self._recording = directory / "heard.wav"
        write_wav(directory / "speech.wav", speech.repeated(PHONE_SAYS_S), RATE_HZ)
        config = directory / "linphonerc"
        config.write_text(_CONFIG.format(host=HOST, port=port, user=user, rtp=free_block(2)[0]))
        env = os.environ | {"HOME": str(directory)}
        self.program = Program("linphone", ["linphonec", "-c", config, "-a"], cwd=directory, env=env, listens=True)
        self.program.tell("soundcard use files")
        self.program.tell(f"record {self._recording}")
        self.program.tell(f"play {directory / 'speech.wav'}")
        self.program.wait_for("Using wav files")

    def call(self, uri: str) -> None:
        self.program.tell(f"call {uri}")

    def hang_up(self) -> None:
        self.program.tell("terminate")

    def heard(self) -> tuple[Samples, int]:
        """What its call let it hear, once that is over."""
        self.program.wait_for(r"Call \d+ with .* ended")
        return read_wav(self._recording)

    def stop(self) -> None:
        self.program.stop()
