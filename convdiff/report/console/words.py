"""Sentences of the console report, made from a result's own fields."""

from __future__ import annotations

from convdiff.case.axes import AXES
from convdiff.case.ranges import write_range
from convdiff.compare.comparison import Comparison
from convdiff.diagnose.safe_lengths import SafeLengths
from convdiff.plan.cell import Cell
from convdiff.report.numbers import count
from convdiff.result import CaseResult


def sides(comparison: Comparison, case: CaseResult) -> tuple[str, str]:
    """Name both sides by what tells them apart."""
    return (
        _of(comparison.baseline, comparison, case),
        _of(comparison.candidate, comparison, case),
    )


def _of(cell: Cell, comparison: Comparison, case: CaseResult) -> str:
    if comparison.axis == "baseline":
        return _recorded(cell, comparison)
    side = AXES[comparison.axis].side
    return number(cell, case) if side is None else side(cell)


def _recorded(cell: Cell, comparison: Comparison) -> str:
    """Name a recording's side, or what was run now; with its length where they are unlike."""
    name = cell.runtime.origin or "now"
    unlike = comparison.baseline.length != comparison.candidate.length
    return f"{name} T={cell.length}" if unlike else name


def number(cell: Cell, case: CaseResult) -> str:
    """Return a runtime's number in the report's list of runtimes."""
    if cell.runtime not in case.runtimes:
        return cell.runtime.origin
    return f"#{case.runtimes.index(cell.runtime) + 1}"


def context(comparison: Comparison, case: CaseResult) -> str:
    """Name what both sides share, as far as the case has more than one of it."""
    cell, parts = comparison.candidate, []
    if comparison.axis != "length" and len(case.case.lengths) > 1:
        parts.append(f"T={cell.length}")
    if comparison.axis != "batch" and len(case.case.batches) > 1:
        parts.append(f"batch {cell.batch}")
    recorded = comparison.baseline.runtime in case.runtimes and comparison.axis == "baseline"
    if recorded and len(case.runtimes) > 2:
        parts.append(f"{number(cell, case)} against {number(comparison.baseline, case)}")
    elif not recorded and not AXES[comparison.axis].between_runtimes:
        parts += [number(cell, case)] if len(case.runtimes) > 1 else []
    if comparison.axis != "reference" and cell.is_reference:
        parts.append(cell.op)
    return " ".join(parts)


def nearer(comparison: Comparison, case: CaseResult) -> str:
    """Say which side is closer to the correctly rounded result."""
    found = comparison.nearness
    if found is None:
        return ""
    baseline, candidate = sides(comparison, case)
    errors = f"{baseline}: {found.baseline_abs:.3g}, {candidate}: {found.candidate_abs:.3g}"
    if found.nearer == "neither":
        return f"both; their largest errors are equal ({errors})"
    name = baseline if found.nearer == "baseline" else candidate
    return f"{name} is closer to the exact result (largest error: {errors})"


def safe(found: SafeLengths) -> str:
    """Say which lengths are safe, with the rule where there is one."""
    if found.untested and not found.lengths[:-1] and not found.unsafe:
        return f"untested against T={found.longest}"
    if found.unstable:
        return f"none can be named: length {short(list(found.unstable))} gives other bits each time"
    tried = f"on this input and on {found.inputs} or more random ones"
    if not found.unsafe:
        text = f"all lengths agree with T={found.longest} {tried}"
    elif len(found.lengths) == 1:
        text = f"none agrees with T={found.longest}"
    else:
        listed = found.rule or short(list(found.lengths[:-1]))
        text = f"{listed}: bit-identical to T={found.longest} {tried}"
    if found.proved:
        every = len(found.proved) == len(found.lengths) - 1
        which = "all of them" if every else short(list(found.proved))
        text += f"; proved safe by equal orders: {which}"
    return text + (f"; untested: {short(list(found.untested))}" if found.untested else "")


def measured(comparison: Comparison) -> str:
    """Say how many elements differ."""
    difference = comparison.difference
    if difference is None:
        return "—"
    if not difference.differing:
        return f"0/{count(difference.elements)}"
    return f"{count(difference.differing)}/{count(difference.elements)}"


def largest(comparison: Comparison) -> tuple[str, str]:
    """Return the largest difference and the largest distance in ulps."""
    difference = comparison.difference
    if difference is None or difference.worst is None:
        return "", ""
    return f"{float(difference.worst.delta[0]):+.2e}", count(difference.max_ulp)


def short(values: list[int]) -> str:
    """Write whole numbers as ranges, cut where there are many."""
    text = write_range(tuple(values))
    parts = text.split(", ")
    return text if len(parts) <= 8 else ", ".join(parts[:7]) + f", … {len(values)} in all"
