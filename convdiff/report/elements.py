"""The worst elements of a comparison, written out, and the table that they fill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from convdiff.compare.comparison import Comparison
from convdiff.report.marks import Grid, Mark, Span
from convdiff.report.numbers import count, decimal, delta

WIDEST = 80
"""Columns; a table that needs more would lose digits, and so is drawn tall."""


@dataclass(frozen=True)
class Element:
    """One differing element, in the numbers' own words."""

    index: str
    """n,h,w,c"""
    baseline: str
    candidate: str
    delta: str
    ulp: str
    exact: str
    mark: Mark
    """The verdict's: how grave it is, and not how many ulps, of which near zero there are many."""

    @property
    def cells(self) -> tuple[str, str, str, str, str, str]:
        """The element as a row: index, both values, Δ, ulps and the exact value."""
        return self.index, self.baseline, self.candidate, self.delta, self.ulp, self.exact


def elements_of(comparison: Comparison, most: int | None, mark: Mark) -> tuple[Element, ...]:
    """Return at most so many of the worst elements that were kept, the worst first.

    Among several is the one with the most ulps. mark: the verdict's.
    """
    difference, exact = comparison.difference, comparison.exact
    if difference is None or difference.worst is None:
        return ()
    worst = difference.worst
    right = ["—"] * len(worst) if exact is None else [decimal(one) for one in exact]
    ranks = range(len(worst)) if most is None else worst.ranks(most)
    return tuple(
        Element(
            ",".join(str(int(i)) for i in worst.index[row]),
            decimal(worst.baseline[row]),
            decimal(worst.candidate[row]),
            delta(float(worst.delta[row])),
            count(int(worst.ulp[row])),
            right[row],
            mark,
        )
        for row in ranks
    )


def header(names: tuple[str, str]) -> tuple[str, ...]:
    """Return the names of a row's columns."""
    return ("n,h,w,c", *names, "Δ", "ulp", "exact")


def element_grid(elements: Sequence[Element], names: tuple[str, str]) -> Grid:
    """Return the table of elements, a line each, or three where a line would be too wide."""
    columns = zip(header(names), *(element.cells for element in elements), strict=True)
    width = sum(max(map(len, column)) + 2 for column in columns)
    return _wide(elements, names) if width <= WIDEST else _tall(elements, names)


def _wide(elements: Sequence[Element], names: tuple[str, str]) -> Grid:
    rows = []
    for one in elements:
        differs = (Span(text, one.mark) for text in (one.candidate, one.delta, one.ulp))
        row = (Span(one.index), Span(one.baseline), *differs, Span(one.exact, "faint"))
        rows.append(row)
    return Grid(header(names), tuple(rows))


def _tall(elements: Sequence[Element], names: tuple[str, str]) -> Grid:
    none = Span("")
    rows: list[tuple[Span, ...]] = []
    for one in elements:
        differs = (Span(text, one.mark) for text in (one.candidate, one.delta, one.ulp))
        rows.append((Span(one.index), Span(names[0]), Span(one.baseline), none, none))
        rows.append((none, Span(names[1]), *differs))
        rows.append((none, Span("exact", "faint"), Span(one.exact, "faint"), none, none))
    return Grid(("n,h,w,c", "of", "value", "Δ", "ulp"), tuple(rows), names_within=True)
