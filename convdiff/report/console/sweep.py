"""`convdiff sweep` on the console: a row a value, a heat strip of output positions, safe lengths."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from convdiff.diagnose.remedy import remedies
from convdiff.diagnose.verdict import Finding
from convdiff.report.console import style, words
from convdiff.report.console.elements import element_table
from convdiff.report.console.parts import (
    print_failures,
    print_headline,
    print_runtimes,
    print_what_to_do,
)
from convdiff.result import CaseResult, Result

ROWS = 40
"""Rows a table, unless all are asked for."""
STRIP = 24


def print_sweep(console: Console, result: Result, repeat: Sequence[str], *, show_all: bool) -> None:
    """Print each case: headline, runtimes, a table an axis, details of the worst, what to do."""
    for case, command in zip(result.cases, repeat, strict=True):
        print_headline(console, case)
        print_runtimes(console, result, case)
        for axis in dict.fromkeys(f.comparison.axis for f in case.findings):
            findings = [f for f in case.findings if f.comparison.axis == axis]
            if axis == "reference":
                _reference(console, findings)
            else:
                _table(console, case, axis, findings, show_all=show_all)
        _worst(console, case)
        print_failures(console, case)
        print_what_to_do(console, case, remedies(case.findings))
        console.print(Text(f"again: {command}", style="dim"), soft_wrap=True)
    if not result.cases:
        console.print(Text("INTERRUPTED before anything was compared", style="bold yellow"))


def _table(
    console: Console, case: CaseResult, axis: str, findings: Sequence[Finding], *, show_all: bool
) -> None:
    baseline = words.sides(findings[0].comparison)[0]
    console.print(Text.assemble((axis, "bold"), f", against {baseline}"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for justify in ("left", "left", "right", "right", "left"):
        table.add_column(justify=justify, no_wrap=True)  # type: ignore[arg-type]
    groups = _grouped(case, findings)
    for label, finding in groups if show_all else groups[:ROWS]:
        difference = finding.comparison.difference
        strip = Text()
        if difference is not None and difference.by_column is not None:
            strip = style.heat([int(u) for u in difference.by_column], STRIP)
        verdict = style.verdict(finding.verdict)
        if not finding.allowed:
            verdict.append(" DRIFT", style="bold red")
        ulp = words.largest(finding.comparison)[1]
        table.add_row(
            escape(label),
            verdict,
            escape(words.measured(finding.comparison)),
            f"{ulp} ulp" if ulp else "",
            strip,
        )
    console.print(table)
    if not show_all and len(groups) > ROWS:
        console.print(f"… and {len(groups) - ROWS} more rows; --all shows them")
    console.print()


def _grouped(case: CaseResult, findings: Sequence[Finding]) -> list[tuple[str, Finding]]:
    """Label findings in order of length; neighbours with nothing to tell apart share a row."""
    ordered = sorted(
        findings,
        key=lambda f: (
            f.comparison.candidate.runtime.id,
            f.comparison.candidate.op,
            f.comparison.candidate.batch,
            f.comparison.candidate.length,
        ),
    )
    rows: list[tuple[str, list[Finding]]] = []
    for finding in ordered:
        key = "" if finding.verdict != "same" else _label(case, finding, length=False)
        if rows and key and rows[-1][0] == key:
            rows[-1][1].append(finding)
        else:
            rows.append((key, [finding]))
    grouped = []
    for _, members in rows:
        label = _label(case, members[0], length=True)
        if len(members) > 1:
            first = members[0].comparison.candidate.length
            last = members[-1].comparison.candidate.length
            span = f"T={first}…{last} ({len(members)})"
            label = label.replace(f"T={first}", span, 1)
        grouped.append((label, members[0]))
    return grouped


def _label(case: CaseResult, finding: Finding, *, length: bool) -> str:
    comparison = finding.comparison
    cell, axis = comparison.candidate, comparison.axis
    parts = [f"T={cell.length}"] if length and (axis == "length" or len(case.case.lengths) > 1) else []
    if axis == "batch" or len(case.case.batches) > 1:
        parts.append(f"batch {cell.batch}")
    if axis == "repeat":
        parts.append(f"run {cell.repeat + 1}")
    if len(case.runtimes) > 1:
        parts.append(cell.runtime.id)
    if cell.op != "conv2d":
        parts.append(cell.op)
    return " ".join(parts)


def _reference(console: Console, findings: Sequence[Finding]) -> None:
    """Sum the comparisons with multiply + reduce_sum up in a line."""
    kinds: dict[str, int] = {}
    most = 0
    for finding in findings:
        kinds[finding.verdict] = kinds.get(finding.verdict, 0) + 1
        if finding.comparison.difference:
            most = max(most, finding.comparison.difference.max_ulp)
    line = Text.assemble(("reference", "bold"), ", against multiply + reduce_sum: ")
    for number, (kind, count) in enumerate(sorted(kinds.items())):
        line.append(", " if number else "").append(f"{count} ").append(style.verdict(kind))
    console.print(line.append(f"; at most {most} ulp\n" if most else "\n"))


def _worst(console: Console, case: CaseResult) -> None:
    """Print the elements of the gravest drift."""
    finding = words.worst_finding(case)
    if finding is None or finding.allowed or finding.comparison.exact is None:
        return
    comparison = finding.comparison
    baseline, candidate = words.sides(comparison)
    where = words.context(comparison, case)
    console.print(Text(f"{candidate} against {baseline}" + (f"  {where}" if where else ""), "bold"))
    console.print(element_table(comparison))
    evidence = "; ".join(finding.evidence)
    console.print(Text.assemble("  why: ", style.verdict(finding.verdict), f": {evidence}"))
    console.print(f"  which is right: {escape(words.nearer(comparison))}\n")
