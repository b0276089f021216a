"""A number with its noun."""

from __future__ import annotations


def plural(number: int, noun: str, form: str = ",") -> str:
    """Count things: 1 cell, 2 cells. form: how the number is written."""
    return f"{number:{form}} {noun}{'' if number == 1 else 's'}"
