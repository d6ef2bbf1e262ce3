"""Single values of the configuration: what is refused, in which words, and what they become."""

import tomllib

import pytest

from call.dialplan import find_user, is_allowed
from gateway.config import Config
from gateway.configfile import ConfigError, check

OPEN = '[auth]\nmode = "open"\n'
TRUNK = '[trunk.t]\nhost = "h"\nallow = ["*"]\n'


def read(text: str) -> Config:
    return check(tomllib.loads(text), text, "webtrunk.toml")


def report(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '[trunk.t]\nallow = ["*"]\nhost = "1.2.3.4:5060"',
            "5: trunk.t.host: expected a host name or an IP address, not '1.2.3.4:5060'; a port has a key of its own",
        ),
        ('[trunk.t]\nallow = ["*"]\nhost = ""', "5: trunk.t.host: expected a host name or an IP address, and it is"),
        ('[trunk.t]\nhost = "h"\nallow = [""]', "5: trunk.t.allow.0: '' is neither a number nor a name"),
        ('[trunk.t]\nhost = "h"\nallow = ["+1", "+49*"]', "5: trunk.t.allow.1: '+49*' fits no number: '+49' alone"),
        (f'{TRUNK}caller_id = "a@b;c>"', "6: trunk.t.caller_id: 'a@b;c>' is neither a number nor a name"),
        (f'{TRUNK}user = "x y"', "6: trunk.t.user: 'x y' has ' ', which belongs in no user name"),
        (
            f'{TRUNK}codecs = ["G723"]',
            "6: trunk.t.codecs.0: 'G723' is no codec of webtrunk (opus, G722, PCMU, PCMA, G729)",
        ),
        (f'{TRUNK}codecs = ["PCMA", "pcma"]', "6: trunk.t.codecs: 'pcma' is there twice"),
        (f'{TRUNK}codecs = ["PCMA", "iLBC/8000", "iLBC/8000"]', "6: trunk.t.codecs: 'iLBC/8000' is there twice"),
        (f'{TRUNK}prefer = ["iLBC/8000", "PCMA", "iLBC/8000"]', "6: trunk.t.prefer: 'iLBC/8000' is there twice"),
        (f'{TRUNK}prefer = "speed"', "6: trunk.t.prefer: expected 'quality', 'cpu' or a list of codecs"),
        (f"{TRUNK}prefer = []", "6: trunk.t.prefer: expected 'quality', 'cpu' or a list of codecs"),
        (f'{TRUNK}prefer = ["PCMA", "x"]', "6: trunk.t.prefer: 'x' is no codec of webtrunk"),
        (f'{TRUNK}codecs = ["PCMA", "PCMU", "PCMA"]', "6: trunk.t.codecs: 'PCMA' is there twice"),
        ('[records]\nurl = "nosuchdb://"', "4: records.url: expected a SQLAlchemy URL"),
        ('[records]\nurl = "no url"', "4: records.url: expected a SQLAlchemy URL"),
        ('[sip]\nnameservers = ["foo"]', "4: sip.nameservers.0: expected an IP address, not 'foo'"),
        (f"{TRUNK}registration = true", "6: trunk.t.registration: a registration needs user"),
        (f'{TRUNK}sources = ["pbx"]', "6: trunk.t.sources.0: expected an IP address, or a network such as"),
        (f'{TRUNK}sources = ["203.0.113.9/28"]', "6: trunk.t.sources.0: expected an IP address, or a network such as"),
        (f'{TRUNK}sources = ["::/0"]', "6: trunk.t.sources.0: '::/0' would make everybody this trunk"),
        ('[dialplan]\ncountry = "XX"', "4: dialplan.country: expected the two capital letters"),
        ('[user.alice]\nnumbers = ["two words"]', "4: user.alice.numbers.0: 'two words' is neither"),
        ('[user.alice]\ndisplay = "a\\u0007"', r"4: user.alice.display: has a control character, '\x07'"),
        ('[user."a b"]\n', "3: user.a b: 'a b' is no name: letters, digits"),
        ('[[network]]\nbind = ""', "4: network.0.bind: expected an IP address, not ''"),
        ('[[network]]\nadvertise = "auto"', "4: network.0.advertise: advertise is an IP address; only bind can be"),
    ],
)
def test_value_that_cannot_work_is_refused_in_words(text: str, told: str) -> None:
    found = report(OPEN + text)
    assert found.startswith(f"webtrunk.toml:{told}")
    assert "\n" not in found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("auth = 1\n", "1: auth: expected a table, [auth]"),
        (f"user = 1\n{OPEN}", "1: user: expected tables, such as [user.NAME]"),
        (f"network = 1\n{OPEN}", "1: network: expected tables, [[network]]"),
        (f"network = [1]\n{OPEN}", "1: network.0: expected a table, [[network]]"),
        (f"{OPEN}[user]\nalice = 1", "4: user.alice: expected a table, [user.alice]"),
        (f'{OPEN}[listen]\norigins = "x"', "4: listen.origins: expected a list in brackets"),
        (f'{OPEN}[listen]\nport = "x"', "4: listen.port: expected a whole number, not 'x'"),
        (f"{OPEN}[listen]\nhost = 1", "4: listen.host: expected a text in quotes, not 1"),
        (f"{OPEN}[listen]\nport = 70000", "4: listen.port: expected at most 65535, not 70000"),
        (f"{OPEN}[listen]\nport = true", "4: listen.port: expected a whole number, not true"),
        (f'{OPEN}[sip]\nudp_port = "5060"', "4: sip.udp_port: expected a whole number, not '5060'"),
        (f'{OPEN}[sip]\ntls_verify = "x"', "4: sip.tls_verify: expected true or false, not 'x'"),
        (f"{OPEN}[listen]\nhost = true", "4: listen.host: expected a text in quotes, not true"),
        (f'{OPEN}[limits]\nuser_calls = "4"', "4: limits.user_calls: expected a whole number, not '4'"),
        (f"{OPEN}[limits]\nuser_pages = true", "4: limits.user_pages: expected a whole number, not true"),
        (f"{OPEN}[limits]\ncalls = 5.0", "4: limits.calls: expected a whole number, not 5.0"),
        (f"{OPEN}[limits]\nuser_minutes_per_day = true", "4: limits.user_minutes_per_day: expected a number, not true"),
        (
            f"{OPEN}[limits]\nuser_minutes_per_day = inf",
            "4: limits.user_minutes_per_day: expected at most 1000000000, n",
        ),
        (
            f"{OPEN}[limits]\nuser_minutes_per_day = nan",
            "4: limits.user_minutes_per_day: expected at most 1000000000, n",
        ),
        (f"{OPEN}{TRUNK}max_calls = {10**20}", f"6: trunk.t.max_calls: expected at most 1000000, not {10**20}"),
        (f'{OPEN}[session]\ngrace_s = "30"', "4: session.grace_s: expected a number, not '30'"),
        (f"{OPEN}{TRUNK}comfort_noise = 1", "6: trunk.t.comfort_noise: expected true or false, not 1"),
        (f'{OPEN}{TRUNK}detect_inband = "true"', "6: trunk.t.detect_inband: expected true or false, not 'true'"),
        (f"{OPEN}[media]\nrtp_ports = [30000.0, 39999]", "4: media.rtp_ports.0: expected a whole number, not 30000.0"),
        (f"{OPEN}[recording]\nconsent_tone = 1", "4: recording.consent_tone: expected true, false or the name of a"),
        (f"{OPEN}[recording]\nmin_free_mb = 1e3", "4: recording.min_free_mb: expected a whole number, not 1000.0"),
        (f"{OPEN}[media]\nrtp_ports = [30000]", "4: media.rtp_ports.1: the list needs another entry"),
        (f"{OPEN}[media]\nrtp_ports = [30000, 30100, 1]", "4: media.rtp_ports: has too many entries"),
    ],
)
def test_wrong_kind_of_value_is_told_in_words_of_toml(text: str, told: str) -> None:
    assert report(text).startswith(f"webtrunk.toml:{told}")


def test_seconds_and_minutes_may_be_whole_or_not() -> None:
    config = read(f"{OPEN}[session]\ngrace_s = 30\nring_s = 5.5\n[limits]\nuser_minutes_per_day = 1.5\n{TRUNK}")
    assert (config.session.grace_s, config.session.ring_s) == (30.0, 5.5)
    assert config.limits.user_minutes_per_day == 1.5


def test_database_without_its_driver_names_the_package() -> None:
    found = report(f'{OPEN}[records]\nurl = "oracle+cx_oracle://me:secret@db/calls"')
    assert "needs the Python package cx_Oracle" in found
    assert "secret" not in found


def test_numbers_are_kept_as_the_dial_plan_compares_them() -> None:
    config = read(f'{OPEN}[user.alice]\nnumbers = ["+49 30 123-456", "tel:+49 (0)30 99"]\n')
    assert config.user["alice"].numbers == ("+4930123456", "+493099")
    assert find_user("+4930123456", {name: user.numbers for name, user in config.user.items()}) == "alice"


def test_one_number_written_in_two_ways_has_two_owners() -> None:
    found = report(f'{OPEN}[user.a]\nnumbers = ["+49 30 1"]\n[user.b]\nnumbers = ["4930-1"]\n')
    assert found == "webtrunk.toml:6: user.b.numbers: 4930-1 belongs to user a already"


def test_rules_and_caller_id_may_be_written_as_people_write_numbers() -> None:
    trunk = 'allow = ["tel:+49 30", "*21#", "echo", "*"]\ncaller_id = "+49 (30) 1"\n'
    settings = read(f'{OPEN}[trunk.t]\nhost = "h"\n{trunk}').trunk["t"]
    assert settings.allow == ("+4930", "*21#", "echo", "*")
    assert settings.caller_id == "+49301"
    assert is_allowed("+4930123", settings.allow)


@pytest.mark.parametrize("host", ["sip.example.com", "192.0.2.1", "2001:db8::1", "my_pbx"])
def test_hosts_are_names_or_addresses(host: str) -> None:
    network = '[[network]]\nbind = "192.0.2.7"\n'
    assert read(f'{OPEN}{network}[trunk.t]\nhost = "{host}"\nallow = []\n').trunk["t"].host == host


def test_codecs_are_known_in_any_case_and_those_that_pass_through_by_their_clock() -> None:
    trunk = read(f'{OPEN}{TRUNK}codecs = ["g722", "iLBC/8000", "Opus"]\nprefer = ["pcma", "opus"]\n').trunk["t"]
    assert (trunk.spoken_codecs, trunk.prefer) == (("G722", "ILBC/8000", "opus"), ("PCMA", "opus"))


@pytest.mark.parametrize(("prefer", "first"), [("quality", "G722"), ("cpu", "PCMU")])
def test_by_default_the_wish_decides_what_a_trunk_is_offered_first(prefer: str, first: str) -> None:
    assert read(f'{OPEN}{TRUNK}prefer = "{prefer}"\n').trunk["t"].spoken_codecs[0] == first


@pytest.mark.parametrize("key", ["codecs", "prefer"])
def test_g729_is_taken_when_it_is_built_in(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f'{OPEN}{TRUNK}{key} = ["G729"]\n'
    monkeypatch.setattr("gateway.configfields.transcoded_codecs", lambda: ["PCMU"])
    with pytest.raises(ConfigError, match="G729 is not built in: install libbcg729-dev"):
        read(text)
    monkeypatch.setattr("gateway.configfields.transcoded_codecs", lambda: ["PCMU", "G729"])
    read(text)
