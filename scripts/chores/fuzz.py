"""Fuzzing of what strangers send: the targets of media/fuzz (Rust) and the groups of tests/fuzz (Python).

Three times as many run at a time as there are processors, so that all have their minute within CI's half hour.
"""

from __future__ import annotations

import os
import platform
import random
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from chores.progress import run_logged, say, step
from chores.provision import with_cargo

DEFAULT_SECONDS: Final = 600
INSTRUMENTATION: Final = (
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cdebug-assertions",
    "-Ccodegen-units=1",
    "--cfg=fuzzing",
)
"""What `cargo fuzz run --sanitizer none` gives the compiler; why no sanitizer: media/fuzz/README.md."""
LIMITS: Final = ("-max_len=4096", "-timeout=25", "-rss_limit_mb=1024", "-print_final_stats=1")
LAST_WORDS: Final = 30
GROUPS: Final = {
    "sdp": ("test_fuzz_sdp.py",),
    "signalling": ("test_fuzz_signalling.py",),
    "worker_messages": ("test_fuzz_worker_messages.py",),
    "words": ("test_fuzz_sip_text.py", "test_fuzz_people.py", "test_fuzz_config.py"),
}
"""Files of tests/fuzz that share the time of one target."""
ROUND: Final = 300
"""Inputs of each Python test in one round; rounds are repeated, each with another seed, until the time is up."""
TRIPLE: Final = f"{platform.machine()}-unknown-linux-gnu"
"""Named, so that build scripts are built without the instrumentation."""


def run(root: Path, seconds: int) -> int:
    """Fuzz every target for so long, beginning with its corpus; 0 when none failed."""
    home = root / "media" / "fuzz"
    targets = sorted(path.stem for path in (home / "fuzz_targets").glob("*.rs"))
    build(root)
    say(f"  … {len(targets) + len(GROUPS)} targets, {seconds} s each: {' '.join([*targets, *GROUPS])}")
    with ThreadPoolExecutor(3 * (os.cpu_count() or 1)) as pool:
        rust = [pool.submit(_fuzz, home, target, seconds) for target in targets]
        python = [pool.submit(_fuzz_python, root, group, seconds) for group in GROUPS]
        passed = [each.result() for each in (*rust, *python)]
    say(f"# pass {passed.count(True)}\n# fail {passed.count(False)}")
    return 0 if all(passed) else 1


def build(root: Path) -> None:
    """Compile the targets in Rust, unless they are."""
    log = root / ".cache" / "logs" / "fuzz.log"
    log.unlink(missing_ok=True)
    env = with_cargo() | {"RUSTFLAGS": " ".join(INSTRUMENTATION)}
    command = ["cargo", "build", "--locked", "--release", "--bins", "--target", TRIPLE]
    with step("fuzz targets", "compiling with coverage instrumentation"):
        run_logged(command, log, env=env, cwd=root / "media" / "fuzz")


def _fuzz(home: Path, target: str, seconds: int) -> bool:
    """Run one target. What it learns goes to target/, so that a run leaves the tree as it was."""
    learned, artifacts = home / "target" / "corpus" / target, home / "artifacts" / target
    for folder in (learned, artifacts):
        folder.mkdir(parents=True, exist_ok=True)
    program = home / "target" / TRIPLE / "release" / target
    corpora = [str(learned), str(home / "corpus" / target)]
    command = [str(program), *corpora, f"-max_total_time={seconds}", f"-artifact_prefix={artifacts}/", *LIMITS]
    process = subprocess.run(command, cwd=home, capture_output=True, check=False)
    output = process.stderr.decode(errors="replace")
    runs = re.search(r"number_of_executed_units: (\d+)", output)
    say(f"  {'✗' if process.returncode else '✓'} fuzz {target:<16} {int(runs.group(1)) if runs else 0:>10} inputs")
    if process.returncode:
        say(_what_happened(output, program))
    return process.returncode == 0


def _fuzz_python(root: Path, group: str, seconds: int) -> bool:
    """Run the tests of one group in rounds; at least one, and none that begins too late."""
    files = [str(root / "tests" / "fuzz" / name) for name in GROUPS[group]]
    command = [str(root / ".venv" / "bin" / "pytest"), "-q", "--no-header", "--tb=short", "--color=no", *files]
    env = os.environ | {"FUZZ_EXAMPLES": str(ROUND)}
    began, rounds, took = time.monotonic(), 0, 0.0
    while rounds == 0 or time.monotonic() - began + took / 2 < seconds:
        round_began = time.monotonic()
        seed = f"--hypothesis-seed={random.getrandbits(32)}"
        process = subprocess.run([*command, seed], cwd=root, env=env, capture_output=True, check=False)
        if process.returncode:
            say(f"  ✗ fuzz {group:<16} with {seed}\n{process.stdout.decode(errors='replace')}")
            return False
        took = time.monotonic() - round_began
        rounds += 1
    say(f"  ✓ fuzz {group:<16} {rounds * ROUND:>10} inputs a test")
    return True


def _what_happened(output: str, program: Path) -> str:
    """The panic, and how to see it again."""
    lines = [line for line in output.splitlines() if not line.startswith("#")]
    first = next((at for at, line in enumerate(lines) if "panicked at" in line or "ERROR:" in line), 0)
    found = re.search(r"Test unit written to (\S+)", output)
    again = f"\nThe input is kept; to see it again: {program} {found.group(1)}" if found else ""
    return "\n".join(lines[first : first + LAST_WORDS]) + again
