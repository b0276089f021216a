"""One comparison in detail: its worst elements, why they differ, and which side is right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from convdiff.diagnose.verdicts import VERDICTS
from convdiff.report import sentences
from convdiff.report.elements import Element, elements_of
from convdiff.report.groups import Row
from convdiff.report.marks import Line, line, verdict_span
from convdiff.report.why import why_lines
from convdiff.result import CaseResult

CANCELLING = 1e3
"""Condition numbers above which a relative error says little."""


@dataclass(frozen=True)
class Detail:
    """What is said of one comparison."""

    row: Row
    elements: tuple[Element, ...]
    left: int
    """Elements that differ, too, and are not shown."""
    lines: tuple[Line, ...]

    @property
    def title(self) -> str:
        """Name both sides."""
        return f"{self.row.candidate} against {self.row.baseline}"


def detail_of(case: CaseResult, row: Row, most: int | None = None) -> Detail:
    """Return the detail of a comparison, with at most so many of the elements that were kept."""
    comparison, order = row.comparison, case.case.output_order
    elements = elements_of(comparison, order, most, VERDICTS[row.verdict].tone)
    left = 0
    if elements and comparison.difference is not None:
        left = comparison.difference.differing - len(elements)
    return Detail(row, elements, left, tuple(_lines(case, row)))


def _lines(case: CaseResult, row: Row) -> Iterator[Line]:
    finding, comparison = row.finding, row.comparison
    evidence = sentences.evidence(finding, row.names)
    yield line("  why", verdict_span(finding.verdict), f": {evidence}")
    yield from why_lines(finding, row.names, case.case.output_order)
    if comparison.nearness is not None:
        yield line("  right", sentences.nearer(comparison, case))
    if comparison.condition > CANCELLING:
        times = f"{comparison.condition:.3g}"
        yield line("  note", f"the terms are {times} times the result: relative error says little")
