from call.journal import KEEP_FIRST, KEEP_LAST, MAX_TEXT, Entry, Journal


def test_entries_keep_their_order_and_count_from_the_start_of_the_call() -> None:
    journal = Journal(started=100.0)
    journal.note(100.0, "call", "INVITE", "alice calls echo")
    journal.note(100.25, "callee", "180")
    assert journal.entries == (
        Entry(0, "call", "INVITE", "alice calls echo"),
        Entry(250, "callee", "180", ""),
    )
    assert journal.omitted == 0


def test_flood_costs_the_middle_and_neither_beginning_nor_end() -> None:
    journal = Journal(0.0)
    for number in range(KEEP_FIRST + KEEP_LAST + 7):
        journal.note(number, "call", str(number))
    whats = [int(entry.what) for entry in journal.entries]
    assert whats[:KEEP_FIRST] == list(range(KEEP_FIRST))
    assert whats[KEEP_FIRST:] == list(range(KEEP_FIRST + 7, KEEP_FIRST + KEEP_LAST + 7))
    assert journal.omitted == 7


def test_full_journal_that_lost_nothing_says_so() -> None:
    journal = Journal(0.0)
    for number in range(KEEP_FIRST + KEEP_LAST):
        journal.note(number, "call", str(number))
    assert (len(journal.entries), journal.omitted) == (KEEP_FIRST + KEEP_LAST, 0)


def test_long_words_are_cut() -> None:
    journal = Journal(0.0)
    journal.note(0.0, "call", "w" * 3 * MAX_TEXT, "y" * 3 * MAX_TEXT)
    assert (len(journal.entries[0].what), len(journal.entries[0].why)) == (MAX_TEXT, MAX_TEXT)
