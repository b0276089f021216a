"""`convdiff explain` of two outputs on the console: the orders of both, and why they differ."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from convdiff.explaining.model import PairReport
from convdiff.report.console.explain import print_orders
from convdiff.report.console.style import print_lines
from convdiff.report.console.tree import print_trees
from convdiff.report.marks import Line, line
from convdiff.report.why import cause_line, splits_line


def print_pair(console: Console, pair: PairReport, depth: int | None) -> None:
    """Print the orders of both sides, the cause of their difference, and an element of both."""
    first, second = pair.sides
    same = first.standing == second.standing
    print_orders(console, first)
    print_orders(console, second, runtime=not same)
    names = pair.names
    console.print(Text.assemble((f"{names[1]} against {names[0]}", "bold"), f": {_measured(pair)}"))
    print_lines(console, _lines(pair, names))
    drawn = [(name, side) for name, side in zip(names, pair.sides, strict=True) if side.element]
    if drawn:
        console.print()
        print_trees(console, drawn, depth)


def _measured(pair: PairReport) -> str:
    """Say how many elements differ, and by how much."""
    difference = pair.difference
    if difference is None:
        return "a side gave no output of the same shape"
    if difference.worst is None:
        return f"all {difference.elements:,} elements are equal"
    return (
        f"{difference.differing:,} of {difference.elements:,} elements differ, "
        f"|Δ| ≤ {difference.max_abs:.8e}"
    )


def _lines(pair: PairReport, names: tuple[str, str]) -> list[Line]:
    if pair.why is None:
        reasons = [side.reason for side in pair.sides if side.reason]
        return [line("  cause", f"not looked for: {reason}") for reason in reasons[:1]]
    lines = [cause_line(pair.why)]
    if pair.why.parted is not None:
        lines.append(splits_line(pair.why.parted, names, pair.baseline.axes))
    return lines
