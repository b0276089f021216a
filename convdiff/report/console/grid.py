"""The square of a pairwise comparison: at a glance, who agrees bit for bit with whom."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from convdiff.diagnose.agreement import Agreement, Pair
from convdiff.diagnose.verdicts import VERDICTS
from convdiff.report.console.style import MARKS
from convdiff.report.numbers import count
from convdiff.runtime.model import Runtime

NAME = 40
"""Columns of a runtime's name; a longer one is cut, and stands whole above the square."""
SHORT = 12
"""Columns that a name and an order need."""


def print_grid(
    console: Console,
    agreement: Agreement,
    sizes: str = "",
    orders: Mapping[Runtime, str] | None = None,
) -> None:
    """Print the square and the groups that agree; beside it the runtimes' orders, where given.

    sizes: of which lengths and batches it is.
    """
    console.print(_square(console, agreement, orders or {}))
    console.print(
        Text("= bitwise equal; a number: rounding, in ulps at most; !: drift", style="dim")
    )
    if sizes:
        console.print(Text(sizes, style="dim"))
    for group in agreement.alike:
        if len(group) > 1:
            names = " = ".join(agreement.runtimes[number].id for number in group)
            console.print(Text(f"same bits: {names}"))
    console.print()


def _square(console: Console, agreement: Agreement, orders: Mapping[Runtime, str]) -> Table:
    """Return the square; on a narrow console names give way to it, and orders to both."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    cells = [list(map(_cell, row)) for row in agreement.pairs]
    left = console.width - sum(max(map(len, column)) + 1 for column in zip(*cells, strict=True))
    shares = 2 if orders else 1
    name = min(NAME, max(SHORT, left // shares))
    shown = left - name >= SHORT and bool(orders)
    table.add_column("", no_wrap=True, overflow="ellipsis", max_width=name)
    for number in range(len(agreement.runtimes)):
        table.add_column(f"#{number + 1}", justify="right", no_wrap=True)
    if shown:
        table.add_column("order", no_wrap=True, overflow="ellipsis", ratio=1)
    for number, row in enumerate(cells):
        runtime = agreement.runtimes[number]
        if shown:
            row.append(Text(orders.get(runtime, ""), style="dim"))
        table.add_row(Text(f"#{number + 1} {runtime.id}"), *row)
    return table


def _cell(pair: Pair | None) -> Text:
    if pair is None:
        return Text("·", style="dim")
    short = VERDICTS[pair.verdict].short or pair.verdict
    if pair.verdict == "rounding":
        short = count(pair.max_ulp)
    text = Text(short, style=MARKS[VERDICTS[pair.verdict].tone])
    if not pair.allowed:
        text.append("!", style=MARKS["grave"])
    return text
