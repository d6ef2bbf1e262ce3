"""The command line: what people read when something is in the way."""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from gateway import soundfiles
from gateway.__main__ import DEMO_CONFIG, main
from gateway.callrecord import LIVE, CallRecord
from gateway.config import Config
from gateway.records import Archive, Records
from gateway.sounds import SHIPPED_MUSIC, Sounds
from tests.unit.servers import stranger
from tests.unit.test_gateway_soundfiles import write_wav

PAST = CallRecord("ab12", "outgoing", "alice", "echo", "demo", 1_000.0, ended_at=1_001.0, cause="busy")
OPEN = '[auth]\nmode = "open"\n'


@pytest.fixture
def run(tmp_path: Path) -> "Run":
    return Run(tmp_path)


class Run:
    """Runs `webtrunk` commands with a configuration file in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "webtrunk.toml"
        self.url = f"sqlite:///{directory}/records.sqlite"
        self.file.write_text(f'{OPEN}[records]\nurl = "{self.url}"\n')

    def __call__(self, verb: str, *words: str) -> Result:
        return CliRunner().invoke(main, [verb, "-c", str(self.file), *words])

    def keep(self, record: CallRecord) -> None:
        with contextlib.closing(Records(self.url)) as records:
            records.save(record)

    def add(self, text: str) -> None:
        self.file.write_text(self.file.read_text() + text)


@pytest.mark.parametrize(("verb", "section"), [("check", "listen"), ("check", "sip"), ("run", "listen")])
def test_certificate_that_is_not_pem_is_told_before_anything_starts(run: Run, verb: str, section: str) -> None:
    run.add(f'[{section}]\ntls_cert = "{run.file}"\ntls_key = "{run.file}"\n')
    result = run(verb)
    assert result.exit_code == 1
    assert f"{run.file} cannot be used for TLS" in result.output
    assert f"`{section}.tls_cert`" in result.output


def test_file_that_was_used_is_named(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert f"Configuration: {run.file}\n" in run("check").output
    monkeypatch.chdir(tmp_path)
    assert "Configuration: webtrunk.toml\n" in CliRunner().invoke(main, ["check"]).output


@pytest.mark.parametrize("verb", ["check", "run"])
def test_demo_configuration_that_nobody_asked_for_is_announced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, verb: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("gateway.__main__._run", lambda *_, **__: None)
    result = CliRunner().invoke(main, [verb])
    assert result.exit_code == 0
    assert "There is no webtrunk.toml" in result.output
    assert str(DEMO_CONFIG) in result.output
    assert "`webtrunk demo`" in result.output


def test_authorities_that_are_not_pem_are_told(run: Run) -> None:
    run.add(f'[sip]\ntls_ca = "{run.file}"\n')
    assert "holds no certificates" in run("check").output


@pytest.mark.parametrize("verb", ["check", "run", "demo"])
def test_everything_that_a_start_would_stumble_over_is_told_at_once_with_its_line(run: Run, verb: str) -> None:
    text = f"""{OPEN}[listen]
tls_cert = "FILE"
tls_key = "FILE"
[sip]
tls_cert = "FILE"
tls_key = "FILE"
tls_ca = "FILE"
[media]
music = "FILE"
[trunk.t]
host = "127.0.0.1"
allow = ["*"]
ringback = "FILE"
[recording]
mode = "all"
folder = "FILE"
consent_tone = "FILE"
[tee]
url = "wss://127.0.0.1:1/"
tls_ca = "FILE"
"""
    run.file.write_text(text.replace("FILE", str(run.file)))
    result = run(verb)
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert [line.removeprefix(f"{run.file}:").split(": ")[:2] for line in lines] == [
        ["4", "listen.tls_cert"],
        ["7", "sip.tls_cert"],
        ["9", "sip.tls_ca"],
        ["11", "media.music"],
        ["15", "trunk.t.ringback"],
        ["18", "recording.folder"],
        ["19", "recording.consent_tone"],
        ["22", "tee.tls_ca"],
    ]
    words = f"The folder {run.file} cannot be written: File exists. Name a folder that the gateway may write into."
    assert lines[5] == f"{run.file}:18: recording.folder: {words}"


def test_sounds_may_be_files_countries_or_silence(run: Run) -> None:
    trunk = '[trunk.{}]\nhost = "127.0.0.1"\nallow = ["*"]\nringback = "{}"\n'
    run.add(trunk.format("a", "DE") + trunk.format("b", SHIPPED_MUSIC) + trunk.format("c", ""))
    run.add(f'[media]\nmusic = "silence"\n[recording]\nconsent_tone = "{SHIPPED_MUSIC}"\n')
    result = run("check")
    assert result.exit_code == 0, result.output
    assert "The configuration is good." in result.output


def test_sound_too_short_to_play_is_no_good_configuration(run: Run, tmp_path: Path) -> None:
    (tmp_path / "odd.ul").write_bytes(b"\x80")
    run.add(f'[media]\nmusic = "{tmp_path}/odd.ul"\n')
    result = run("check")
    assert result.exit_code == 1
    assert "media.music: The sound " in result.output
    assert "odd.ul is shorter than a millisecond." in result.output


def test_start_decodes_each_sound_once(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    music, ringback, tone = (str(write_wav(tmp_path / name, seconds=0.5)) for name in ("a.wav", "b.wav", "c.wav"))
    run.add(f'[trunk.t]\nhost = "127.0.0.1"\nallow = ["*"]\nringback = "{ringback}"\n')
    run.add(f'[media]\nmusic = "{music}"\n[recording]\nmode = "all"\nfolder = "{tmp_path}"\nconsent_tone = "{tone}"\n')
    decoded: list[str] = []
    read = soundfiles.read
    monkeypatch.setattr(soundfiles, "read", lambda path, clock: decoded.append(str(path)) or read(path, clock))

    async def load(config: Config, sounds: Sounds) -> None:
        await sounds.load(config.media.music, {"t": config.trunk["t"].ringback})
        await sounds.get(tone)

    monkeypatch.setattr("gateway.__main__._run", lambda config, sounds, **_: asyncio.run(load(config, sounds)))
    assert run("run").exit_code == 0
    assert sorted(decoded) == [music, ringback, tone]


def test_check_leaves_no_folder_behind_for_whoever_runs_the_gateway(run: Run) -> None:
    folder = run.file.parent / "new" / "recordings"
    run.add(f'[recording]\nmode = "all"\nfolder = "{folder}"\n')
    assert run("check").exit_code == 0
    assert not folder.parent.exists()
    folder.mkdir(parents=True)
    assert run("check").exit_code == 0
    assert folder.exists()


def test_folder_that_nobody_can_make_is_no_good_configuration(run: Run) -> None:
    run.add('[recording]\nmode = "all"\nfolder = "/proc/nope"\n')
    result = run("check")
    assert result.exit_code == 1
    assert "recording.folder: The folder /proc/nope cannot be written: No such file or directory." in result.output


def test_relative_folder_is_told_as_the_one_in_the_working_directory(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    run.add('[recording]\nmode = "all"\nfolder = "recordings"\n')
    assert f"recordings: all, ogg, in {tmp_path}/elsewhere/recordings\n" in run("check").output


@pytest.mark.parametrize(
    ("least_mb", "words"),
    [
        (50, ""),
        (200, "recording.min_free_mb (200) is more than are free on its disk, 100 MB: nothing will be recorded."),
        (3000, "recording.min_free_mb (3000) is more than its disk has, 1000 MB: nothing will be recorded."),
    ],
)
def test_disk_without_room_for_any_recording_is_remarked(
    run: Run, monkeypatch: pytest.MonkeyPatch, least_mb: int, words: str
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(total=1000 * 2**20, free=100 * 2**20))
    run.add(f'[recording]\nmode = "all"\nfolder = "{run.file.parent}/new"\nmin_free_mb = {least_mb}\n')
    result = run("check")
    assert result.exit_code == 0
    assert words in result.output
    assert ("min_free_mb" in result.output) is bool(words)


@pytest.mark.parametrize("verb", ["check", "run"])
def test_address_of_another_machine_is_told_with_its_line(run: Run, verb: str) -> None:
    run.add('[listen]\nhost = "192.0.2.1"\norigins = ["https://a"]\n[[network]]\nbind = "127.0.0.1"\n')
    run.add('[[network]]\nbind = "2001:db8::1"\n')
    run.file.write_text(run.file.read_text().replace(OPEN, f'[auth]\nkey = "{"k" * 32}"\n'))
    result = run(verb)
    assert result.exit_code == 1
    listener, network = result.output.splitlines()
    assert listener.startswith(f"{run.file}:6: listen.host: 192.0.2.1 is not an address of this machine. Name one")
    assert network.startswith(f"{run.file}:11: network.1.bind: 2001:db8::1 is not an address of this machine. Name")


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        ('[recording]\nmode = "all"\n', "recordings: all, ogg, in "),
        (
            '[trunk.b]\nhost = "127.0.0.1"\nallow = []\nrecording = "all"\n[recording]\n',
            "off (but trunk b: all), ogg, in",
        ),
        (
            '[trunk.b]\nhost = "127.0.0.1"\nallow = []\nrecording = "off"\n'
            '[user.alice]\nrecording = "on-demand"\n[recording]\nmode = "all"\n',
            "recordings: all (but user alice: on-demand, trunk b: off), ogg, in ",
        ),
    ],
)
def test_check_says_who_is_recorded(run: Run, tables: str, told: str) -> None:
    run.add(f'{tables}folder = "{run.file.parent}"\n')
    assert told in run("check").output


@pytest.mark.parametrize(
    "words",
    [b"HTTP/1.0 200 OK\r\n\r\n<html>", b"HTTP/1.0 404 No\r\n\r\nno", b"HTTP/1.0 200 OK\r\n\r\n{}", b"SSH-2.0-x\r\n"],
)
def test_another_program_on_the_admin_port_hides_no_kept_call(run: Run, words: bytes) -> None:
    run.keep(PAST)
    with stranger(words) as port:
        run.add(f"[admin]\nport = {port}\n")
        results = run("calls"), run("call", "ab")
    for result in results:
        assert result.exit_code == 0, result.output
        assert "`admin.port`) is not this gateway" in result.output
        assert "ab12" in result.output


def test_kept_calls_are_shown_when_no_gateway_runs(run: Run) -> None:
    run.keep(PAST)
    run.add("[admin]\nport = 1\n")
    result = run("calls")
    assert "The gateway is not running" in result.output
    assert "ab12" in result.output


@pytest.mark.parametrize("call_id", ["é", "٣", "../status", ""])
def test_what_is_no_id_is_told(run: Run, call_id: str) -> None:
    result = run("call", call_id)
    assert result.exit_code == 1
    assert "letters and digits" in result.output


@pytest.mark.parametrize("verb", ["calls", "run"])
def test_state_folder_that_cannot_be_made_is_told(run: Run, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    run.file.write_text(f"{OPEN}[listen]\nport = 0\n[admin]\nport = {1 if verb == 'calls' else 0}\n")
    monkeypatch.setenv("XDG_STATE_HOME", os.fspath(run.file))
    result = run(verb)
    assert result.exit_code == 1
    assert "cannot be made: Not a directory" in result.output
    assert "XDG_STATE_HOME" in result.output


def test_records_that_cannot_be_read_are_told(run: Run) -> None:
    (run.file.parent / "records.sqlite").write_text("this is no database" * 100)
    run.add("[admin]\nport = 1\n")
    result = run("calls")
    assert result.exit_code == 1
    assert "call records cannot be opened: file is not a database" in result.output


def spoil_by_a_folder(database: Path) -> str:
    database.mkdir()
    return f"{database} is a folder. Check `records.url`."


def spoil_by_no_folder(database: Path) -> str:
    database.parent.rmdir()
    return f"the folder {database.parent} cannot be written: No such file or directory."


def spoil_by_a_file_in_place_of_the_folder(database: Path) -> str:
    database.parent.rmdir()
    database.parent.touch()
    return f"the folder {database.parent} cannot be written: Not a directory."


def spoil_by_text(database: Path) -> str:
    database.write_text("this is no database" * 100)
    return f"{database}: file is not a database."


def spoil_by_the_gateways_own_file(database: Path) -> str:
    Path(f"{database}.gateways").mkdir()
    return f"{database}.gateways cannot be written: Is a directory."


def spoil_by_an_older_table(database: Path) -> str:
    with contextlib.closing(sqlite3.connect(database)) as other:
        other.execute("CREATE TABLE calls (id TEXT PRIMARY KEY)")
    return "their table was made by another version of webtrunk, and has no column answered_at. Name another database"


def spoil_by_a_newer_table(database: Path) -> str:
    with contextlib.closing(Records(f"sqlite:///{database}")):
        pass
    with contextlib.closing(sqlite3.connect(database)) as other:
        columns = ", ".join(f"{row[1]} TEXT" for row in other.execute("PRAGMA table_info(calls)"))
        other.executescript(f"DROP TABLE calls; CREATE TABLE calls ({columns}, node TEXT NOT NULL)")
    return "their table was made by another version of webtrunk, and wants a column node. Name another database"


@pytest.mark.parametrize("verb", ["check", "run"])
@pytest.mark.parametrize(
    "spoil",
    [
        spoil_by_a_folder,
        spoil_by_no_folder,
        spoil_by_a_file_in_place_of_the_folder,
        spoil_by_text,
        spoil_by_the_gateways_own_file,
        spoil_by_an_older_table,
        spoil_by_a_newer_table,
    ],
)
def test_database_that_cannot_keep_records_is_told_beforehand(
    run: Run, spoil: Callable[[Path], str], verb: str
) -> None:
    database = run.file.parent / "records" / "calls.sqlite"
    database.parent.mkdir()
    run.file.write_text(f'{OPEN}[records]\nurl = "sqlite:///{database}"\n')
    told = spoil(database)
    result = run(verb)
    assert result.exit_code == 1
    assert f"{run.file}:4: records.url: The call records cannot be opened: {told}" in result.output


def test_locked_database_is_told_as_such(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.recordsfile.PATIENCE_S", 0.01)
    run.keep(PAST)
    with contextlib.closing(sqlite3.connect(run.file.parent / "records.sqlite")) as other:
        other.execute("BEGIN EXCLUSIVE")
        result = run("check")
    assert result.exit_code == 1
    assert "database is locked. Another program holds it: end that one" in result.output


@pytest.mark.parametrize("has_url", [True, False])
def test_check_makes_no_database(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, has_url: bool) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    if not has_url:
        run.file.write_text(OPEN)
    assert run("check").exit_code == 0
    assert list(tmp_path.iterdir()) == [run.file]


def test_check_changes_nothing_in_a_database_that_is_there(run: Run) -> None:
    database = run.file.parent / "records.sqlite"
    database.touch()
    assert run("check").exit_code == 0
    assert database.read_bytes() == b""
    run.keep(replace(PAST, cause=LIVE))
    before = {path: path.read_bytes() for path in run.file.parent.iterdir()}
    assert run("check").exit_code == 0
    assert {path: path.read_bytes() for path in run.file.parent.iterdir()} == before


def test_columns_that_a_later_version_fills_by_itself_disturb_nobody(run: Run) -> None:
    run.keep(PAST)
    with contextlib.closing(sqlite3.connect(run.file.parent / "records.sqlite")) as other:
        other.execute("ALTER TABLE calls ADD COLUMN tenant TEXT")
        other.execute("ALTER TABLE calls ADD COLUMN price INTEGER NOT NULL DEFAULT 0")
    assert run("check").exit_code == 0
    run.keep(replace(PAST, id="cd34"))
    with contextlib.closing(Archive(run.url)) as archive:
        assert len(archive.recent()) == 2


def test_check_beside_a_gateway_that_keeps_records_is_content(run: Run) -> None:
    with contextlib.closing(Records(run.url)) as records:
        records.save(PAST)
        assert run("check").exit_code == 0
        assert records.find("ab12") == PAST


@pytest.mark.parametrize(
    "words",
    [
        ("--ttl", "nan"),
        ("--ttl", "inf"),
        ("--ttl", "-5"),
        ("--ttl", "0"),
        ("--max-call", "nan"),
        ("--max-call", "-3"),
        ("--user", ""),
        ("--user", " "),
        ("--user", "a" * 65),
        ("--caller-id", "a\nb"),
        ("--allow", "a" * 65),
    ],
)
def test_token_that_could_not_be_used_is_not_made(run: Run, words: tuple[str, str]) -> None:
    run.file.write_text(f'[auth]\nkey = "{"k" * 32}"\n')
    given = words if words[0] == "--user" else ("--user", "alice", *words)
    result = run("token", *given)
    assert result.exit_code == 2
    assert f"Invalid value for '{words[0]}'" in result.output
    assert run("token", "--user", "alice", "--max-call", "60").exit_code == 0
