"""The two sides of a change, in words: how they differ, why, and where their orders part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from convdiff.diagnose.verdicts import VERDICTS
from convdiff.report.detail import Detail
from convdiff.report.elements import elements_of
from convdiff.report.groups import row_of
from convdiff.report.marks import Line, line
from convdiff.report.plain import detail_text
from convdiff.report.summary import runtime_line
from convdiff.report.why import why_lines
from convdiff.search.neighbours import Neighbours

SHOWN = 3
"""Worst elements that are shown."""


def difference_lines(neighbours: Neighbours, names: tuple[str, str], again: str) -> Iterator[str]:
    """Yield what differs between both sides of a change, why, and the command that runs them again.

    names: what the side before it and the side after it are called.
    """
    finding, case = neighbours.finding, neighbours.result
    if finding is None:
        yield f"  between  {names[0]} and {names[1]}, run side by side, show no difference"
    else:
        row = replace(row_of(case, finding), baseline=names[0], candidate=names[1])
        tone = VERDICTS[finding.verdict].tone
        elements = elements_of(finding.comparison, case.case.output_order, SHOWN, tone)
        size = f"{finding.verdict}; {row.measured} elements differ, {row.ulp} ulp, Δ {row.delta}"
        lines: list[Line] = [line("  differ", size)]
        lines += why_lines(finding, names, case.case.output_order)
        detail = Detail(row, elements, 0, tuple(lines))
        yield from (f"  {text}" for text in detail_text(detail).splitlines())
    there = [standing for standing in neighbours.standings if standing.available]
    labels = list(names)
    if len(there) < 2:
        labels = ["in"]
    for name, standing in zip(labels, there, strict=False):
        yield f"  {name:8} {runtime_line(standing, 0).text}"
    yield f"  again    {again}"
