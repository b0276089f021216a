"""`convdiff sweep` on the console: a row a value, a heat strip, safe lengths."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from convdiff.diagnose.verdict import Finding
from convdiff.recording.observation import Cell
from convdiff.report.console import style, words
from convdiff.report.console.headline import worst_finding
from convdiff.report.console.parts import (
    print_again,
    print_detail,
    print_failures,
    print_headline,
    print_runtimes,
    print_what_to_do,
)
from convdiff.result import CaseResult, Result

ROWS = 40
"""Rows a table, unless all are asked for."""
STRIP = 24


def print_sweep(console: Console, result: Result, again: Sequence[str], *, show_all: bool) -> None:
    """Print each case: headline, runtimes, a table an axis, details of the worst, what to do."""
    for case, command in zip(result.cases, again, strict=True):
        print_headline(console, case)
        print_runtimes(console, result, case)
        for axis in dict.fromkeys(f.comparison.axis for f in case.findings):
            findings = [f for f in case.findings if f.comparison.axis == axis]
            if axis == "reference":
                _reference(console, case, findings)
            else:
                _table(console, case, findings, show_all=show_all)
        worst = worst_finding(case)
        if worst is not None and not worst.allowed:
            print_detail(console, case, worst)
        print_failures(console, case)
        print_what_to_do(console, case)
        print_again(console, command)


def _table(
    console: Console, case: CaseResult, findings: Sequence[Finding], *, show_all: bool
) -> None:
    first = findings[0].comparison
    console.print(Text.assemble((first.axis, "bold"), f", against {words.sides(first, case)[0]}"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for justify in ("left", "left", "right", "right", "left"):
        table.add_column(justify=justify, no_wrap=True)
    groups = _grouped(case, findings)
    for members in groups if show_all else groups[:ROWS]:
        comparison = members[0].comparison
        difference, ulp = comparison.difference, words.largest(comparison)[1]
        strip = Text()
        if difference is not None and difference.by_column is not None:
            strip = style.heat([int(u) for u in difference.by_column], STRIP)
        table.add_row(
            Text(_label(case, members)),
            style.ruling(members[0]),
            words.measured(comparison) if len(members) == 1 else "",
            f"{ulp} ulp" if ulp else "",
            strip,
        )
    console.print(table)
    if not show_all and len(groups) > ROWS:
        console.print(f"… and {len(groups) - ROWS:,} more rows; --all shows them")
    console.print()


def _grouped(case: CaseResult, findings: Sequence[Finding]) -> list[list[Finding]]:
    """Order findings by runtime, then length; neighbours that are the same share a row."""

    def place(cell: Cell) -> tuple[int, str, int, int]:
        return case.runtimes.index(cell.runtime), cell.op, cell.batch, cell.repeat

    ordered = sorted(
        findings,
        key=lambda f: (*place(f.comparison.candidate), f.comparison.candidate.length),
    )
    groups: list[list[Finding]] = []
    for finding in ordered:
        before = groups[-1][0] if groups else None
        if (
            before is not None
            and before.verdict == finding.verdict == "same"
            and place(before.comparison.candidate) == place(finding.comparison.candidate)
        ):
            groups[-1].append(finding)
        else:
            groups.append([finding])
    return groups


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
    if cell.op != "conv2d":
        parts.append(cell.op)
    return " ".join(parts)


def _reference(console: Console, case: CaseResult, findings: Sequence[Finding]) -> None:
    """Sum the comparisons with multiply + reduce_sum up in a line."""
    kinds: dict[str, int] = {}
    for finding in findings:
        kinds[finding.verdict] = kinds.get(finding.verdict, 0) + 1
    most = max(
        (f.comparison.difference.max_ulp for f in findings if f.comparison.difference), default=0
    )
    lengths = {finding.comparison.candidate.length for finding in findings}
    line = Text.assemble(("reference", "bold"), ", against multiply + reduce_sum: ")
    for place, (kind, count) in enumerate(sorted(kinds.items())):
        line.append(", " if place else "").append(f"{count:,} ").append(style.verdict(kind))
    line.append(f"; at most {most} ulp" if most else "")
    if len(lengths) < len(case.case.lengths):
        line.append(f" (at {len(lengths):,} of {len(case.case.lengths):,} lengths)")
    console.print(line.append("\n"))
