"""The rows of a sweep: what is compared along one axis, a row a value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from convdiff.case.axes import filters
from convdiff.case.words import given, short
from convdiff.diagnose.verdicts import Verdict
from convdiff.plan.cell import Cell
from convdiff.report import sentences
from convdiff.report.groups import Group, Row, folded
from convdiff.report.headline import differences_of
from convdiff.result import CaseResult


@dataclass(frozen=True)
class SweepRow:
    """A value of an axis, or several whose bits are the same."""

    label: str
    row: Row
    measured: str
    ulp: str
    columns: tuple[int, ...]
    """The largest ulps at each position along the length; empty where nothing differs."""


@dataclass(frozen=True)
class ReferenceLine:
    """The comparisons with multiply + reduce_sum, summed up."""

    verdicts: Mapping[Verdict, int]
    max_ulp: int
    lengths: int
    """How many lengths were compared."""


def sweep_rows(case: CaseResult, rows: Sequence[Row]) -> list[SweepRow]:
    """Return a row for each group of the comparisons along one axis."""
    return [_sweep_row(case, group) for group in folded(case, rows)]


def against(rows: Sequence[Row]) -> str:
    """Say what the rows of an axis are held against, and which where lengths have several grids."""
    by_baseline: dict[str, list[int]] = {}
    for row in rows:
        by_baseline.setdefault(row.baseline, []).append(row.comparison.candidate.length)
    if rows[0].axis != "length" or len(by_baseline) == 1:
        return f"against {next(iter(by_baseline))}"
    parts = []
    for name, lengths in by_baseline.items():
        parts.append(f"{short(sorted(set(lengths)))} against {name}")
    return ", ".join(parts)


def _sweep_row(case: CaseResult, group: Group) -> SweepRow:
    row, measured = group[0], ""
    if len(group) == 1:
        measured = row.measured
    return SweepRow(_label(case, group), row, measured, given(row.ulp, "{} ulp"), ulps_along(row))


def ulps_along(row: Row) -> tuple[int, ...]:
    """Return the largest ulps at each position along the length, where anything differs."""
    difference = row.comparison.difference
    if difference is None or difference.by_column is None:
        return ()
    return tuple(int(ulp) for ulp in difference.by_column)


def _label(case: CaseResult, group: Group) -> str:
    axis, cell = group[0].axis, group[0].comparison.candidate
    parts = []
    if axis == "length" or len(case.case.lengths) > 1:
        parts.append(_lengths(cell, group))
    if axis == "batch" or len(case.case.batches) > 1:
        parts.append(f"batch {cell.batch}")
    if cell.channels:
        parts.append(filters(cell.channels))
    if axis == "repeat":
        parts.append(f"run {cell.repeat + 1}")
    if len(case.runtimes) > 1:
        parts.append(sentences.number(cell, case))
    if cell.is_reference:
        parts.append(cell.op)
    return " ".join(parts)


def _lengths(cell: Cell, group: Group) -> str:
    if len(group) == 1:
        return f"T={cell.length}"
    last = group[-1].comparison.candidate.length
    return f"T={cell.length}…{last} ({len(group):,})"


def reference_line(rows: Sequence[Row]) -> ReferenceLine:
    """Sum the comparisons with multiply + reduce_sum up."""
    verdicts = Counter(row.verdict for row in rows)
    lengths = {row.comparison.candidate.length for row in rows}
    differences = differences_of([row.finding for row in rows])
    max_ulp = max((one.max_ulp for one in differences), default=0)
    return ReferenceLine(dict(sorted(verdicts.items())), max_ulp, len(lengths))
