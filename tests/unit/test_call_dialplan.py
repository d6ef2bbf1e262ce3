import pytest

from call.dialplan import MAX_LENGTH, TrunkRule, choose_trunk, clean, find_user, is_allowed, is_number, match_length
from call.errors import PolicyError, UnknownDestination

RULES = (
    TrunkRule("germany", ("+49",)),
    TrunkRule("berlin", ("+4930", "echo")),
    TrunkRule("all", ("*",)),
)


@pytest.mark.parametrize(
    ("typed", "destination"),
    [
        ("+49 30 123-456", "+4930123456"),
        ("+49 (0)30 / 123 456", "+4930123456"),
        ("(030) 123.456", "030123456"),
        ("tel:+4930123", "+4930123"),
        ("TEL:+1", "+1"),
        ("tel: +49 30 123", "+4930123"),
        ("tel:+1-2;ext=5", "+12"),
        ("tel:030-123;phone-context=+49", "030123"),
        ("callto://+4930123", "+4930123"),
        ("sip:echo@demo.example.com", "echo"),
        ("SIPS:first.last@example.com:5061;transport=tcp?subject=x", "first.last"),
        ("sip:alice:secret@example.com", "alice"),
        ("sip:%2B49-30-123@example.com;user=phone", "+4930123"),
        ("sip:+4930123;ext=5@example.com", "+4930123"),
        ("sip:alice", "alice"),
        ("  112 ", "112"),
        ("+49\u00a030\u2013123", "+4930123"),
        ("*21#", "*21#"),
        ("echo", "echo"),
        ("first.last", "first.last"),
        ("alice+work", "alice+work"),
        ("1" * MAX_LENGTH, "1" * MAX_LENGTH),
    ],
)
def test_what_people_type_becomes_a_number_or_name(typed: str, destination: str) -> None:
    assert clean(typed) == destination


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "   ",
        "two words",
        "echo;user=phone",
        "alice@example.com",
        "http:alice",
        "sip:",
        "tel:;ext=5",
        "sip:@example.com",
        "sip:two%20words@example.com",
        "sip:ech%0d%0ao@example.com",
        "tel:tel:+49",
        "+",
        "++49",
        "ech\r\no",
        "écho",
        "\u0661\u0662",
        "1" * (MAX_LENGTH + 1),
        "a" * (MAX_LENGTH + 1),
        "-echo",
    ],
)
def test_what_is_neither_number_nor_name_is_refused_in_words(typed: str) -> None:
    with pytest.raises(UnknownDestination) as caught:
        clean(typed)
    assert "is neither a number nor a name" in str(caught.value)
    assert caught.value.hint
    assert len(str(caught.value)) < 2 * MAX_LENGTH


@pytest.mark.parametrize(
    ("destination", "rule", "length"),
    [
        ("+4930123", "+49", 3),
        ("+4930123", "+4930123", 8),
        ("+4930123", "+1", -1),
        ("4930123", "+49", -1),
        ("echo", "echo", 4),
        ("echo2", "echo", -1),
        ("ECHO", "echo", 4),
        ("echo", "Echo", 4),
        ("anything", "*", 0),
        ("*21#", "*21", 3),
    ],
)
def test_rule_matches_prefixes_of_numbers_and_whole_names(destination: str, rule: str, length: int) -> None:
    assert match_length(destination, rule) == length


@pytest.mark.parametrize(
    ("destination", "trunk"), [("+4930123", "berlin"), ("+4989123", "germany"), ("+1212", "all"), ("echo", "berlin")]
)
def test_longest_match_wins(destination: str, trunk: str) -> None:
    assert choose_trunk(destination, RULES) == trunk


def test_first_trunk_wins_a_tie() -> None:
    assert choose_trunk("112", [TrunkRule("one", ("1",)), TrunkRule("two", ("1",))]) == "one"


def test_trunk_without_rules_reaches_nothing() -> None:
    with pytest.raises(PolicyError):
        choose_trunk("112", [TrunkRule("closed", ())])


def test_number_that_no_trunk_may_call_is_not_allowed() -> None:
    with pytest.raises(PolicyError, match=r"\+4930 are not allowed") as caught:
        choose_trunk("+4930", [TrunkRule("usa", ("+1",))])
    assert caught.value.sip_status == 403
    assert caught.value.hint == "Whoever runs the gateway can add a prefix of it to `allow` of a trunk (usa)."


def test_name_that_no_trunk_knows_is_not_found() -> None:
    with pytest.raises(UnknownDestination, match="named ehco") as caught:
        choose_trunk("ehco", [TrunkRule("demo", ("echo",))])
    assert caught.value.sip_status == 404
    assert "spelling" in caught.value.hint
    assert "whoever runs the gateway" in caught.value.hint


def test_gateway_without_trunks_says_how_to_get_one() -> None:
    with pytest.raises(UnknownDestination, match="No trunk is configured") as caught:
        choose_trunk("112", [])
    assert "[trunk.NAME]" in caught.value.hint


def test_allow_list_of_a_token_uses_the_same_rules() -> None:
    assert is_allowed("+4930123", ["+49", "echo"])
    assert not is_allowed("+1212", ["+49", "echo"])
    assert not is_allowed("echo", [])


@pytest.mark.parametrize(
    ("text", "is_one"), [("+49", True), ("*21#", True), ("echo", False), ("+", False), ("", False)]
)
def test_numbers_are_digits_star_and_hash(text: str, is_one: bool) -> None:
    assert is_number(text) is is_one


@pytest.mark.parametrize(
    ("number", "user"),
    [
        ("100", "alice"),
        ("alice", "alice"),
        ("Alice", "alice"),
        ("+49301", "bob"),
        ("49301", "bob"),
        ("+49-30-1", "bob"),
        ("+49 (30) 1", "bob"),
        ("102", None),
        ("no such@one", None),
        ("", None),
    ],
)
def test_incoming_call_finds_its_user_by_name_or_number(number: str, user: str | None) -> None:
    assert find_user(number, {"alice": ["100"], "bob": ["+49301"]}) == user
