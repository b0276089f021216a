"""`convdiff explain` of one output on the console: the orders, where each holds, an element."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from convdiff.case.words import given, one_or_many, plural
from convdiff.explaining.model import ElementReport
from convdiff.order.orders import Orders
from convdiff.order.proved import ProvedOrder
from convdiff.order.tree.notation import notation
from convdiff.order.tree.sum_up import summed_up
from convdiff.order.words import in_words
from convdiff.report.console.letters import letters
from convdiff.report.console.style import MARKS, OUTCOMES, print_pairs
from convdiff.report.console.tree import print_trees
from convdiff.report.runtime_line import fingerprint

ROWS = 12
"""Rows of the map."""
PADDING = "·"
"""On the map: a position that sees padding alone."""
STATUS = {
    "proved": OUTCOMES["ok"],
    "partial": OUTCOMES["untested"],
    "unexplained": OUTCOMES["untested"],
}


def print_explanation(console: Console, report: ElementReport, depth: int | None) -> None:
    """Print the answer, the runtime, each order, the map and the drawn element."""
    print_orders(console, report)
    print_trees(console, [("", report)], depth)


def print_orders(console: Console, report: ElementReport, *, runtime: bool = True) -> None:
    """Print the answer, the runtime, each order and the map.

    runtime: whether the runtime is told here.
    """
    if report.explanation is None:
        reason = Text.assemble((report.case.name, "bold"), f": {report.reason}")
        print_pairs(console, [(Text("UNTESTED", style=OUTCOMES["untested"]), reason)])
        return
    status = report.explanation.status
    headline = Text.assemble((report.case.name, "bold"), ": ", _headline(report))
    print_pairs(console, [(Text(status.upper(), style=STATUS[status]), headline)])
    if runtime:
        name = Text(report.standing.runtime.id, style="dim")
        print_pairs(console, [(name, Text(fingerprint(report.standing), style="dim"))])
    console.print()
    _print_orders(console, report.explanation)
    if len(set(letters(report.explanation))) != 1 or report.explanation.unexplained:
        _print_map(console, report.explanation, report.element.index[3] if report.element else 0)


def _headline(report: ElementReport) -> str:
    assert report.explanation is not None
    replayed, total = report.explanation.replayed
    orders = len(set(letters(report.explanation)))
    where = f"{report.cell.op} at length {report.cell.length}"
    if report.case.batches[-1] > 1:
        where += f", batch {report.cell.batch}"
    return (
        f"{where}: {replayed:,} of {total:,} elements "
        f"replayed bit for bit, {orders} {one_or_many(orders, 'order', 'orders')}, "
        f"{report.explanation.calls:,} probe calls"
    )


def _print_orders(console: Console, explanation: Orders) -> None:
    rows, named = [], letters(explanation)
    for group in explanation.alike:
        orders = [explanation.orders[number] for number in group]
        rows.append((Text(named[group[0]], style="bold"), _told(explanation, orders)))
    if explanation.alone:
        text = f"{plural(explanation.alone, 'element')} on padding alone"
        rows.append((Text(PADDING, style="bold"), Text(text)))
    if explanation.left:
        text = f"without a proved order: {'; '.join(explanation.left)}"
        rows.append((Text("?", style=MARKS["warning"]), Text(text)))
    for refusal in explanation.refusals:
        rows.append((Text("?", style=MARKS["warning"]), Text(f"{refusal.kind}: {refusal.reason}")))
    print_pairs(console, rows)
    console.print()


def _told(explanation: Orders, orders: Sequence[ProvedOrder]) -> Text:
    """Tell the first of some orders that are alike, and where the elements of all of them lie."""
    first, *others = orders
    shape = explanation.geometry_of(first).filter_hwio
    words = in_words(explanation, first, summed_up)
    if any(explanation.geometry_of(one).filter_hwio != shape for one in others):
        words += "; with fewer taps, what is left of it"
    return Text.assemble(
        f"{plural(sum(order.count for order in orders), 'element')}: ",
        (notation(first.order.tree), "bold"),
        f"\n{words}",
        given("; ".join(explanation.places(orders)), "\n{}"),
    )


def _print_map(console: Console, explanation: Orders, channel: int) -> None:
    """Print a letter a position: which share an order. A question mark has none that is proved."""
    names = [*letters(explanation), PADDING, "?"]
    batch, height, width, cout = explanation.geometry.output_nhwc
    which = explanation.which()
    if explanation.padding is not None:
        which[explanation.padding] = len(explanation.orders)
    which = which.reshape(batch * height, width, cout)
    where = given(cout > 1, f" in channel {channel}")
    console.print(Text(f"orders by position{where}, a row an output row", style="bold"))
    for row in which[:ROWS, :, channel]:
        console.print(Text("".join(names[index] for index in row)))
    if len(which) > ROWS:
        console.print(f"… and {len(which) - ROWS:,} more rows")
    console.print()
