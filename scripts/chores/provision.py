"""Set-up: the steps, what each needs, and when it is still current."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from chores import packages
from chores.progress import ChoreFailed, run_logged, say, step, warn
from chores.stamps import Stamps, fingerprint

NEEDED_DISK_BYTES: Final = 2_000_000_000
RUN_LOCKS: Final = ("requirements.lock", "requirements-build.lock")
DEV_LOCKS: Final = ("requirements-dev.lock",)
ABI: Final = f"Python {sys.version_info[0]}.{sys.version_info[1]}"
"""What is built for one patch release of Python serves the next."""
MEDIA_CORE: Final = "media/python/mediacore/_mediacore*.so"
SAYS_G729: Final = "WEBTRUNK_G729"


def run(root: Path, profile: str) -> None:
    """Bring the tree to where `profile` (run, check, test) can work.

    Raises:
        ChoreFailed: A step failed; the message says what it needed.
    """
    began = time.monotonic()
    with _alone(root):
        changed = Provision(root, profile).provide()
    took = time.monotonic() - began
    say(f"set-up done in {took:.0f} s" if changed else f"set-up is current (looked at in {took:.1f} s)")


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Keep two set-ups of one tree from working at the same time."""
    folder = root / ".cache"
    folder.mkdir(exist_ok=True)
    with (folder / "setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("  … another set-up of this tree is at work; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Provision:
    """One run of the set-up."""

    def __init__(self, root: Path, profile: str) -> None:
        """Prepare; nothing is touched yet."""
        self._root = root
        self._profile = profile
        self._venv = root / ".venv"
        self._stamps = Stamps(self._venv / "stamps")
        self._logs = root / ".cache" / "logs"
        self._with_g729 = wants_g729(root / ".cache" / "with-g729") or profile == "test"

    def provide(self) -> bool:
        """Do what is not current; whether anything was done."""
        self._clear_logs()
        self._check_disk()
        self._check_tools()
        extra = (packages.G729,) if self._with_g729 else ()
        changed = packages.provide(self._profile, self._log("packages"), *extra)
        changed |= self._environment()
        changed |= self._side_by_side(self._pjsua2, self._media_core)
        changed |= self._webtrunk()
        if self._profile != "run":
            changed |= self._type_checker()
        return changed

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _clear_logs(self) -> None:
        for log in self._logs.glob("*.log"):
            log.unlink()

    def _check_disk(self) -> None:
        free = shutil.disk_usage(self._root).free
        if not self._venv.exists() and free < NEEDED_DISK_BYTES:
            raise ChoreFailed(
                f"Too little disk: {free / 1e9:.1f} GB free here, set-up needs {NEEDED_DISK_BYTES / 1e9:.0f} GB."
            )

    def _check_tools(self) -> None:
        """Miss what set-up cannot install at once, not after minutes of building."""
        if not self._has_media_core():
            _check_rust(self._root / "media" / "Cargo.toml", with_cargo())
        if self._profile != "run" and shutil.which("npm") is None:
            raise ChoreFailed(
                "npm is missing. Node.js 20 or newer with npm is needed for checks and tests only:\n"
                "install it from nodejs.org or your distribution, then run the same command again."
            )

    def _side_by_side(self, *steps: Callable[[], bool]) -> bool:
        with ThreadPoolExecutor() as pool:
            return any(list(pool.map(_call, steps)))

    def _bring(self, name: str, inputs: str, doing: str, work: Callable[[], None], artefact: str = ".venv") -> bool:
        if self._is_current(name, inputs, artefact):
            return False
        with step(name.removesuffix("-dev"), doing):
            self._stamps.lift(name)
            work()
            self._stamps.leave(name, inputs)
        return True

    def _is_current(self, name: str, inputs: str, artefact: str) -> bool:
        return self._stamps.is_current(name, inputs) and any(self._root.glob(artefact))

    # --- the Python environment -------------------------------------------------------------------------------------

    def _environment(self) -> bool:
        run_inputs, dev_inputs = (self._lock_inputs(locks) for locks in (RUN_LOCKS, DEV_LOCKS))
        if self._stamps.is_current("environment-dev", dev_inputs) and self._has_pip():
            return False  # holds everything that running needs as well
        if self._profile != "run":
            return self._bring("environment-dev", dev_inputs, "Python packages", lambda: self._install(DEV_LOCKS))
        return self._bring("environment", run_inputs, "Python packages", lambda: self._install(RUN_LOCKS))

    def _lock_inputs(self, locks: tuple[str, ...]) -> str:
        return fingerprint([Path(lock) for lock in locks], ABI, str(self._root))

    def _has_pip(self) -> bool:
        return (self._venv / "bin" / "pip").exists()

    def _install(self, locks: tuple[str, ...]) -> None:
        if not self._usable():
            shutil.rmtree(self._venv, ignore_errors=True)
            run_logged([sys.executable, "-m", "venv", self._venv], self._log("environment"))
        wanted = [word for lock in locks for word in ("-r", lock)]
        self._pip("environment", "install", "--require-hashes", *wanted)

    def _usable(self) -> bool:
        """Whether .venv is ours, of this interpreter's version, and has not been moved."""
        try:
            version = subprocess.run(
                [self._venv / "bin" / "pip", "--version"], capture_output=True, text=True, check=True
            ).stdout
        except (OSError, subprocess.CalledProcessError):
            return False
        return f"({ABI.lower()})" in version and str(self._venv) in version

    def _pip(self, log: str, *arguments: str | Path) -> None:
        quiet = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
        verb, *rest = arguments
        run_logged([self._venv / "bin" / "python", "-m", "pip", verb, *quiet, *rest], self._log(log))

    # --- what we build ----------------------------------------------------------------------------------------------

    def _pjsua2(self) -> bool:
        inputs = fingerprint([Path("scripts/build-pjsua2"), Path("sip/native")], ABI)
        return self._bring("pjsua2", inputs, "building pjproject (3 minutes the first time)", self._build_pjsua2)

    def _build_pjsua2(self) -> None:
        python = self._venv / "bin" / "python"
        log = self._log("pjsua2")
        run_logged([python, "scripts/build-pjsua2", "--python", python], log, echo="pjproject:")
        self._pip("pjsua2", "install", "--no-deps", "--no-index", "--force-reinstall", _last_wheel(log))

    def _media_core(self) -> bool:
        if self._has_media_core():
            return False
        inputs = self._media_inputs(with_g729=self._with_g729)
        return self._bring("media core", inputs, "compiling the Rust crate", self._build_media_core, MEDIA_CORE)

    def _has_media_core(self) -> bool:
        """Whether it is current; one with G.729, as the tests need it, serves everybody who did not just refuse it."""
        fitting = {self._with_g729} if os.environ.get(SAYS_G729) == "0" else {self._with_g729, True}
        return any(self._is_current("media core", self._media_inputs(with_g729=each), MEDIA_CORE) for each in fitting)

    def _media_inputs(self, *, with_g729: bool) -> str:
        return fingerprint([Path("media")], ABI, *(["g729"] if with_g729 else []))

    def _build_media_core(self) -> None:
        env = with_cargo() | {"VIRTUAL_ENV": str(self._venv)}
        maturin: list[str | Path] = [self._venv / "bin" / "maturin", "develop", "--release", "--skip-install"]
        if self._with_g729:
            # Naming features here takes the place of those in media/pyproject.toml.
            maturin += ["--features", "python,pyo3/extension-module,g729"]
        run_logged(maturin, self._log("media"), env=env, cwd=self._root / "media")
        self._link("mediacore", self._root / "media" / "python")

    def _link(self, name: str, folder: Path) -> None:
        """Put a folder on the environment's import path."""
        (site,) = (self._venv / "lib").glob("python3*/site-packages")
        (site / f"{name}.pth").write_text(f"{folder}\n")

    def _webtrunk(self) -> bool:
        inputs = fingerprint([Path("pyproject.toml")], str(self._root))
        install = ("install", "--no-deps", "--no-build-isolation", "--no-index", "-e", self._root)
        return self._bring("webtrunk", inputs, "installing the command", lambda: self._pip("webtrunk", *install))

    # --- what only the checks need ----------------------------------------------------------------------------------

    def _type_checker(self) -> bool:
        if not Path("package-lock.json").exists():
            return False
        inputs = fingerprint([Path("package.json"), Path("package-lock.json")])
        return self._bring("type checker", inputs, "npm ci (TypeScript, for checks only)", self._npm_ci, "node_modules")

    def _npm_ci(self) -> None:
        run_logged(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], self._log("npm"))


def _call(work: Callable[[], bool]) -> bool:
    return work()


def _last_wheel(log: Path) -> str:
    wheels = [line for line in log.read_text().splitlines() if line.endswith(".whl")]
    if not wheels:
        raise ChoreFailed(f"scripts/build-pjsua2 named no wheel; see {log}")
    return wheels[-1]


def wants_g729(marker: Path) -> bool:
    """Whether G.729 is built in: WEBTRUNK_G729=1 switches it on, 0 off, and the choice is remembered."""
    said = os.environ.get(SAYS_G729)
    if said is not None and said not in ("0", "1"):
        raise ChoreFailed(f"{SAYS_G729} is 1 (G.729 is built in) or 0 (it is not), and not {said!r}.")
    if said == "1":
        marker.touch()
    elif said == "0":
        marker.unlink(missing_ok=True)
    return marker.exists()


def with_cargo() -> dict[str, str]:
    """Our environment; rustup's folder is added, since it is on PATH only after the next login."""
    env = dict(os.environ)
    if shutil.which("cargo") is None:
        env["PATH"] = f"{Path.home() / '.cargo' / 'bin'}:{env.get('PATH', '')}"
    return env


def _check_rust(manifest: Path, env: dict[str, str]) -> None:
    wanted = tomllib.loads(manifest.read_text())["package"]["rust-version"]
    try:
        version = subprocess.run(["rustc", "--version"], env=env, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise ChoreFailed(
            f"The media core is written in Rust, and there is no Rust toolchain ({wanted} or newer).\n"
            "Debian 12's own is too old. Install rustup as its home page, rustup.rs, says (one line, no root needed;\n"
            "take the default, stable), then run the same command again."
        ) from error
    if _numbers(version) < _numbers(wanted):
        warn(f"    {version.strip()} is older than {wanted}")
        raise ChoreFailed(f"The media core needs Rust {wanted} or newer. Run: rustup update stable")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])
