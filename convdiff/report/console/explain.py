"""`convdiff explain` on the console: the orders, where each holds, and one element drawn."""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_letters, digits

from rich.console import Console
from rich.text import Text
from rich.tree import Tree as Drawing

from convdiff.explain_one import ElementReport
from convdiff.order.geometry import Geometry
from convdiff.order.orders import Orders
from convdiff.order.tree.notation import notation
from convdiff.order.tree.sum_up import summed_up
from convdiff.order.tree.tree import Tree
from convdiff.report.console.style import print_pairs
from convdiff.report.runtime_line import fingerprint

DRAWN = 32
"""Terms up to which a tree is drawn; larger orders are told as loop nests."""
ROWS = 12
"""Rows of the map."""
STATUS = {"proved": "bold green", "partial": "bold yellow", "unexplained": "bold red"}


def print_explanation(console: Console, found: ElementReport) -> None:
    """Print the answer, the runtime, each order, the map and the drawn element."""
    runtime = Text(found.standing.runtime.id, style="dim")
    if found.explanation is None or found.cell is None:
        said = Text.assemble((found.case.name, "bold"), f": {found.reason}")
        print_pairs(console, [(Text("UNTESTED", style="bold yellow"), said)])
        return
    status = found.explanation.status
    headline = Text.assemble((found.case.name, "bold"), ": ", _headline(found))
    print_pairs(console, [(Text(status.upper(), style=STATUS[status]), headline)])
    print_pairs(console, [(runtime, Text(fingerprint(found.standing), style="dim"))])
    console.print()
    _print_orders(console, found.explanation)
    if len(found.explanation.orders) > 1 or found.explanation.unexplained:
        _print_map(console, found.explanation, found.index[3])
    _print_element(console, found, found.explanation)


def _headline(found: ElementReport) -> str:
    assert found.explanation is not None and found.cell is not None
    replayed, total = found.explanation.replayed
    orders = len(found.explanation.orders)
    return (
        f"{found.cell.op} at length {found.cell.length}: {replayed:,} of {total:,} elements "
        f"replayed bit for bit, {orders} order{'' if orders == 1 else 's'}, "
        f"{found.explanation.calls:,} probe calls"
    )


def _print_orders(console: Console, explanation: Orders) -> None:
    rows = []
    for letter, one in zip(_letters(explanation), explanation.orders, strict=True):
        text = Text.assemble(
            f"{one.count:,} element{'' if one.count == 1 else 's'}: ",
            (notation(one.order.tree), "bold"),
            f"\n{summed_up(one.order.tree, explanation.geometry.filter_hwio)}"
            f"{one.order.arithmetic.words}",
        )
        rows.append((Text(letter, style="bold cyan"), text))
    for refusal in explanation.refusals:
        rows.append((Text("?", style="yellow"), Text(f"{refusal.kind}: {refusal.reason}")))
    print_pairs(console, rows)
    console.print()


def _print_map(console: Console, explanation: Orders, channel: int) -> None:
    """Print a letter a position: which share an order. A question mark has none that is proved."""
    letters = [*_letters(explanation), "?"]
    batch, height, width, cout = explanation.geometry.output_nhwc
    which = explanation.which().reshape(batch * height, width, cout)
    where = f" in channel {channel}" if cout > 1 else ""
    console.print(Text(f"orders by position{where}, a row an output row", style="bold"))
    for row in which[:ROWS, :, channel]:
        console.print(Text("".join(letters[index] for index in row), style="cyan"))
    if len(which) > ROWS:
        console.print(f"… and {len(which) - ROWS:,} more rows")
    console.print()


def _print_element(console: Console, found: ElementReport, explanation: Orders) -> None:
    place = ",".join(map(str, found.index))
    if found.order < 0:
        console.print(f"element {place} has no proven order")
        return
    tree = explanation.orders[found.order].order.tree
    letter = _letters(explanation)[found.order]
    if tree.leaves > DRAWN:
        console.print(f"element {place} has order {letter}; {tree.leaves:,} terms are not drawn")
        return
    console.print(Text(f"element {place}, order {letter}, with its partial sums", style="bold"))
    console.print(_drawn(tree, tree.root, found.sums, explanation.geometry))
    if tree.fused_taps():
        console.print(Text("* a fused multiply-add: this product is not rounded", style="dim"))


def _drawn(tree: Tree, node: int, sums: Mapping[int, float], geometry: Geometry) -> Drawing:
    """Draw a node with all below it; at most `DRAWN` terms deep."""
    if node < tree.leaves:
        label = "bias" if node >= tree.taps else f"{node} (kh,kw,cin) = {geometry.name(node)}"
        return Drawing(Text(label))
    parts, fused = tree.children[node - tree.leaves], tree.fused[node - tree.leaves]
    drawing = Drawing(Text(f"+ {sums[node]:.10g}" if node in sums else "+", style="bold"))
    for part in parts:
        below = _drawn(tree, part, sums, geometry)
        if part == fused:
            below.label = Text.assemble(str(below.label), ("  *", "yellow"))
        drawing.add(below)
    return drawing


def _letters(explanation: Orders) -> list[str]:
    """Return a letter for each order; the rare ones after the 62nd share a plus sign."""
    names = ascii_letters + digits + "+" * len(explanation.orders)
    return list(names[: len(explanation.orders)])
