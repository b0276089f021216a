"""The summation order of each runtime, where one was proved on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from convdiff.diagnose.verdict import Finding
from convdiff.runtime.model import Runtime


def runtime_orders(findings: Sequence[Finding]) -> Mapping[Runtime, str]:
    """Return, for each runtime, the notation of the order that most of its longest output has."""
    found: dict[Runtime, tuple[int, int, str]] = {}
    for finding in findings:
        if finding.why is None:
            continue
        sides = {"baseline": finding.comparison.baseline, "candidate": finding.comparison.candidate}
        for order in finding.why.orders:
            cell = sides[order.side]
            if cell.is_reference:
                continue
            weight = (cell.length, order.elements, order.notation)
            found[cell.runtime] = max(found.get(cell.runtime, weight), weight)
    return {runtime: notation for runtime, (_, _, notation) in found.items()}
