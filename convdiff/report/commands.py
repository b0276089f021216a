"""The commands that go on from a case."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Commands:
    """What a person types to go on from a case; "" where there is nothing to type."""

    again: str = ""
    """Repeats its worst comparison."""
    explain: str = ""
    """Draws its orders, where any are known."""
    search: str = ""
    """What `convdiff cure` and `shrink` are given for it, with a space before."""
