"""What every bench needs first: the load generator built, the speech made; and a place for results."""

from __future__ import annotations

import datetime
import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bench import machine, speech
from bench.speech import Speech

RESULTS: Final = machine.ROOT / "bench" / "results"
CACHE: Final = machine.ROOT / ".cache" / "bench"
CRATE: Final = machine.ROOT / "bench" / "loadgen"
BINARY: Final = CRATE / "target" / "release" / "loadgen"


class Unavailable(Exception):
    """What was asked for cannot be measured here; the message says why."""


def prepare() -> Speech:
    """Build the load generator if its sources changed, make the speech if it is not there.

    Raises:
        FileNotFoundError: Something that must be installed is not.
        subprocess.CalledProcessError: The build failed.
    """
    features = g729_features()
    if not BINARY.exists() or _newest(CRATE / "src", machine.ROOT / "media" / "src") > BINARY.stat().st_mtime:
        print("building the load generator (the first time this takes a minute or two) …", flush=True)
        subprocess.run(["cargo", "build", "--release", "--quiet", "--locked", *features], cwd=CRATE, check=True)
    return speech.prepare(CACHE, _encode if features else None)


def g729_features() -> list[str]:
    """What cargo must be told for G.729: nothing where libbcg729 is not installed."""
    found = shutil.which("pkg-config")
    has_g729 = found is not None and subprocess.run([found, "--exists", "libbcg729"], check=False).returncode == 0
    return ["--features", "g729"] if has_g729 else []


def _encode(codec: str, samples: Path, frames: Path) -> None:
    subprocess.run([str(BINARY), "encode", codec, str(samples), str(frames)], check=True)


def _newest(*directories: Path) -> float:
    return max(file.stat().st_mtime for directory in directories for file in directory.rglob("*.rs"))


def write(kind: str, result: Mapping[str, Any]) -> None:
    """Write a result, with date and machine, to bench/results, and say where."""
    now = datetime.datetime.now(tz=datetime.UTC)
    whole = {"date": now.isoformat(timespec="seconds"), "machine": machine.describe(), **result}
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{now:%Y%m%d-%H%M%S}{f'-{kind}' if kind else ''}.json"
    path.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n")
    print(f"\n  written: {path.relative_to(machine.ROOT)}")
