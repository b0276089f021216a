"""`convdiff sweep` on the console: a row a value, a heat strip, safe lengths."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from convdiff.case.axes import AXES
from convdiff.diagnose.verdict import Finding
from convdiff.diagnose.verdicts import Verdict
from convdiff.report.console import style, words
from convdiff.report.console.alike import folded
from convdiff.report.console.grid import print_grid
from convdiff.report.console.headline import worst_finding
from convdiff.report.console.parts import (
    print_again,
    print_detail,
    print_failures,
    print_headline,
    print_missing,
    print_runtimes,
    print_summary,
    print_what_to_do,
)
from convdiff.report.numbers import count as count_of
from convdiff.result import CaseResult, Result

ROWS = 40
"""Rows a table, unless all are asked for."""
STRIP = 28
"""Characters of a heat strip; a longer output has several positions in one."""


def print_sweep(console: Console, result: Result, again: Sequence[str], *, show_all: bool) -> None:
    """Print each case: headline, runtimes, a table an axis, details of the worst, what to do."""
    print_missing(console, result)
    for case, command in zip(result.cases, again, strict=True):
        print_headline(console, case)
        print_runtimes(console, result, case)
        axes = dict.fromkeys(f.comparison.axis for f in case.findings)
        if case.agreement is not None:
            print_grid(console, case.agreement)
            axes = {axis: None for axis in axes if show_all or not AXES[axis].between_runtimes}
        for axis in axes:
            findings = [f for f in case.findings if f.comparison.axis == axis]
            if axis == "reference":
                _reference(console, case, findings)
            else:
                _table(console, case, findings, show_all=show_all)
        worst = worst_finding(case)
        if worst is not None and not worst.allowed:
            print_detail(console, case, worst)
        print_failures(console, case)
        print_what_to_do(console, case, safe=True)
        print_again(console, case, command)
    print_summary(console, result)


def _table(
    console: Console, case: CaseResult, findings: Sequence[Finding], *, show_all: bool
) -> None:
    first = findings[0].comparison
    console.print(Text.assemble((first.axis, "bold"), f", against {words.sides(first, case)[0]}"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for justify in ("left", "left", "right", "right", "left"):
        table.add_column(justify=justify, no_wrap=True)
    groups = folded(case, findings)
    for members in groups if show_all else groups[:ROWS]:
        comparison = members[0].comparison
        columns, ulp = _columns(members[0]), words.largest(comparison)[1]
        strip = Text() if columns is None else style.heat(columns, STRIP)
        table.add_row(
            Text(_label(case, members)),
            style.ruling(members[0]),
            words.measured(comparison) if len(members) == 1 else "",
            f"{ulp} ulp" if ulp else "",
            strip,
        )
    console.print(table)
    widest = max((len(c) for f in findings if (c := _columns(f)) is not None), default=0)
    if widest > STRIP:
        console.print(
            Text(f"a character stands for up to {-(-widest // STRIP)} output positions", "dim")
        )
    if not show_all and len(groups) > ROWS:
        console.print(f"… and {len(groups) - ROWS:,} more rows; --all shows them")
    console.print()


def _columns(finding: Finding) -> list[int] | None:
    """Return the largest ulps at each position along the length, where anything differs."""
    difference = finding.comparison.difference
    if difference is None or difference.by_column is None:
        return None
    return [int(ulp) for ulp in difference.by_column]


def _label(case: CaseResult, members: Sequence[Finding]) -> str:
    comparison = members[0].comparison
    cell, last = comparison.candidate, members[-1].comparison.candidate.length
    parts = []
    if comparison.axis == "length" or len(case.case.lengths) > 1:
        span = f"…{last} ({len(members):,})" if len(members) > 1 else ""
        parts.append(f"T={cell.length}{span}")
    if comparison.axis == "batch" or len(case.case.batches) > 1:
        parts.append(f"batch {cell.batch}")
    if comparison.axis == "repeat":
        parts.append(f"run {cell.repeat + 1}")
    if len(case.runtimes) > 1:
        parts.append(words.number(cell, case))
    if cell.is_reference:
        parts.append(cell.op)
    return " ".join(parts)


def _reference(console: Console, case: CaseResult, findings: Sequence[Finding]) -> None:
    """Sum the comparisons with multiply + reduce_sum up in a line."""
    kinds: dict[Verdict, int] = {}
    for finding in findings:
        kinds[finding.verdict] = kinds.get(finding.verdict, 0) + 1
    most = max(
        (f.comparison.difference.max_ulp for f in findings if f.comparison.difference), default=0
    )
    lengths = {finding.comparison.candidate.length for finding in findings}
    line = Text.assemble(("reference", "bold"), ", against multiply + reduce_sum: ")
    for place, (kind, count) in enumerate(sorted(kinds.items())):
        line.append(", " if place else "").append(f"{count:,} ").append(style.verdict(kind))
    line.append(f"; at most {count_of(most)} ulp" if most else "")
    if len(lengths) < len(case.case.lengths):
        line.append(f" (at {len(lengths):,} of {len(case.case.lengths):,} lengths)")
    console.print(line.append("\n"))
