"""An error's line of its file, with a caret under the character that it is about."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convdiff.case.excerpt import LONGEST, excerpt, told
from convdiff.case.forms.misfit import MOST
from convdiff.case.yaml_source import parse_source
from convdiff.errors import CaseError, Place


def pointed_at(text: str, column: int) -> str:
    """Return the character of the shown line above the caret, counted as a terminal does."""
    shown, caret = excerpt(Place("f", 1, column, text))
    at, columns = caret.index("^"), 0
    assert caret.strip() == "^"
    for one in shown:
        if columns == at and unicodedata.category(one) not in ("Mn", "Me"):
            return one
        columns += width(one)
    return ""


def width(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(one) in "WF" for one in text)
    return len(text) + wide - sum(unicodedata.category(one) in ("Mn", "Me") for one in text)


@pytest.mark.parametrize(
    ("text", "column", "shown", "blanks"),
    [
        ("strides: 0", 10, "strides: 0", 9),
        ("a:\t0", 4, "a: 0", 3),
        ("名: x", 4, "名: x", 4),
        ("name: e\u0301, y", 10, "name: e\u0301, y", 8),
        ("a: \x1b[31m", 4, "a: \N{REPLACEMENT CHARACTER}[31m", 3),
        ("a: b", 5, "a: b", 4),
    ],
)
def test_the_caret_stands_below_its_character(text: str, column: int, shown: str, blanks: int):
    assert excerpt(Place("f", 1, column, text)) == (f"  {shown}", f"  {' ' * blanks}^")


def test_nothing_is_shown_of_a_line_that_is_not_known_or_empty():
    assert excerpt(Place("f", 3, 1)) == ()
    assert excerpt(Place("f", 3, 1, "  ")) == ()


@pytest.mark.parametrize("column", [1, 50, 99, 100, 101, 5000, 9999, 10_000, 10_001])
@pytest.mark.parametrize("sign", ["x", "名"])
def test_a_long_line_is_cut_around_the_caret(column: int, sign: str):
    text = sign * (column - 1) + "!" + sign * (10_000 - column)
    shown, _ = excerpt(Place("f", 1, column, text))
    assert width(shown) <= LONGEST
    assert pointed_at(text, column) == "!"
    assert shown.startswith("  ...") == (width(text[: column - 1]) > 60)
    assert shown.endswith("...") == (column < 9900)


@given(st.text(max_size=300), st.integers(1, 301))
def test_whatever_a_line_holds_the_caret_points_at_its_character(text: str, column: int):
    lines = excerpt(Place("f", 1, column, text))
    if not lines:
        assert not text.strip()
        return
    shown, caret = lines
    assert shown.isprintable() and width(shown) <= LONGEST
    assert caret.index("^") <= LONGEST
    if column <= len(text) and width(text[column - 1]) and text[column - 1].isprintable():
        assert pointed_at(text, column) == text[column - 1]


def test_all_errors_are_told_and_counted_up_to_a_number():
    one, *rest = (CaseError(Place("f", n, 1, "x"), "wrong") for n in range(1, 31))
    one.others = tuple(rest)
    lines = list(told(one))
    assert lines[:4] == ["f:1:1: wrong", "  x", "  ^", "f:2:1: wrong"]
    assert len(lines) == 3 * MOST + 1
    assert lines[-1] == f"30 errors or more, of which {MOST} are shown"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a: 1\r\nb: [\r\n", ""),
        ("a: 1\r\nb: 'x' y\r\n", "b: 'x' y"),
        ("a: 1\rb: !x 2\r", "b: !x 2"),
        ("a: '\u2028\x85'\nb: !x 2\n", "b: !x 2"),
        ("a: 1\nb: \x07\n", "b: \N{REPLACEMENT CHARACTER}"),
    ],
)
def test_lines_are_counted_as_the_parser_counts_them(text: str, shown: str):
    with pytest.raises(CaseError) as caught:
        parse_source(text, "f")
    assert "".join(excerpt(caught.value.place)[:1]).strip() == shown
