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


def print_pair(console: Console, found: PairReport, depth: int | None) -> None:
    """Print the orders of both sides, the cause of their difference, and an element of both."""
    first, second = found.sides
    same = first.standing == second.standing
    print_orders(console, first)
    print_orders(console, second, runtime=not same)
    names = found.names
    console.print(
        Text.assemble((f"{names[1]} against {names[0]}", "bold"), f": {_measured(found)}")
    )
    print_lines(console, _lines(found, names))
    drawn = [(side, name) for side, name in zip(found.sides, names, strict=True) if side.element]
    if drawn:
        console.print()
        print_trees(console, [side for side, _ in drawn], [name for _, name in drawn], depth)


def _measured(found: PairReport) -> str:
    """Say how many elements differ, and by how much."""
    difference = found.difference
    if difference is None:
        return "a side gave no output of the same shape"
    if difference.worst is None:
        return f"all {difference.elements:,} elements are equal"
    return (
        f"{difference.differing:,} of {difference.elements:,} elements differ, "
        f"|Δ| ≤ {difference.max_abs:.8e}"
    )


def _lines(found: PairReport, names: tuple[str, str]) -> list[Line]:
    if found.why is None:
        reasons = [side.reason for side in found.sides if side.reason]
        return [line("  cause", f"not looked for: {reasons[0]}")] if reasons else []
    lines = [cause_line(found.why)]
    if found.why.parted is not None:
        lines.append(splits_line(found.why.parted, names, found.baseline.axes))
    return lines
