"""Summation orders of one element drawn on the console: one, or two beside each other."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

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


def print_trees(
    console: Console, sides: Sequence[ElementReport], names: Sequence[str], depth: int | None
) -> None:
    """Draw the element of one output, or of two: beside each other where there is room."""
    drawings, left = [], []
    for side, name in zip(sides, names, strict=True):
        drawing = drawing_of(side, depth)
        if drawing is not None:
            drawings.append((side, drawing, name))
        elif side.element is not None:
            left.append(_no_order(side, name))
    _say_element(console, sides[0], drawn=bool(drawings))
    _say_values(console, sides, names)
    for line in left:
        console.print(line)
    if not drawings:
        return
    tables = [_table(side, drawing, name) for side, drawing, name in drawings]
    widths = [console.measure(table).maximum for table in tables]
    if sum(widths) + GAP * (len(tables) - 1) <= console.width:
        beside = Table.grid(padding=(0, GAP, 0, 0))
        beside.add_row(*tables)
        console.print(beside)
    else:
        for table in tables:
            console.print(table)
    _legend(console, [drawing for _, drawing, _ in drawings])
    _say_step(console, [side for side, _, _ in drawings])


def _say_step(console: Console, sides: Sequence[ElementReport]) -> None:
    """Say what follows the sums that are drawn."""
    for step in dict.fromkeys(side.step for side in sides if side.step):
        console.print(Text(f"{step}: the sums are those without it", style="dim"))


def _no_order(side: ElementReport, name: str) -> str:
    what = "sees padding alone" if side.is_on_padding else "has no proven order"
    return f"{name} {what} there" if name else f"it {what}"


def _say_element(console: Console, side: ElementReport, *, drawn: bool) -> None:
    """Say which element is looked at, why it is this one, and what is drawn of it."""
    element = side.element
    if element is not None:
        index = side.axes.index(element.index)
        why = f", {element.why}" if element.why else ""
        what = ": its products and partial sums" if drawn else ""
        console.print(Text.assemble((f"element {index}", "bold"), f"{why}{what}"))


def _say_values(console: Console, sides: Sequence[ElementReport], names: Sequence[str]) -> None:
    """Say what the element is on each side, and how far that is from exact."""
    parts: list[str] = []
    for side, name in zip(sides, names, strict=True):
        element, dtype = side.element, side.case.conv.dtype
        if element is None:
            continue
        parts = parts or [f"exact {short(element.exact, dtype)}"]
        off = f"{element.error:+.3g} off" if element.error else "correctly rounded"
        beside = f" ({off})" if math.isfinite(element.error) else ""
        parts.append(f"{name or side.cell.op} {short(element.output, dtype)}{beside}")
    if parts:
        console.print("; ".join(parts), highlight=False)


def _table(side: ElementReport, drawing: Drawing, name: str) -> Group:
    """Return a drawing: the tree, the value of each term, the sum so far."""
    element, orders, geometry = side.element, side.explanation, side.geometry
    assert element is not None and orders is not None and geometry is not None
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_row(*(Text(title, style="dim") for title in (geometry.axes, *TITLES)))
    for row in drawing.rows:
        table.add_row(*_cells(row, geometry.dtype))
    title = f"{name}, order " if name else "order "
    where = orders.where(orders.orders[element.order])
    title += letters(orders)[element.order] + (f", {where}" if where else "")
    return Group(Text(title, style="bold"), table)


def _cells(row: Row, dtype: str) -> list[Text]:
    label = Text.assemble((row.guides, "dim"), row.label, ("*" if row.fused else "", "bold"))
    value = Text(short(row.value, dtype), style=PARTS if row.value_parts else "")
    total = Text("" if row.total is None else short(row.total, dtype), style="bold")
    if row.total_parts:
        total.stylize(PARTS)
    return [label, value, total, Text(MARK if row.parts else "", style=PARTS)]


def _legend(console: Console, drawings: Sequence[Drawing]) -> None:
    """Say what the marks mean, and what is not drawn."""
    rows = [row for drawing in drawings for row in drawing.rows]
    hidden = max(drawing.hidden for drawing in drawings)
    marked = any(row.parts for row in rows)
    hidden_too = ", or what hides it" if any(one.hides_parts for one in drawings) else ""
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
