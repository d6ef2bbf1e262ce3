from gateway.tomllines import line_index, line_of

DOCUMENT = """# a comment
[listen]
port = 8080

[trunk."my carrier"]
 host = "h"
'user' = "u"
quirks.early = true

[[network]]
bind = "127.0.0.1"
[[network]]
bind = "192.0.2.1"
[network.more]
x = 1
"""


def test_tables_and_keys_have_their_lines() -> None:
    assert line_index(DOCUMENT) == {
        ("listen",): 2,
        ("listen", "port"): 3,
        ("trunk",): 5,
        ("trunk", "my carrier"): 5,
        ("trunk", "my carrier", "host"): 6,
        ("trunk", "my carrier", "user"): 7,
        ("trunk", "my carrier", "quirks", "early"): 8,
        ("network",): 10,
        ("network", 0): 10,
        ("network", 0, "bind"): 11,
        ("network", 1): 12,
        ("network", 1, "bind"): 13,
        ("network", 1, "more"): 14,
        ("network", 1, "more", "x"): 15,
    }


def test_location_without_a_line_falls_back_to_what_is_around_it() -> None:
    lines = line_index(DOCUMENT)
    assert line_of(("listen", "port"), lines) == 3
    assert line_of(("listen", "host"), lines) == 2
    assert line_of(("network", 1, "bind", 0), lines) == 13
    assert line_of(("auth",), lines) == 1
    assert line_of((), lines) == 1


def test_only_newlines_end_lines() -> None:
    assert line_index('a = "\u2028\x85"\nb = 1\n')[("b",)] == 2


def test_key_that_is_written_twice_is_named_by_its_first_line() -> None:
    assert line_index("[a]\nx = 1\n[b]\n[a]\nx = 2\n")[("a", "x")] == 2
