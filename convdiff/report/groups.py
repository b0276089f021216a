"""Comparisons in rows, and which of them tell the same: one row, or one detail, stands for all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from convdiff.case.axes import AXES
from convdiff.diagnose.verdict import Finding
from convdiff.report import sentences
from convdiff.report.exactly import is_usual
from convdiff.report.headline import size
from convdiff.report.marks import Span, verdict_span
from convdiff.result import CaseResult

NAMED = 8
"""Members of a group that are named."""

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """A comparison in a line of a table."""

    finding: Finding
    baseline: str
    candidate: str
    """The sides, by what tells them apart."""
    where: str
    """What both sides share, as far as the case has more than one of it."""
    measured: str
    delta: str
    ulp: str

    @property
    def name(self) -> str:
        """Both sides, and where: 1 / 2, or T=7/T=9 batch 2."""
        return f"{self.candidate}/{self.baseline} {self.where}".strip()

    @property
    def names(self) -> tuple[str, str]:
        """What baseline and candidate are called."""
        return self.baseline, self.candidate

    @property
    def ruling(self) -> tuple[Span, ...]:
        """The verdict, and whether `expect` allows it."""
        spans = [verdict_span(self.finding.verdict)]
        if self.finding.lock == "changed":
            spans.append(Span(" ORDER", "grave"))
        if not self.finding.allowed:
            spans.append(Span(" DRIFT", "grave"))
        return tuple(spans)


def row_of(case: CaseResult, finding: Finding) -> Row:
    """Write a comparison as a row."""
    comparison = finding.comparison
    return Row(
        finding,
        *sentences.sides(comparison, case),
        sentences.context(comparison, case),
        sentences.measured(comparison),
        *sentences.largest(comparison),
    )


@dataclass(frozen=True)
class Some(Generic[T]):
    """The first of many, and how many are left out."""

    shown: tuple[T, ...]
    left: int


Group = tuple[Row, ...]
"""Rows that tell the same; the first stands for all."""


def folded(case: CaseResult, rows: Iterable[Row]) -> list[Group]:
    """Order rows by axis, runtime and length; neighbours that are `same` share one."""
    runtimes = {runtime: number for number, runtime in enumerate(case.runtimes)}

    def coordinates(row: Row) -> tuple[int, int, str, int, int, int]:
        """Return all but the length."""
        cell = row.finding.comparison.candidate
        runtime = runtimes.get(cell.runtime, len(runtimes))
        sizes = cell.batch, cell.channels, cell.repeat
        return axes[row.finding.comparison.axis], runtime, cell.op, *sizes

    rows = list(rows)
    axes: dict[str, int] = {}
    for row in rows:
        axes.setdefault(row.finding.comparison.axis, len(axes))
    rows.sort(key=lambda row: (*coordinates(row), row.finding.comparison.candidate.length))
    groups: list[list[Row]] = []
    for row in rows:
        before = groups[-1][0] if groups else None
        equal = before is not None and before.finding.verdict == row.finding.verdict == "same"
        if before is not None and equal and coordinates(before) == coordinates(row):
            groups[-1].append(row)
        else:
            groups.append([row])
    return list(map(tuple, groups))


def stories(rows: Iterable[Row]) -> list[Group]:
    """Group rows that are allowed, along one axis, for the same proved reason.

    Drift is told one by one. What compares convdiff's own sums comes last; of the others what was
    explained comes first, then what is largest.
    """
    groups: dict[object, list[Row]] = {}
    for number, row in enumerate(sorted(rows, key=_urgency)):
        groups.setdefault(_story(row.finding) or number, []).append(row)
    return list(map(tuple, groups.values()))


def _urgency(row: Row) -> tuple[bool, bool, bool, float]:
    finding = row.finding
    unexplained = finding.why is None or finding.why.status == "unexplained"
    cells = (finding.comparison.baseline, finding.comparison.candidate)
    own = any(cell.is_reference or cell.is_exact for cell in cells)
    return finding.allowed, own, unexplained, -size(finding)


def _story(finding: Finding) -> object | None:
    """Return what is told of a finding, where others may tell the same."""
    why = finding.why
    if not finding.allowed or why is None or why.status != "proved":
        return None
    orders = tuple(sorted({(o.side, o.notation, o.words) for o in why.orders}))
    return finding.comparison.axis, finding.verdict, orders


def others(group: Group) -> str:
    """Name the rest of a group by what tells them apart, as in `T=7, T=8`."""
    return sentences.few([row.where or row.candidate for row in group[1:]], NAMED)


def first(items: Sequence[T], most: int | None) -> Some[T]:
    """Return the first of many; all where there is no limit."""
    shown = tuple(items[:most])
    return Some(shown, len(items) - len(shown))


def gravest(groups: Sequence[Group], most: int | None) -> Some[Group]:
    """Return the groups in their order, those that drift before others where there are many."""
    if most is None or len(groups) <= most:
        return Some(tuple(groups), 0)
    kept = {id(group) for group in sorted(groups, key=lambda g: g[0].finding.allowed)[:most]}
    shown = tuple(group for group in groups if id(group) in kept)
    return Some(shown, sum(map(len, groups)) - sum(map(len, shown)))


def beside_grid(row: Row) -> bool:
    """Return whether a row tells what a square of all pairs of runtimes does not."""
    finding = row.finding
    return not AXES[finding.comparison.axis].between_runtimes or not finding.allowed


def one_usual(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Return the rows, but of those that only say that a sum is rounded the largest stands for all.

    It says for how many.
    """
    usual = [row for row in rows if is_usual(row.finding)]
    if len(usual) < 2:
        return tuple(rows)
    largest = max(usual, key=lambda row: size(row.finding))
    one = replace(largest, where=f"{largest.where} … {len(usual)} in all".strip())
    return (*unusual(rows), one)


def unusual(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Return the rows but those that only say that a sum is rounded."""
    return tuple(row for row in rows if not is_usual(row.finding))


def has_detail(row: Row) -> bool:
    """Return whether there is more to tell of a row: what differs, or why an order is in doubt."""
    finding = row.finding
    return finding.verdict not in ("same", "untested") or finding.lock in ("changed", "unproved")
