import time
from pathlib import Path
from typing import Any

import jwt
import pytest

from call.errors import PolicyError
from gateway.auth import ALGORITHM, Gatekeeper, Identity, make_token
from gateway.config import AuthSettings, UserSettings
from webrtc.signalling import Hello

KEY = "k" * 40
USERS = {"alice": UserSettings(display="Alice A."), "bob": UserSettings()}
KEEPER = Gatekeeper(AuthSettings(mode="jwt", key=KEY), USERS)
OPEN = Gatekeeper(AuthSettings(mode="open"), USERS)


def signed(key: str = KEY, algorithm: str = ALGORITHM, **claims: Any) -> Hello:
    everything = {"sub": "alice", "exp": int(time.time()) + 60} | claims
    return Hello(token=jwt.encode({k: v for k, v in everything.items() if v is not None}, key, algorithm))


def refusal(hello: Hello, keeper: Gatekeeper = KEEPER) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        keeper.admit(hello)
    assert caught.value.hint
    return caught.value


def test_token_of_the_command_line_opens_the_door() -> None:
    token = make_token(KEY, "alice", ttl_s=60, allow=("+49", "echo"), caller_id="+4930", max_call_s=90.0)
    assert KEEPER.admit(Hello(token=token)) == Identity("alice", "Alice A.", ("+49", "echo"), "+4930", 90.0)


def test_token_without_extras_allows_what_the_trunks_allow() -> None:
    assert KEEPER.admit(Hello(token=make_token(KEY, "carol", ttl_s=60))) == Identity("carol", "carol")


def test_token_that_allows_nothing_is_not_one_that_allows_everything() -> None:
    assert KEEPER.admit(signed(allow=[])).allow == ()
    assert KEEPER.admit(Hello(token=make_token(KEY, "carol", ttl_s=60, allow=()))).allow == ()


def test_user_of_a_token_is_the_tokens_not_the_pages() -> None:
    hello = Hello(token=signed().token, user="bob")
    assert KEEPER.admit(hello).user == "alice"


def test_missing_token_is_asked_for() -> None:
    assert str(refusal(Hello(user="alice"))) == "This gateway asks for a token."


@pytest.mark.filterwarnings("ignore:The HMAC key")
@pytest.mark.parametrize("now", [None, "", "k", "k" * 31, "\udcff"])
def test_key_file_that_is_just_being_replaced_lets_nobody_in(
    tmp_path: Path, now: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "jwt.key"
    file.write_text(KEY)
    keeper = Gatekeeper(AuthSettings(mode="jwt", key_file=str(file)), USERS)
    assert keeper.admit(signed()).user == "alice"
    file.unlink()
    if now is not None:
        file.write_text(now, errors="surrogateescape")
    guessed = signed(key=now) if now and now.isascii() else signed()
    assert str(refusal(guessed, keeper)) == "Nobody can log in now."
    assert str(file) in caplog.text
    file.write_text("l" * 40)
    assert keeper.admit(signed(key="l" * 40)).user == "alice"


def test_expired_token_is_told_as_such() -> None:
    assert str(refusal(signed(exp=int(time.time()) - 60))) == "The token has expired."


def test_clocks_may_differ_by_a_few_seconds() -> None:
    assert KEEPER.admit(signed(exp=int(time.time()) - 1)).user == "alice"


def test_forged_token_is_told_as_such() -> None:
    assert "not signed with this gateway's key" in str(refusal(signed(key="f" * 40)))


@pytest.mark.parametrize(
    "hello",
    [
        Hello(token="garbage"),
        Hello(token="a.b.c"),
        Hello(token=jwt.encode({"sub": "alice", "exp": 2**40}, "", "none")),
        signed(algorithm="HS512", key="k" * 64),
        signed(exp=None),
        signed(sub=None),
        signed(sub=5),
        signed(sub=""),
        signed(sub="a" * 65),
        signed(sub="a\r\nb"),
        signed(exp="soon"),
        signed(nbf=2**40),
        signed(caller_id=49),
        signed(caller_id="1\r\nFrom: x"),
        signed(allow="*"),
        signed(allow=[1]),
        signed(max_call_s="1 h"),
        signed(max_call_s=0),
        signed(max_call_s=-1),
        signed(max_call_s=True),
        signed(max_call_s=float("inf")),
        signed(max_call_s=float("nan")),
        signed(max_call_s=10**400),
        signed(exp=float("inf")),
        signed(nbf=float("inf")),
        signed(iat=float("inf")),
    ],
    ids=str,
)
def test_token_that_is_not_what_it_should_be_is_refused_in_words(hello: Hello) -> None:
    assert hello.token not in str(refusal(hello))


def test_open_mode_takes_the_name_for_granted() -> None:
    assert OPEN.admit(Hello(user="bob")) == Identity("bob", "bob")
    assert OPEN.admit(Hello()).user == "alice"


def test_open_mode_knows_only_configured_users_if_there_are_any() -> None:
    error = refusal(Hello(user="mallory"), OPEN)
    assert str(error) == "There is no user 'mallory'."
    assert "alice, bob" in error.hint
    anybody = Gatekeeper(AuthSettings(mode="open"), {})
    assert anybody.admit(Hello(user="mallory")).user == "mallory"
    assert anybody.admit(Hello()).user == "guest"
    assert "not a short text" in str(refusal(Hello(user="a\r\nFrom: x"), anybody)), "it would become a SIP header"


def test_open_mode_ignores_tokens() -> None:
    assert OPEN.admit(Hello(token="garbage", user="bob")).user == "bob"
