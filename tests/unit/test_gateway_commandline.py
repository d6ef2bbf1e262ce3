"""The command line: what people read when something is in the way."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.__main__ import main

OPEN = '[auth]\nmode = "open"\n'


@pytest.fixture
def run(tmp_path: Path) -> "Run":
    return Run(tmp_path)


class Run:
    """Runs `webtrunk` commands with a configuration file in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "webtrunk.toml"
        records = f'[records]\nurl = "sqlite:///{directory}/records.sqlite"\n'
        self.file.write_text(OPEN + records)

    def __call__(self, verb: str, *words: str) -> Result:
        return CliRunner().invoke(main, [verb, "-c", str(self.file), *words])

    def add(self, text: str) -> None:
        self.file.write_text(self.file.read_text() + text)


@pytest.mark.parametrize(("verb", "section"), [("check", "listen"), ("check", "sip"), ("run", "listen")])
def test_certificate_that_is_not_pem_is_told_before_anything_starts(run: Run, verb: str, section: str) -> None:
    run.add(f'[{section}]\ntls_cert = "{run.file}"\ntls_key = "{run.file}"\n')
    result = run(verb)
    assert result.exit_code == 1
    assert f"{run.file} cannot be used for TLS" in result.output
    assert f"`{section}.tls_cert`" in result.output


def test_authorities_that_are_not_pem_are_told(run: Run) -> None:
    run.add(f'[sip]\ntls_ca = "{run.file}"\n')
    assert "holds no certificates" in run("check").output
