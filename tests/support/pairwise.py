"""Few rows in which any two values of different factors meet: instead of the whole product."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any


def pairwise(factors: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return rows, a value of each factor, that hold every pair; greedily, always the same ones."""
    names = list(factors)
    left = {
        ((one, a), (two, b))
        for one, two in itertools.combinations(range(len(names)), 2)
        for a in range(len(factors[names[one]]))
        for b in range(len(factors[names[two]]))
    }
    rows = []
    while left:
        row: dict[int, int] = dict(min(left))
        for place, name in enumerate(names):
            if place not in row:
                values = range(len(factors[name]))
                row[place] = max(values, key=lambda v: len(_met({**row, place: v}) & left))
        left -= _met(row)
        rows.append({name: factors[name][row[place]] for place, name in enumerate(names)})
    return rows


def _met(row: Mapping[int, int]) -> set[tuple[tuple[int, int], tuple[int, int]]]:
    """Return the pairs of (factor, value) that a row holds, by number."""
    return set(itertools.combinations(sorted(row.items()), 2))
