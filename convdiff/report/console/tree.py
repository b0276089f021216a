"""Summation orders of one element drawn on the console: one, or two beside each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from convdiff.case.words import given
from convdiff.explaining.model import ElementReport
from convdiff.report.console.letters import letters
from convdiff.report.console.style import MARKS
from convdiff.report.numbers import short
from convdiff.report.tree_rows import MARK, Drawing, Row, drawing_of

TITLES = ("term", "sum so far")
GAP = 2
"""Columns between two drawings."""
PARTS = f"bold {MARKS['calm']}"
AT_ONCE = "terms without a sum are added at once with the next one that has one"


Named = Sequence[tuple[str, ElementReport]]
"""Outputs, with what they are called; "" where there is only one."""


def print_trees(console: Console, named: Named, depth: int | None) -> None:
    """Draw the element of one output, or of two: beside each other where there is room."""
    drawings, tables, left = [], [], []
    for name, side in named:
        drawing = drawing_of(side, depth)
        if drawing is not None:
            drawings.append(drawing)
            tables.append(_table(side, drawing, name))
        elif side.element is not None:
            left.append(_no_order(side, name))
    _say_element(console, named[0][1], drawn=bool(drawings))
    _say_values(console, named)
    for line in left:
        console.print(line)
    if not drawings:
        return
    widths = [console.measure(table).maximum for table in tables]
    if sum(widths) + GAP * (len(tables) - 1) <= console.width:
        beside = Table.grid(padding=(0, GAP, 0, 0))
        beside.add_row(*tables)
        console.print(beside)
    else:
        for table in tables:
            console.print(table)
    _legend(console, drawings)
    for step in dict.fromkeys(drawing.step for drawing in drawings if drawing.step):
        console.print(Text(f"{step}: the sums are those without it", style="dim"))


def _no_order(side: ElementReport, name: str) -> str:
    what = "sees padding alone" if side.is_on_padding else "has no proven order"
    if not name:
        return f"it {what}"
    return f"{name} {what} there"


def _say_element(console: Console, side: ElementReport, *, drawn: bool) -> None:
    """Say which element is looked at, why it is this one, and what is drawn of it."""
    element = side.element
    if element is not None:
        index = side.axes.index(element.index)
        why = given(element.why, ", {}")
        what = given(drawn, ": its products and partial sums")
        console.print(Text.assemble((f"element {index}", "bold"), f"{why}{what}"))


def _say_values(console: Console, named: Named) -> None:
    """Say what the element is on each side, and how far that is from exact."""
    parts: list[str] = []
    for name, side in named:
        element, dtype = side.element, side.case.conv.dtype
        if element is None:
            continue
        parts = parts or [f"exact {short(element.exact, dtype)}"]
        value = f"{name or side.cell.op} {short(element.output, dtype)}"
        if math.isfinite(element.error):
            off = given(element.error, "{:+.3g} off") or "correctly rounded"
            value += f" ({off})"
        parts.append(value)
    if parts:
        console.print("; ".join(parts), highlight=False)


def _table(side: ElementReport, drawing: Drawing, name: str) -> Group:
    """Return a drawing: the tree, the value of each term, the sum so far."""
    element, orders, geometry = side.element, side.explanation, side.geometry
    assert element is not None and orders is not None and geometry is not None
    table = Table.grid(padding=(0, 1, 0, 0))
    for justify in ("left", "right", "right", "left"):
        table.add_column(justify=justify, no_wrap=True)
    table.add_row(*(Text(title, style="dim") for title in (geometry.axes, *TITLES)))
    for row in drawing.rows:
        table.add_row(*_cells(row, geometry.dtype))
    where = orders.where(orders.orders[element.order])
    parts = (name, f"order {letters(orders)[element.order]}", where)
    return Group(Text(", ".join(filter(None, parts)), style="bold"), table)


def _cells(row: Row, dtype: str) -> list[Text]:
    label = Text.assemble((row.guides, "dim"), row.label)
    if row.fused:
        label.append("*", style="bold")
    value, total = Text(short(row.value, dtype)), Text(style="bold")
    if row.value_parts:
        value.style = PARTS
    if row.total is not None:
        total.append(short(row.total, dtype))
    if row.total_parts:
        total.stylize(PARTS)
    return [label, value, total, Text(MARK * row.parts, style=PARTS)]


def _legend(console: Console, drawings: Sequence[Drawing]) -> None:
    """Say what the marks mean, and what is not drawn."""
    rows = list(chain.from_iterable(drawing.rows for drawing in drawings))
    hidden = max(drawing.hidden for drawing in drawings)
    marked = any(row.parts for row in rows)
    hidden_too = given(any(one.hides_parts for one in drawings), ", or what hides it")
    left = f"{hidden:,} of {drawings[0].terms:,} terms are not drawn; --all, or --depth N"
    legend = {
        "* a fused multiply-add: this product is not rounded": any(row.fused for row in rows),
        f"{MARK} the first sum of the same terms that differs{hidden_too}": marked,
        AT_ONCE: any(drawing.at_once for drawing in drawings),
        left: hidden > 0,
    }
    for line, holds in legend.items():
        if holds:
            console.print(Text(line, style="dim"))
