"""How counts and lists are written: 1 cell, 2 cells; a, b and 3 more; a phrase or nothing."""

from __future__ import annotations

from collections.abc import Sequence

from convdiff.case.ranges import write_range

NAMED = 5
"""Names of a list that are written out."""
RANGES = 8
"""Ranges of whole numbers that are written out."""


def plural(number: int, noun: str, form: str = ",") -> str:
    """Count things: 1 cell, 2 cells. form: how the number is written."""
    return f"{number:{form}} {one_or_many(number, noun, f'{noun}s')}"


def one_or_many(number: int, one: str, many: str) -> str:
    """Return the word for a number of things: is or are, differs or differ."""
    return one if number == 1 else many


def few(names: Sequence[str], most: int = NAMED) -> str:
    """Name some of many."""
    left = max(0, len(names) - most)
    return ", ".join(names[:most]) + given(left, " and {:,} more")


def short(values: Sequence[int]) -> str:
    """Write whole numbers as ranges, cut where there are many."""
    text = write_range(tuple(values))
    parts = text.split(", ")
    if len(parts) <= RANGES:
        return text
    return ", ".join(parts[: RANGES - 1]) + f", … {len(values)} in all"


def given(value: object, phrase: str) -> str:
    """Return a phrase with a value in its braces; "" where the value is none, 0, false or empty."""
    return phrase.format(value) if value else ""
