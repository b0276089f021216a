"""The worst elements of a comparison, written out, and the table that they fill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from convdiff.case.layout import Order
from convdiff.compare.comparison import Comparison
from convdiff.report.marks import Grid, Mark, Span
from convdiff.report.numbers import count, decimal, delta

WIDEST = 80
"""Columns; a table that needs more would lose digits, and so is drawn tall."""


@dataclass(frozen=True)
class Element:
    """One differing element, in the numbers' own words."""

    index: str
    axes: str
    """What its numbers are: n,h,w,c, or as the case's layout has them."""
    baseline: str
    candidate: str
    delta: str
    ulp: str
    exact: str
    """Empty where the baseline is the exact result."""
    mark: Mark
    """The verdict's: how grave it is, and not how many ulps, of which near zero there are many."""

    @property
    def cells(self) -> tuple[str, ...]:
        """The element as a row: index, both values, Δ, ulps and, where it has one, exact value."""
        cells = (self.index, self.baseline, self.candidate, self.delta, self.ulp)
        return (*cells, self.exact) if self.exact else cells


def elements_of(
    comparison: Comparison, order: Order, most: int | None, mark: Mark
) -> tuple[Element, ...]:
    """Return at most so many of the worst elements that were kept, the worst first.

    Among several is the one with the most ulps. order: of the case's inputs and outputs. mark: the
    verdict's.
    """
    difference = comparison.difference
    if difference is None or difference.worst is None:
        return ()
    worst = difference.worst
    exact, elements = _exact(comparison, len(worst)), []
    for rank in range(len(worst)) if most is None else worst.ranks(most):
        element = Element(
            order.index(worst.index[rank]),
            order.letters,
            decimal(worst.baseline[rank]),
            decimal(worst.candidate[rank]),
            delta(float(worst.delta[rank])),
            count(int(worst.ulp[rank])),
            exact[rank],
            mark,
        )
        elements.append(element)
    return tuple(elements)


def _exact(comparison: Comparison, size: int) -> list[str]:
    """Return the exact values of the elements that were kept, empty where they are the baseline."""
    if comparison.baseline.is_exact:
        return [""] * size
    if comparison.exact is None:
        return ["—"] * size
    return [decimal(value) for value in comparison.exact]


def header(elements: Sequence[Element], names: tuple[str, str]) -> tuple[str, ...]:
    """Return the names of the columns of some elements, of which there are any."""
    names_of_all = (elements[0].axes, *names, "Δ", "ulp", "exact")
    return names_of_all[: len(elements[0].cells)]


def element_grid(elements: Sequence[Element], names: tuple[str, str]) -> Grid:
    """Return the table of elements, a line each, or three where a line would be too wide."""
    wide = _wide(elements, names)
    return wide if wide.width <= WIDEST else _tall(elements, names)


def _wide(elements: Sequence[Element], names: tuple[str, str]) -> Grid:
    rows = []
    for one in elements:
        row = [Span(one.index), Span(one.baseline), *_differing(one)]
        if one.exact:
            row.append(Span(one.exact, "faint"))
        rows.append(tuple(row))
    return Grid(header(elements, names), tuple(rows))


def _differing(element: Element) -> list[Span]:
    return [Span(text, element.mark) for text in (element.candidate, element.delta, element.ulp)]


def _tall(elements: Sequence[Element], names: tuple[str, str]) -> Grid:
    none = Span("")
    rows: list[tuple[Span, ...]] = []
    for one in elements:
        rows.append((Span(one.index), Span(names[0]), Span(one.baseline), none, none))
        rows.append((none, Span(names[1]), *_differing(one)))
        if one.exact:
            rows.append((none, Span("exact", "faint"), Span(one.exact, "faint"), none, none))
    return Grid((elements[0].axes, "of", "value", "Δ", "ulp"), tuple(rows), names_within=True)
