"""Debian packages: which are missing, and how to get them as root, by sudo, or in words."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from chores.progress import ChoreFailed, run_logged, step

RUN: Final = ("build-essential", "ca-certificates", "libopus-dev", "libssl-dev", "pkg-config", "uuid-dev")
SYSTEM_PYTHON: Final = ("python3-dev", "python3-venv")
"""Only for Debian's own interpreter: another one brings its headers and venv."""
G729: Final = "libbcg729-dev"
TEST: Final = ("baresip", "chromium", "espeak-ng", G729, "linphone-cli", "sip-tester", "sox")


def provide(profile: str, log: Path, *extra: str) -> bool:
    """Install what is missing for `profile`, and what is wanted beside; whether anything was.

    Raises:
        ChoreFailed: It cannot be installed; says the line to run.
    """
    missing = _missing((*_wanted(profile), *extra))
    if not missing:
        return False
    with step("system packages", f"installing {' '.join(missing)}"):
        _install(missing, log)
    return True


def _wanted(profile: str) -> tuple[str, ...]:
    python = SYSTEM_PYTHON if sys.base_prefix == "/usr" else ()
    return RUN + python + (TEST if profile == "test" else ())


def _missing(wanted: tuple[str, ...]) -> list[str]:
    if shutil.which("dpkg-query") is None:
        raise ChoreFailed(
            "This is not a Debian system, so set-up cannot install packages. webtrunk is built on Debian 12;\n"
            f"elsewhere, provide what these Debian packages hold: {' '.join(wanted)}"
        )
    query = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *wanted]
    listing = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    installed = {line.split()[0] for line in listing.splitlines() if line.endswith(" installed")}
    return [name for name in wanted if name not in installed]


def _install(missing: list[str], log: Path) -> None:
    apt = [*_as_root(missing), "apt-get", "-q", "-o", "DPkg::Lock::Timeout=120"]
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    run_logged([*apt, "update"], log, env=env)
    run_logged([*apt, "install", "-y", "--no-install-recommends", *missing], log, env=env)


def _as_root(missing: list[str]) -> list[str]:
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo"):
        return ["sudo", *([] if sys.stdin.isatty() else ["-n"])]
    raise ChoreFailed(
        "Debian packages are missing, you are not root, and there is no sudo. Ask an administrator to run\n"
        f"    apt-get install {' '.join(missing)}\nand then run the same command again."
    )
