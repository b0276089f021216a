"""What stands with a square of pairs: each runtime's order, and of which outputs all of it is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import chain

from convdiff.case.model import Case
from convdiff.case.words import short
from convdiff.diagnose.agreement import Agreement
from convdiff.diagnose.verdict import Finding
from convdiff.result import CaseResult
from convdiff.runtime.model import Runtime

Sizes = tuple[int, int]
"""A cell's length and batch."""
Orders = Mapping[Runtime, tuple[Sizes, str]]
"""The notation of one order of each runtime, and of which cell it is."""


def orders_beside(case: CaseResult) -> Mapping[Runtime, str]:
    """Return each runtime's order; before it its cell, where they are not all of one."""
    orders = _orders(case.findings)
    several = len(_cells(orders)) > 1
    beside = {}
    for runtime, (cell, notation) in orders.items():
        beside[runtime] = notation
        if several:
            beside[runtime] = f"{_named(case.case, [cell])}: {notation}"
    return beside


def sizes_below(case: CaseResult, agreement: Agreement, *, orders: bool) -> str:
    """Say at which sizes the ulps of a square are the most, and of which its orders are.

    Empty where the case has one length and one batch, or nothing differs. orders: they are shown.
    """
    if len(case.case.lengths) == len(case.case.batches) == 1:
        return ""
    named = []
    pairs = [pair for pair in chain(*agreement.pairs) if pair is not None]
    farthest = {pair.cell for pair in pairs if pair.cell is not None}
    if farthest:
        named.append(f"ulps of {_named(case.case, farthest)}")
    shown = _cells(_orders(case.findings))
    if orders and len(shown) == 1:
        named.append(f"orders of {_named(case.case, shown)}")
    return "; ".join(named)


def _cells(orders: Orders) -> set[Sizes]:
    return {cell for cell, _ in orders.values()}


def _named(case: Case, cells: Collection[Sizes]) -> str:
    """Name cells by their lengths and batches, as far as the case has several."""
    lengths, batches = (sorted(set(column)) for column in zip(*cells, strict=True))
    parts = []
    if len(case.lengths) > 1:
        parts.append(f"length {short(lengths)}")
    if len(case.batches) > 1:
        parts.append(f"batch {short(batches)}")
    return " ".join(parts)


def _orders(findings: Sequence[Finding]) -> Orders:
    """Return, for each runtime, the order that most of its longest output has."""
    longest: dict[Runtime, tuple[Sizes, int, str]] = {}
    for finding in findings:
        if finding.why is None:
            continue
        sides = {"baseline": finding.comparison.baseline, "candidate": finding.comparison.candidate}
        for order in finding.why.orders:
            cell = sides[order.side]
            if cell.is_reference:
                continue
            weight = ((cell.length, cell.batch), order.elements, order.notation)
            longest[cell.runtime] = max(longest.get(cell.runtime, weight), weight)
    return {runtime: (cell, notation) for runtime, (cell, _, notation) in longest.items()}
