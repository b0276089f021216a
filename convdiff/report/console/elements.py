"""The table of differing elements, worst first."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from convdiff.compare.comparison import Comparison
from convdiff.report.console import style, words
from convdiff.report.numbers import count, decimal, delta
from convdiff.result import CaseResult

WIDEST = 80
"""Columns; a table that needs more would lose digits, and so is drawn tall."""

Row = tuple[str, str, str, str, str, str]
"""index, baseline, candidate, Δ, ulp, exact"""


def element_table(comparison: Comparison, case: CaseResult) -> Table:
    """Return index, both values, Δ, ulps and the exact value of the worst elements."""
    assert comparison.difference is not None and comparison.difference.worst is not None
    assert comparison.exact is not None
    worst = comparison.difference.worst
    rows: list[Row] = [
        (
            ",".join(str(int(i)) for i in worst.index[row]),
            decimal(worst.baseline[row]),
            decimal(worst.candidate[row]),
            delta(float(worst.delta[row])),
            count(int(worst.ulp[row])),
            decimal(comparison.exact[row]),
        )
        for row in range(len(worst))
    ]
    colours = [style.severity(int(ulp)) for ulp in worst.ulp]
    names = words.sides(comparison, case)
    header = ("n,h,w,c", *names, "Δ", "ulp", "exact")
    width = sum(max(map(len, column)) + 2 for column in zip(header, *rows, strict=True))
    draw = _wide if width <= WIDEST else _tall
    return draw(names, rows, colours)


def _wide(names: tuple[str, str], rows: list[Row], colours: list[str]) -> Table:
    """Draw an element a line."""
    table = _table("n,h,w,c", *names, "Δ", "ulp", "exact")
    for (index, baseline, candidate, off, ulp, exact), colour in zip(rows, colours, strict=True):
        changed = (Text(text, style=colour) for text in (candidate, off, ulp))
        table.add_row(index, baseline, *changed, Text(exact, style="dim"))
    return table


def _tall(names: tuple[str, str], rows: list[Row], colours: list[str]) -> Table:
    """Draw an element in three lines, its values under each other."""
    table = _table("n,h,w,c", "of", "value", "Δ", "ulp")
    for (index, baseline, candidate, off, ulp, exact), colour in zip(rows, colours, strict=True):
        changed = (Text(text, style=colour) for text in (candidate, off, ulp))
        table.add_row(index, names[0], baseline)
        table.add_row("", names[1], *changed)
        table.add_row("", Text("exact", style="dim"), Text(exact, style="dim"))
    return table


def _table(*header: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 1), header_style="dim")
    table.add_column(header[0], no_wrap=True)
    for name in header[1:]:
        table.add_column(name, justify="right", no_wrap=True)
    return table
