"""The set-up's own pure parts: when a step is current, and what a failure means."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from chores import provision  # type: ignore[import-not-found]
from chores.diagnosis import explain  # type: ignore[import-not-found]
from chores.progress import ChoreFailed, run_logged  # type: ignore[import-not-found]
from chores.stamps import Stamps, fingerprint  # type: ignore[import-not-found]


def test_a_step_is_current_until_its_inputs_change(tmp_path: Path) -> None:
    stamps = Stamps(tmp_path / "stamps")
    assert not stamps.is_current("media core", "one")
    stamps.leave("media core", "one")
    assert stamps.is_current("media core", "one")
    assert not stamps.is_current("media core", "two")


def test_a_step_that_breaks_off_is_not_current(tmp_path: Path) -> None:
    stamps = Stamps(tmp_path)
    stamps.leave("pjsua2", "one")
    stamps.lift("pjsua2")
    assert not stamps.is_current("pjsua2", "one")


def test_the_fingerprint_sees_content_names_and_facts(tmp_path: Path) -> None:
    source = tmp_path / "lib.rs"
    source.write_text("fn a() {}")
    first = fingerprint([tmp_path], "3.11")
    assert fingerprint([tmp_path], "3.11") == first
    assert fingerprint([tmp_path], "3.12") != first
    source.write_text("fn b() {}")
    assert fingerprint([tmp_path], "3.11") != first
    source.write_text("fn a() {}")
    source.rename(tmp_path / "main.rs")
    assert fingerprint([tmp_path], "3.11") != first


def test_what_a_build_leaves_behind_is_no_input(tmp_path: Path) -> None:
    (tmp_path / "lib.rs").write_text("")
    before = fingerprint([tmp_path])
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "object").write_text("x")
    (tmp_path / "core.so").write_text("x")
    assert fingerprint([tmp_path]) == before


@pytest.mark.parametrize(
    ("output", "word"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("Could not resolve host: deb.debian.org", "network"),
        ("E: Could not get lock /var/lib/dpkg/lock-frontend", "Another program is using apt"),
        ("sudo: a password is required", "as root"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "lock file"),
        ("fatal error: Python.h: No such file or directory", "python3-dev"),
        ("error: package `x` requires rustc 1.99", "rustup update"),
        ("c++: fatal error: Killed signal terminated program cc1plus", "memory"),
    ],
)
def test_a_known_failure_is_explained(output: str, word: str) -> None:
    assert word in explain(f"some lines\n{output}\nmore lines")


def test_an_unknown_failure_gets_no_false_explanation() -> None:
    assert explain("error[E0308]: mismatched types") == ""


def test_a_failing_command_shows_its_last_lines_and_its_log(tmp_path: Path) -> None:
    log = tmp_path / "step.log"
    with pytest.raises(ChoreFailed, match=r"(?s)\| what went wrong.*exit 3.*step\.log"):
        run_logged(["sh", "-c", "echo what went wrong; exit 3"], log)
    assert "what went wrong" in log.read_text()


def test_a_command_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ChoreFailed, match="no-such-tool is not installed"):
        run_logged(["no-such-tool"], tmp_path / "log")


def test_a_core_that_was_built_for_the_tests_serves_a_run_unless_g729_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "media/python/mediacore").mkdir(parents=True)
    (tmp_path / "media/python/mediacore/_mediacore.abi3.so").touch()

    def builds(profile: str, said: str | None) -> bool:
        monkeypatch.delenv("WEBTRUNK_G729", raising=False)
        if said is not None:
            monkeypatch.setenv("WEBTRUNK_G729", said)
        setup = provision.Provision(tmp_path, profile)
        monkeypatch.setattr(setup, "_build_media_core", lambda: None)
        return bool(setup._media_core())

    assert builds("run", None)
    assert builds("test", None), "the tests need G.729"
    assert not builds("run", None)
    assert not builds("test", None)
    assert builds("run", "0")
    assert not builds("check", None)


def test_g729_is_built_in_on_request_and_the_choice_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "with-g729"
    for said, wanted in ((None, False), ("1", True), (None, True), ("0", False), (None, False)):
        if said is None:
            monkeypatch.delenv("WEBTRUNK_G729", raising=False)
        else:
            monkeypatch.setenv("WEBTRUNK_G729", said)
        assert provision.wants_g729(marker) is wanted
    monkeypatch.setenv("WEBTRUNK_G729", "yes")
    with pytest.raises(ChoreFailed, match="is 1"):
        provision.wants_g729(marker)
