"""The stub of the media core says what the built module has, no more and no less."""

import subprocess
import sys


def test_stub_and_module_agree() -> None:
    command = [sys.executable, "-m", "mypy.stubtest", "mediacore._mediacore"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
