"""Settings of recordings and the live tee."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from gateway.config import Config
from gateway.configfile import ConfigError, Mistake, check

OPEN = '[auth]\nmode = "open"\n'
TRUNK = '[trunk.t]\nhost = "h"\nallow = []\n'


def read(text: str) -> Config:
    return check(tomllib.loads(text), text, "webtrunk.toml")


def only_mistake(text: str) -> Mistake:
    with pytest.raises(ConfigError) as caught:
        read(text)
    (found,) = caught.value.mistakes
    return found


def test_nothing_listens_in_unless_it_is_asked_for() -> None:
    config = read(OPEN)
    assert config.recording_mode("alice", "t") == "off"
    assert config.tee.url == ""


@pytest.mark.parametrize(
    ("overall", "trunk", "user", "mode"),
    [
        ("off", "", "", "off"),
        ("all", "", "", "all"),
        ("all", "off", "", "off"),
        ("off", "off", "all", "all"),
        ("all", "all", "on-demand", "on-demand"),
    ],
)
def test_what_is_said_closest_to_the_person_counts(overall: str, trunk: str, user: str, mode: str) -> None:
    text = f'{OPEN}[recording]\nmode = "{overall}"\nfolder = "r"\n'
    text += TRUNK + (f'recording = "{trunk}"\n' if trunk else "")
    text += "[user.alice]\n" + (f'recording = "{user}"\n' if user else "")
    assert read(text).recording_mode("alice", "t") == mode


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ('[recording]\nmode = "all"\n', "recording.folder", "since recording asks for recordings"),
        ('[user.a]\nrecording = "on-demand"\n', "recording.folder", "since user.a asks"),
        ('[recording]\nmode = "sometimes"\n', "recording.mode", "'off', 'on-demand' or 'all'"),
        ('[recording]\nconsent_tone = "/nowhere.wav"\n', "recording.consent_tone", "there is no file /nowhere.wav"),
        ("[recording]\nconsent_tone_every_s = 0.1\n", "recording.consent_tone_every_s", "expected 0 (not again), or 5"),
        ("[recording]\nconsent_tone_every_s = 4.9\n", "recording.consent_tone_every_s", "to 3600 seconds"),
        ("[recording]\nconsent_tone_every_s = -1\n", "recording.consent_tone_every_s", "or 5 to 3600"),
        ("[recording]\nconsent_tone_every_s = nan\n", "recording.consent_tone_every_s", "or 5 to 3600"),
        ('[recording]\nformat = "mp3"\n', "recording.format", "'ogg' or 'wav'"),
        ('[tee]\nurl = "https://x"\n', "tee.url", "expected the URL of a WebSocket"),
        ('[tee]\nurl = "wss://a:b@x/"\n', "tee.url", "tee.authorization_file"),
        ('[tee]\nurl = "wss://x:99999/"\n', "tee.url", "expected the URL of a WebSocket"),
        ('[tee]\nauthorization = "a\\nb"\n', "tee.authorization", "one line"),
        ('[tee]\nauthorization_file = "/nowhere"\n', "tee.authorization_file", "cannot be read"),
        ('[tee]\ntls_ca = "/nowhere.pem"\n', "tee.tls_ca", "there is no file"),
    ],
)
def test_mistake_is_told_in_words(text: str, key: str, words: str) -> None:
    found = only_mistake(OPEN + text)
    assert found.key == key
    assert words in found.expected


@pytest.mark.parametrize(
    ("url", "is_remarked"),
    [("ws://t.example.com/a", True), ("wss://t.example.com/a", False), ("ws://127.0.0.1:1/a", False)],
)
def test_a_tee_in_clear_is_remarked(url: str, is_remarked: bool) -> None:
    remarks = " ".join(read(f'{OPEN}[tee]\nurl = "{url}"\n').remarks)
    assert ("t.example.com in clear" in remarks) is is_remarked


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ('[tee]\nauthorization = "Bearer x"\n', "tee: authorization changes nothing: without url there is no tee."),
        (
            "[recording]\nconsent_tone = false\nconsent_tone_every_s = 15\n",
            "recording: consent_tone_every_s changes nothing, since consent_tone is false.",
        ),
    ],
)
def test_a_setting_that_changes_nothing_is_remarked(text: str, remark: str) -> None:
    assert read(OPEN + text).remarks == (remark,)


@pytest.mark.parametrize("seconds", [0, 5, 15.5, 3600])
def test_the_consent_tone_may_come_again(seconds: float) -> None:
    assert read(f"{OPEN}[recording]\nconsent_tone_every_s = {seconds}\n").recording.consent_tone_every_s == seconds


def test_a_recording_of_one_user_counts_as_recording() -> None:
    text = f'{OPEN}[recording]\nfolder = "r"\n'
    assert not read(text).records_calls
    assert read(text + '[user.alice]\nrecording = "on-demand"\n').records_calls


def test_secrets_of_the_tee_stay_out_of_logs_and_may_lie_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("Bearer s3cret\n")
    tee = read(f'{OPEN}[tee]\nurl = "wss://x/a?key=s3cret"\nauthorization_file = "{tmp_path / "token"}"\n').tee
    assert tee.secret == "Bearer s3cret"
    assert tee.shown_url == "wss://x/a"
    assert "s3cret" not in repr(tee)
    with pytest.raises(ConfigError) as caught:
        read(f'{OPEN}[tee]\nurl = "wss://me:s3cret@x/"\n')
    assert "s3cret" not in str(caught.value)
