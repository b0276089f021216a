"""Comparisons in rows, and which of them tell the same: one row, or one detail, stands for all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Generic, TypeVar

from convdiff.case.axes import AXES, Axis
from convdiff.case.words import few
from convdiff.compare.comparison import Comparison
from convdiff.diagnose.by_axis import by_axis
from convdiff.diagnose.verdict import Finding, is_opinion
from convdiff.diagnose.verdicts import VERDICTS, Verdict
from convdiff.report import sentences
from convdiff.report.exactly import is_usual
from convdiff.report.headline import size, worst_finding
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
    def comparison(self) -> Comparison:
        """What was compared."""
        return self.finding.comparison

    @property
    def axis(self) -> Axis:
        """The axis along which was compared."""
        return self.finding.axis

    @property
    def verdict(self) -> Verdict:
        """The finding's verdict."""
        return self.finding.verdict

    @property
    def differs(self) -> bool:
        """Whether both sides are there, and are not the same."""
        return VERDICTS[self.finding.verdict].differs

    @property
    def drifts(self) -> bool:
        """Whether `expect` does not allow it."""
        return not self.finding.allowed

    @property
    def is_opinion(self) -> bool:
        """Whether convdiff's own sums are compared, and no convolution."""
        return is_opinion(self.finding.comparison)

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


def worst_of(rows: Sequence[Row]) -> Row | None:
    """Return the row that a headline of some would be about."""
    worst = worst_finding([row.finding for row in rows])
    return next((row for row in rows if row.finding is worst), None)


def folded(case: CaseResult, rows: Iterable[Row]) -> list[Group]:
    """Order rows by axis, runtime and length; neighbours that are `same` share one."""
    runtimes = {runtime: number for number, runtime in enumerate(case.runtimes)}

    def coordinates(row: Row) -> tuple[int, int, str, int, int, int]:
        """Return all but the length."""
        cell = row.comparison.candidate
        runtime = runtimes.get(cell.runtime, len(runtimes))
        return axes.index(row.axis), runtime, cell.op, cell.batch, cell.channels, cell.repeat

    rows = list(rows)
    axes = list(by_axis(rows))
    rows.sort(key=lambda row: (*coordinates(row), row.comparison.candidate.length))
    groups: list[list[Row]] = []
    for _, neighbours in groupby(rows, lambda row: (coordinates(row), row.verdict)):
        members = list(neighbours)
        if members[0].verdict == "same":
            groups.append(members)
        else:
            groups += [[row] for row in members]
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
    own = any(cell.is_reference or cell.is_exact for cell in finding.comparison.cells)
    return finding.allowed, own, unexplained, -size(finding)


def _story(finding: Finding) -> object | None:
    """Return what is told of a finding, where others may tell the same."""
    why = finding.why
    if not finding.allowed or why is None or why.status != "proved":
        return None
    orders = tuple(sorted({(o.side, o.notation, o.words) for o in why.orders}))
    return finding.axis, finding.verdict, orders


def others(group: Group) -> str:
    """Name the rest of a group by what tells them apart, as in `T=7, T=8`."""
    return few([row.where or row.candidate for row in group[1:]], NAMED)


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
    return row.drifts or not AXES[row.axis].between_runtimes


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
    return row.verdict not in ("same", "untested") or row.finding.lock in ("changed", "unproved")
