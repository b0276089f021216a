"""Ranges of whole numbers: read as people write them, written so that they read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convdiff.case.ranges import LONGEST, parse_range, write_range


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("7", (7,)),
        ("7..9", (7, 8, 9)),
        ("7..7", (7,)),
        ("7..20:7", (7, 14)),
        ("7..21:7", (7, 14, 21)),
        ("1,2,8..10", (1, 2, 8, 9, 10)),
        (" 9 , 1 .. 3 : 2 ", (1, 3, 9)),
        ("3,1,3", (1, 3)),
    ],
)
def test_a_range_includes_both_ends_sorted_and_once(text, values):
    assert parse_range(text) == values


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not a range"),
        ("1,,2", "is not a range"),
        ("-1", "is not a range"),
        ("1...2", "is not a range"),
        ("1.5", "is not a range"),
        ("1..2:", "is not a range"),
        ("9..7", "counts down; write 7..9"),
        ("1..9:0", "step"),
        (f"1..{LONGEST + 1}", "more than 100,000"),
        ("1..99999999999", "^99999999999 is too large; at most 10 digits"),
        ("9" * 20, "^9+ is too large"),
        ("1..2:" + "9" * 11, "is too large"),
        ("1," + "9" * 5000, "^9{37}… is too large"),
        ("a" * 100, "^'a{36}… is not a range"),
        (",".join(f"{n}..{n + 99_998}" for n in range(1, 10**8, 99_999)), "more than 100,000"),
    ],
)
def test_what_is_no_range_says_why(text, words):
    with pytest.raises(ValueError, match=words):
        parse_range(text)


def test_the_longest_range_is_still_allowed():
    assert len(parse_range(f"1..{LONGEST}")) == LONGEST


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((7,), "7"),
        ((7, 8), "7, 8"),
        ((7, 8, 9), "7..9"),
        ((5, 6, 7, 8, 12, 16, 20), "5..8, 12..20:4"),
        ((1, 3, 5, 6), "1..5:2, 6"),
        ((), ""),
    ],
)
def test_a_range_is_written_short(values, text):
    assert write_range(values) == text


@pytest.mark.slow
@given(st.sets(st.integers(0, 10**10 - 1), min_size=1, max_size=60))
def test_any_set_of_numbers_reads_back_as_written(numbers):
    values = tuple(sorted(numbers))
    assert parse_range(write_range(values)) == values


@given(st.integers(0, 1000), st.integers(0, 500), st.integers(1, 40))
def test_a_range_with_a_step_is_pythons(first, count, step):
    last = first + count
    assert parse_range(f"{first}..{last}:{step}") == tuple(range(first, last + 1, step))
