"""Checks and the whole test run: each tool once, one line per tool, their closing words at the end."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chores.progress import say
from chores.provision import with_cargo

SOURCES: Final = ("call", "sip", "webrtc", "gateway", "demo", "tests", "bench", "scripts", "stubs", "media/python")
CLIPPY: Final = ("--all-targets", "--features", "python", "--", "-D", "warnings")
EVERYTHING: Final = ("--features", "g729")
"""What `make test` adds to the Rust tests; `make check` works without bcg729."""
CALLS: Final = (
    "carriers",
    "limits",
    "login",
    "networks",
    "offers",
    "races",
    "sipp",
    "start",
    "trunk_faults",
    "trunk_floods",
)
"""Tests of the whole gateway, tests/interop/test_gateway_….py, that judge no sound and count no packets."""
PAGES: Final = ("tests/web", "tests/fuzz")
"""The page with a gateway that is none, and readers of foreign input: they judge no sound either."""
SHOWN_LINES: Final = 40
FUZZ_SECONDS: Final = "60"
"""Per target, in the whole test run; `make fuzz` takes longer."""
CLOSING_WORDS: Final = re.compile(
    r"^(=+ .*(passed|failed|error|no tests ran).* =+|test result: .*|# (tests|pass|fail) \d+)$"
)


@dataclass(frozen=True, slots=True)
class Tool:
    """One command of the run."""

    name: str
    command: tuple[str, ...]
    folder: str = "."
    needs: str = "pyproject.toml"
    """Path (or pattern) without which there is nothing to look at."""
    alone: bool = False
    """It needs the machine for itself, and shows how it goes on."""


def _style(root: Path) -> list[Tool]:
    sources = tuple(name for name in SOURCES if (root / name).exists())
    ruff, mypy = (str(root / ".venv/bin" / name) for name in ("ruff", "mypy"))
    return [
        Tool("format", (ruff, "format", "--check", "--quiet", *sources)),
        Tool("lint", (ruff, "check", "--quiet", *sources)),
        Tool("types", (mypy, "--no-error-summary")),
        Tool("script types", (mypy, "--no-error-summary", "scripts/chores"), needs="scripts/chores"),
        Tool("bench types", (mypy, "--no-error-summary", "bench"), needs="bench"),
        Tool("imports", (str(root / ".venv/bin/lint-imports"), "--no-logo"), needs="call"),
        Tool("page types", ("node_modules/.bin/tsc", "-p", "tsconfig.json"), needs="tsconfig.json"),
        Tool("rust format", ("cargo", "fmt", "--check", "--", "-l"), "media", "media/Cargo.toml"),
        Tool("fuzz format", ("cargo", "fmt", "--check"), "media/fuzz", "media/fuzz/Cargo.toml"),
        Tool("bench format", ("cargo", "fmt", "--check"), "bench/loadgen", "bench/loadgen/Cargo.toml"),
        Tool("rust lint", ("cargo", "clippy", "--quiet", *CLIPPY), "media", "media/Cargo.toml"),
    ]


def _tests(root: Path, rust: tuple[str, ...] = ()) -> list[Tool]:
    """Those that need no network, the longest first."""
    page = sorted(str(path.relative_to(root)) for path in (root / "tests/web").glob("*.test.js"))
    return [
        _pytest(root, "unit tests", ["tests/unit", "tests/property"]),
        Tool("rust tests", ("cargo", "test", "--quiet", *rust), "media", "media/Cargo.toml"),
        Tool("page tests", ("node", "--test", "--test-reporter=tap", *page), needs="tests/web/*.test.js"),
    ]


def _pytest(root: Path, name: str, where: Sequence[str], *, alone: bool = False) -> Tool:
    command = (str(root / ".venv/bin/pytest"), "--no-header", "--tb=short", "--color=no", *where)
    return Tool(name, command, needs="tests", alone=alone)


def check(root: Path) -> int:
    """Format, lint, types, import contracts and the tests that need no network; quiet unless something is wrong."""
    return _run(root, [*_tests(root), *_style(root)])


def test(root: Path) -> int:
    """Everything: `check`, and every test with real peers and a real browser.

    Those of SIP and of calls mostly wait, so the page's and those that need no network run beside them, and the fuzz
    targets are compiled. Whoever judges sound, or counts packets, has the machine for itself.
    """
    calls = [f"tests/interop/test_gateway_{name}.py" for name in CALLS]
    sip = sorted(str(path.relative_to(root)) for path in (root / "tests/interop").glob("test_sip_*.py"))
    rest = [str(path.relative_to(root)) for path in sorted((root / "tests").iterdir()) if path.is_dir()]
    rest = [path for path in rest if path not in ("tests/unit", "tests/property", *PAGES)]
    load = Tool("bench tests", ("cargo", "test", "--quiet"), "bench/loadgen", "bench/loadgen/Cargo.toml")
    waiting = [
        _pytest(root, "SIP tests", sip),
        _pytest(root, "call tests", calls),
        _pytest(root, "browser page", PAGES),
    ]
    together = [*waiting, *_tests(root, EVERYTHING), load, _fuzz(root, "fuzz targets", "build"), *_style(root)]
    others = _pytest(root, "other tests", [*rest, *(f"--ignore={path}" for path in (*sip, *calls))], alone=True)
    fuzz = _fuzz(root, "fuzz tests", os.environ.get("FUZZ_SECONDS", FUZZ_SECONDS), alone=True)
    return _run(root, [*together, others, fuzz])


def _fuzz(root: Path, name: str, what: str, *, alone: bool = False) -> Tool:
    command = (str(root / ".venv/bin/python"), "-B", "-m", "chores", "fuzz", what)
    return Tool(name, command, needs="media/fuzz/Cargo.toml", alone=alone)


def _run(root: Path, tools: Sequence[Tool]) -> int:
    """Run one more tool at a time than there are processors, for some wait; then those that need the machine alone."""
    began = time.monotonic()
    env = with_cargo() | {"VIRTUAL_ENV": str(root / ".venv"), "NO_COLOR": "1", "CARGO_TERM_COLOR": "never"}
    present = [tool for tool in tools if any(root.glob(tool.needs))]
    together, alone = ([tool for tool in present if tool.alone == is_alone] for is_alone in (False, True))
    with ThreadPoolExecutor((os.cpu_count() or 1) + 1) as pool:
        ends = list(pool.map(lambda tool: _run_tool(root, tool, env), together))
    ends += [_run_tool(root, tool, env) for tool in alone]
    named = list(zip([*together, *alone], ends, strict=True))
    failed = [tool.name for tool, (status, _) in named if status]
    closing = [f"{tool.name}: {line}" for tool, (_, words) in named for line in words]
    return _conclude(failed, closing, time.monotonic() - began)


def _run_tool(root: Path, tool: Tool, env: dict[str, str]) -> tuple[int, list[str]]:
    """Run one tool; its status and the lines that a test runner closes with."""
    if shutil.which(tool.command[0], path=env["PATH"]) is None and not (root / tool.command[0]).exists():
        say(f"  ✗ {tool.name}: {tool.command[0]} is not installed")
        return 127, []
    began = time.monotonic()
    if tool.alone:
        say(f"--- {tool.name}: {' '.join(Path(word).name for word in tool.command[:2])}")
    process = subprocess.Popen(
        tool.command,
        cwd=root / tool.folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if tool.alone:
            say(lines[-1])
    status = process.wait()
    if status and not tool.alone:
        say(_excerpt(lines, root / ".cache" / "logs" / f"{tool.name.replace(' ', '-')}.txt"))
    say(f"  {'✗' if status else '✓'} {tool.name:<14} {time.monotonic() - began:6.1f} s")
    return status, [line for line in lines if CLOSING_WORDS.match(line) and " 0 passed; 0 failed" not in line]


def _excerpt(lines: list[str], log: Path) -> str:
    """What a tool said, cut in the middle when it is long, with the whole in a file."""
    if len(lines) <= 2 * SHOWN_LINES:
        return "\n".join(lines)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("\n".join(lines) + "\n")
    return "\n".join([*lines[:SHOWN_LINES], f"    … all of it is in {log}", *lines[-SHOWN_LINES:]])


def _conclude(failed: list[str], closing: list[str], took: float) -> int:
    for line in closing:
        say(line)
    if failed:
        say(f"FAILED after {took:.0f} s: {', '.join(failed)}")
        return 1
    say(f"all good after {took:.0f} s")
    return 0
