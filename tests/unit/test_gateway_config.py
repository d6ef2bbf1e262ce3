import tomllib
from pathlib import Path

import pytest

from call.dialplan import TrunkRule
from gateway import config
from gateway.addresses import is_loopback
from gateway.config import Config
from gateway.configfile import ConfigError, Mistake, check, load

KEY = "k" * 40
OPEN = '[auth]\nmode = "open"\n'
TRUNK = f'{OPEN}[trunk.t]\nhost = "h"\nallow = []\n'
ROOT = Path(__file__).parents[2]


def read(text: str) -> Config:
    return check(tomllib.loads(text), text, "webtrunk.toml")


def mistakes(text: str) -> list[Mistake]:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return caught.value.mistakes


def only_mistake(text: str) -> Mistake:
    found = mistakes(text)
    assert len(found) == 1, found
    return found[0]


def test_smallest_configuration_is_closed_to_the_outside() -> None:
    config = read(f'[auth]\nkey = "{KEY}"\n')
    assert config.auth.mode == "jwt"
    assert config.listen.is_loopback
    assert config.network[0].public == "127.0.0.1"
    assert config.trunk == {}


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.toml")), ids=lambda path: path.name)
def test_shipped_configurations_are_good(path: Path) -> None:
    assert isinstance(load(path), Config)


def test_trunks_become_rules_of_the_dial_plan_in_their_order() -> None:
    config = read(f'{OPEN}[trunk.b]\nhost = "h"\nallow = ["+49"]\n[trunk.a]\nhost = "h"\nallow = ["*"]\n')
    assert config.trunk_rules == (TrunkRule("b", ("+49",)), TrunkRule("a", ("*",)))


@pytest.mark.parametrize(
    ("settings", "port"), [("", 5060), ('transport = "tls"', 5061), ('transport = "tls"\nport = 5070', 5070)]
)
def test_port_of_a_trunk_follows_its_transport(settings: str, port: int) -> None:
    config = read(f'{OPEN}[trunk.t]\nhost = "h"\nallow = ["*"]\n{settings}\n')
    assert config.trunk["t"].sip_port == port


@pytest.mark.parametrize(("a_minute", "a_second"), [(120, 20), (1200, 40), (1, 20), (0, 0)])
def test_a_flood_is_what_no_limit_of_the_trunk_can_mean(a_minute: int, a_second: float) -> None:
    config = read(f"{TRUNK}max_calls_per_minute = {a_minute}\n")
    assert config.trunk["t"].new_calls_per_s == a_second


def test_secrets_may_live_in_files(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY + "\n")
    (tmp_path / "password").write_text("geheim\n")
    config = read(
        f'[auth]\nkey_file = "{tmp_path}/key"\n'
        f'[trunk.t]\nhost = "h"\nallow = ["*"]\nuser = "u"\npassword_file = "{tmp_path}/password"\n'
    )
    assert config.auth.secret == KEY
    assert config.trunk["t"].secret == "geheim"


def test_secrets_stay_out_of_logs() -> None:
    config = read(f'[auth]\nkey = "{KEY}"\n[trunk.t]\nhost = "h"\nallow = ["*"]\nuser = "u"\npassword = "geheim"\n')
    assert KEY not in repr(config)
    assert "geheim" not in repr(config)


def test_all_mistakes_are_told_at_once_each_with_its_line() -> None:
    found = mistakes(
        """[listen]
host = "192.0.2.1"
prot = 1
port = 99999
[auth]
mode = "open"
[trunk.first]
port = "a"
[trunk.second]
host = "sip.example.com"
allow = ["+49"]
codecs = ["G7291"]
[[network]]
bind = "0.0.0.0"
[[network]]
bind = "nonsense"
[user.alice]
numbers = ["100"]
[user.bob]
numbers = ["+100"]
"""
    )
    assert [(m.line, m.key) for m in found] == [
        (3, "listen.prot"),
        (4, "listen.port"),
        (6, "auth.mode"),
        (7, "trunk.first.host"),
        (7, "trunk.first.allow"),
        (8, "trunk.first.port"),
        (12, "trunk.second.codecs.0"),
        (14, "network.0.bind"),
        (16, "network.1.bind"),
        (20, "user.bob.numbers"),
    ]


def test_report_has_file_line_key_and_what_was_expected() -> None:
    with pytest.raises(ConfigError) as caught:
        read(f"{OPEN}[session]\ngrace_s = -1\n")
    assert str(caught.value) == "webtrunk.toml:4: session.grace_s: expected at least 0, not -1"


@pytest.mark.parametrize(
    ("text", "line", "key", "words"),
    [
        ("", 1, "auth", "is missing"),
        ('[auth]\nkey = "short"', 2, "auth.key", "at least 32 characters"),
        ("[auth]\n", 1, "auth", "exactly one of key and key_file"),
        (f'[auth]\nkey = "{KEY}"\nkey_file = "/x"', 3, "auth.key_file", "exactly one of key and key_file"),
        ('[auth]\nkey_file = "/there/is/none"', 2, "auth.key_file", "/there/is/none cannot be read"),
        ('[auth]\nmode = "none"', 2, "auth.mode", "expected 'jwt' or 'open', not 'none'"),
        ('[auth]\nmode = "open"\n[listen]\nhost = "::"', 2, "auth.mode", "loopback"),
        (f'[auth]\nkey = "{KEY}"\n[listen]\nhost = "192.0.2.1"', 3, "listen.origins", "https://phone.example.com"),
        (f'{OPEN}[listen]\norigins = ["*"]', 4, "listen.origins", "exact origin"),
        (f'{OPEN}[listen]\norigins = ["https://a.example/"]', 4, "listen.origins", "exact origin"),
        (f'{OPEN}[listen]\ntls_cert = "{__file__}"', 4, "listen.tls_cert", "needs tls_key beside it"),
        (f'{OPEN}[sip]\nudp_port = 1\ntls_key = "{__file__}"', 5, "sip.tls_key", "needs tls_cert beside it"),
        (f'{OPEN}[media]\nmusic = "/no.wav"', 4, "media.music", "there is no file /no.wav"),
        (
            f'{OPEN}[trunk.t]\nhost = "h"\nallow = []\nringback = "no.wav"',
            6,
            "trunk.t.ringback",
            "there is no file no.wav",
        ),
        (
            f'{OPEN}[trunk.t]\nhost = "h"\nallow = []\nringback = "QQ"',
            6,
            "trunk.t.ringback",
            "the tones of 'QQ' are not known",
        ),
        (f'{OPEN}[sip]\nudp_port = 1\ntls_ca = "/no"', 5, "sip.tls_ca", "there is no file /no"),
        (f'{OPEN}[sip]\nudp_port = 1\ntls_ca = "a\\u001b[2J"', 5, "sip.tls_ca", r"there is no file 'a\x1b[2J'"),
        (f'{OPEN}[admin]\nhost = "0.0.0.0"', 4, "admin.host", "loopback"),
        (f"{OPEN}[media]\nrtp_ports = [40000, 30000]", 4, "media.rtp_ports", "[first, last]"),
        (f"{OPEN}[media]\nrtp_ports = [80, 90]", 4, "media.rtp_ports", "1024"),
        (f"{OPEN}[sip]\ntls_port = 5061", 4, "sip.tls_port", "tls_port needs tls_cert and tls_key"),
        (f'{OPEN}[dialplan]\ncountry = "Germany"', 4, "dialplan.country", "such as 'DE', not 'Germany'"),
        (f'{OPEN}[trunk.t]\nhost = "a b"\nallow = ["*"]', 4, "trunk.t.host", "'a b' has ' '"),
        (f'{OPEN}[trunk.t]\nhost = "h"\nallow = "*"', 5, "trunk.t.allow", "expected"),
        (f'{OPEN}[trunk.t]\nhost = "h"\nallow = []\ncodecs = []', 6, "trunk.t.codecs", "at least one"),
        (f'{OPEN}[trunk.t]\nhost = "h"\nallow = ["*"]\npassword = "p"', 6, "trunk.t.password", "needs user"),
        (f'{OPEN}[trunk.t]\nhost = "h"\nallow = ["*"]\nuser = "a\\r\\nb"', 6, "trunk.t.user", r"has '\r'"),
        (f'{OPEN}[trunk.t]\nhost = "h"\nallow = ["*"]\ncaller-id = "1"', 6, "trunk.t.caller-id", "not a setting"),
        (f"{OPEN}[trnk.t]\n", 3, "trnk", "not a setting"),
        (f"{OPEN}[user.bob]\n[user.Bob]\n", 4, "user.Bob.numbers", "belongs to user bob"),
    ],
)
def test_mistake_is_told_where_it_is(text: str, line: int, key: str, words: str) -> None:
    found = only_mistake(text)
    assert (found.line, found.key) == (line, key)
    assert words in found.expected


FAR = '[trunk.far]\nhost = "192.0.2.9"\nallow = ["*"]\n'


def test_trunk_elsewhere_needs_a_first_network_that_reaches_it() -> None:
    found = only_mistake(f'{OPEN}[[network]]\nbind = "127.0.0.1"\n[[network]]\nbind = "auto"\n{FAR}')
    assert (found.line, found.key) == (4, "network.0.bind")
    assert "trunk far (192.0.2.9) cannot be reached from 127.0.0.1" in found.expected
    assert 'bind = "auto"' in found.expected


def test_trunk_elsewhere_is_told_though_no_network_is_configured() -> None:
    found = only_mistake(f"{OPEN}{FAR}")
    assert (found.line, found.key) == (4, "trunk.far.host")


def test_trunk_elsewhere_is_fine_from_an_outside_network() -> None:
    assert read(f'{OPEN}[[network]]\nbind = "auto"\n[[network]]\nbind = "127.0.0.1"\n{FAR}').trunk["far"].host
    assert read(f'{OPEN}[[network]]\nbind = "192.0.2.1"\n{FAR}').trunk["far"].host


def test_trunk_on_this_machine_or_by_name_is_fine_from_loopback() -> None:
    trunks = FAR.replace("192.0.2.9", "127.0.0.2") + FAR.replace("192.0.2.9", "pbx.local").replace("far", "named")
    assert list(read(OPEN + trunks).trunk) == ["far", "named"]


def test_wrong_value_hides_no_other_mistake_of_its_table() -> None:
    found = mistakes(
        """[auth]
mode = "jwt"
key = "short"
kay = "typo"
[listen]
port = "x"
tls_cert = "/no"
[[network]]
bind = "auto"
advertise = "192.0.2.1"
extra = 1
[sip]
udp_port = -1
tls_port = 5061
[trunk.t]
host = "h"
allow = ["*"]
max_calls = -1
password = "p"
password_file = "/no"
"""
    )
    assert [(m.line, m.key) for m in found] == [
        (3, "auth.key"),
        (4, "auth.kay"),
        (6, "listen.port"),
        (7, "listen.tls_cert"),
        (7, "listen.tls_cert"),
        (10, "network.0.advertise"),
        (11, "network.0.extra"),
        (13, "sip.udp_port"),
        (14, "sip.tls_port"),
        (18, "trunk.t.max_calls"),
        (20, "trunk.t.password_file"),
        (20, "trunk.t.password_file"),
    ]


def test_half_a_tls_pair_does_not_hide_that_its_file_is_missing() -> None:
    words = [m.expected for m in mistakes(f'{OPEN}[listen]\ntls_cert = "/no.pem"')]
    assert words == ["there is no file /no.pem", "needs tls_key beside it"]


@pytest.mark.parametrize(
    ("table", "key", "content", "words"),
    [
        ("[auth]", "auth.key_file", b"\xff\x00" * 40, "is not UTF-8 text"),
        ("[auth]", "auth.key_file", b"short\n", "must have at least 32 characters"),
        (f'{OPEN}[trunk.t]\nhost = "h"\nallow = ["*"]\nuser = "u"', "trunk.t.password_file", b"\xff", "is not UTF-8"),
        (f'{OPEN}[trunk.t]\nhost = "h"\nallow = ["*"]\nuser = "u"', "trunk.t.password_file", b"\n", "is empty"),
    ],
)
def test_secret_file_that_holds_none_is_named(tmp_path: Path, table: str, key: str, content: bytes, words: str) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    text = f'{table}\n{key.rpartition(".")[2]} = "{path}"\n'
    found = only_mistake(text)
    assert (found.line, found.key) == (text.count("\n"), key)
    assert str(path) in found.expected
    assert words in found.expected


def test_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "webtrunk.toml"
    path.write_bytes(b"\xef\xbb\xbf" + OPEN.encode())
    assert load(path).auth.mode == "open"


def test_mistake_elsewhere_does_not_hide_a_shared_number() -> None:
    found = mistakes(f'{OPEN}[user.a]\nnumbers = ["1"]\n[user.b]\nnumbers = ["1"]\n[sip]\nudp_port = -1\n')
    assert [m.key for m in found] == ["user.b.numbers", "sip.udp_port"]


def test_mistyped_secret_is_not_repeated() -> None:
    text = '[auth]\nkey = 12345\n[trunk.t]\nhost = "h"\nallow = ["*"]\nuser = "u"\npassword = 67890\n'
    words = "\n".join(m.expected for m in mistakes(text))
    assert "12345" not in words
    assert "67890" not in words


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b'[auth]\nmode = "open\n', 2, "not valid TOML"),
        (b"[auth]\nmode = 1\nmode = 2\n", 3, "not valid TOML: this key or table is there already"),
        (b"[auth]\nmode = 1\nmode = 2", 3, "not valid TOML: this key or table is there already"),
        (b"[user.a]\n\n[user.a]\n", 3, "the table [user.a] is there already"),
        (b"[auth]\n: open\n", 2, "expected a [table], a key = value or a # comment"),
        (b"\xff\xfe", 1, "is not UTF-8 text"),
    ],
)
def test_file_that_is_no_toml_is_told_by_its_line(tmp_path: Path, content: bytes, line: int, words: str) -> None:
    path = tmp_path / "webtrunk.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert [m.line for m in caught.value.mistakes] == [line]
    assert words in str(caught.value)


def test_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load(tmp_path / "nothing.toml")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("example.com", False),
    ],
)
def test_loopback_is_told_by_address_not_by_guess(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_records_go_to_the_users_state_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert read(OPEN).records.resolved_url == f"sqlite:///{tmp_path}/webtrunk/records.sqlite"
    assert (tmp_path / "webtrunk").is_dir()
    assert read(f'{OPEN}[records]\nurl = "sqlite://"\n').records.resolved_url == "sqlite://"


def test_auto_finds_the_default_route_or_falls_away(monkeypatch: pytest.MonkeyPatch) -> None:
    document = {"auth": {"mode": "open"}, "network": [{"bind": "127.0.0.1"}, {"bind": "auto"}]}
    monkeypatch.setattr(config, "default_route_address", lambda: "192.0.2.7")
    assert [network.public for network in Config.model_validate(document).networks] == ["127.0.0.1", "192.0.2.7"]
    monkeypatch.setattr(config, "default_route_address", lambda: "")
    assert [network.public for network in Config.model_validate(document).networks] == ["127.0.0.1"]


def test_comfort_noise_without_a_codec_that_it_goes_beside_is_remarked() -> None:
    trunk = '[trunk.t]\nhost = "127.0.0.1"\nallow = ["*"]\ncomfort_noise = true\n'
    assert read(OPEN + trunk).remarks == ()
    assert read(OPEN + trunk).trunk["t"].spoken_codecs == ("G722", "PCMU", "PCMA", "CN")
    (remark,) = read(f'{OPEN}{trunk}codecs = ["G722"]\n').remarks
    assert remark == "trunk t: comfort_noise goes beside PCMU and PCMA, and codecs has neither: it changes nothing."


@pytest.mark.parametrize(
    ("settings", "guilty"),
    [
        ('prefer = ["G729"]', "prefer"),
        ('codecs = ["iLBC/8000"]', "codecs"),
        ('codecs = ["iLBC/8000"]\nprefer = ["PCMA"]', "codecs"),
        ('prefer = ["AMR/8000", "G729"]', "prefer"),
        ('prefer = ["AMR/8000"]', "prefer"),
        ('codecs = ["G729"]', None),
        ('codecs = ["G729"]\nprefer = ["PCMA"]', None),
        ('codecs = ["G729"]\nprefer = "cpu"', None),
        ('codecs = ["iLBC/8000", "PCMU"]', None),
        ('prefer = ["G729", "PCMA"]', None),
    ],
)
def test_codecs_that_no_browser_speaks_are_remarked_with_the_list_that_lacks_them(
    settings: str, guilty: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.configfields.transcoded_codecs", lambda: ["G729"])
    remarks = read(f'{OPEN}[trunk.t]\nhost = "127.0.0.1"\nallow = ["*"]\n{settings}\n').remarks
    words = "trunk t: codecs and prefer leave nothing that browsers speak: unless a page offers more, its calls end"
    told = [f"{words} with 488; add opus or PCMA to {guilty}."] if guilty else []
    assert list(remarks) == told


@pytest.mark.parametrize(
    ("settings", "is_remarked"),
    [
        ('dtmf = "inband"\ncodecs = ["opus"]', True),
        ('dtmf = "inband"\ncodecs = ["opus", "PCMA"]', False),
        ('dtmf = "info"\ncodecs = ["opus"]', False),
    ],
)
def test_tones_through_codecs_that_bend_them_are_remarked(settings: str, is_remarked: bool) -> None:
    remarks = read(f'{OPEN}[trunk.t]\nhost = "127.0.0.1"\nallow = ["*"]\n{settings}\n').remarks
    words = (
        'trunk t: dtmf = "inband" puts digits into the audio as tones, and none of its codecs keeps tones unharmed; add'
    )
    assert [remark.startswith(words) for remark in remarks] == [True] * is_remarked


def test_what_may_be_meant_is_remarked_not_refused() -> None:
    trunks = '[trunk.in]\nhost = "127.0.0.1"\nallow = []\n[trunk.far]\nhost = "sip.example.com"\nallow = ["*"]\n'
    silent, doubtful = read(OPEN + trunks).remarks
    assert silent == "trunk in: allow is empty: nobody can call through it, it only brings calls."
    assert doubtful.startswith("trunk far: SIP is bound to 127.0.0.1, a loopback address: unless sip.example.com is")
    assert read(f'{OPEN}[[network]]\nbind = "192.0.2.1"\n{trunks}').remarks == (silent,)


@pytest.mark.parametrize(("transport", "is_remarked"), [("udp", True), ("tcp", True), ("tls", False)])
def test_keys_that_travel_in_clear_are_remarked(transport: str, is_remarked: bool) -> None:
    trunk = f'[trunk.far]\nhost = "192.0.2.9"\nallow = ["*"]\nsrtp = "optional"\ntransport = "{transport}"\n'
    remarks = read(f'{OPEN}[[network]]\nbind = "192.0.2.1"\n{trunk}').remarks
    assert any("keys travel in clear" in remark for remark in remarks) == is_remarked
