"""The stub of the media core says what the built module has, no more and no less; the gateway knows all it tells."""

import subprocess
import sys
from typing import get_args

from mediacore import types

from gateway import relays


def test_stub_and_module_agree() -> None:
    command = [sys.executable, "-m", "mypy.stubtest", "mediacore._mediacore"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_gateway_knows_every_event_of_the_media_core() -> None:
    kinds = {get_args(get_args(event)[1])[0] for event in get_args(types.Event)}
    assert kinds == relays._WITH_PAYLOAD.keys() | relays._WITHOUT.keys()
