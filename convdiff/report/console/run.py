"""`convdiff run` on the console."""

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
from convdiff.report.numbers import decimal
from convdiff.result import CaseResult, Result

TABLES = 4
"""Differing comparisons that are shown element by element, unless all are asked for."""


def print_run(console: Console, result: Result, repeat: Sequence[str], *, show_all: bool) -> None:
    """Print each case: headline, runtimes, outputs, comparisons, elements, why, what to do."""
    for case, command in zip(result.cases, repeat, strict=True):
        print_headline(console, case)
        print_runtimes(console, result, case)
        _outputs(console, case)
        _comparisons(console, case, show_all=show_all)
        _details(console, case, show_all=show_all)
        print_failures(console, case)
        print_what_to_do(console, case, remedies(case.findings))
        console.print(Text(f"again: {command}", style="dim"), soft_wrap=True)
    if not result.cases:
        console.print(Text("INTERRUPTED before anything was compared", style="bold yellow"))


def _outputs(console: Console, case: CaseResult) -> None:
    """Print small outputs whole: y(T) of each runtime."""
    for runtime in case.runtimes:
        shown = [
            (cell, seen) for cell, seen in case.outputs.items() if cell.runtime == runtime
        ]
        many = len(case.runtimes) > 1
        for cell, seen in sorted(shown, key=lambda pair: (pair[0].op, pair[0].length)):
            assert seen.output is not None
            name = "y" if cell.op == "conv2d" else cell.op
            batch = f", batch {cell.batch}" if len(case.case.batches) > 1 else ""
            where = f"  [{runtime.id}]" if many else ""
            values = ", ".join(decimal(value) for value in seen.output.ravel())
            console.print(Text(f"{name}({cell.length}{batch}) = {values}{where}"))
    if case.outputs:
        console.print()


def _comparisons(console: Console, case: CaseResult, *, show_all: bool) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name, side in (("axis", "left"), ("compared", "left"), ("differ", "right")):
        table.add_column(name, justify=side)  # type: ignore[arg-type]
    table.add_column("largest Δ", justify="right", no_wrap=True)
    table.add_column("ulp", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    rows = _rows(case.findings, show_all=show_all)
    for finding in rows:
        baseline, candidate = words.sides(finding.comparison)
        where = words.context(finding.comparison, case)
        delta, ulp = words.largest(finding.comparison)
        verdict = style.verdict(finding.verdict)
        if not finding.allowed:
            verdict.append(" DRIFT", style="bold red")
        compared = f"{candidate} / {baseline}" + (f" ({where})" if where else "")
        table.add_row(
            finding.comparison.axis,
            escape(compared),
            escape(words.measured(finding.comparison)),
            delta,
            ulp,
            verdict,
        )
    if rows:
        console.print(table)
    if len(rows) < len(case.findings):
        console.print(f"… and {len(case.findings) - len(rows)} more comparisons; --all shows them")
    console.print()


def _rows(findings: Sequence[Finding], *, show_all: bool) -> list[Finding]:
    """Return the findings to list: all of them, or the graver ones where there are many."""
    if show_all or len(findings) <= 16:
        return list(findings)
    chosen = sorted(findings, key=lambda f: (f.allowed, f.verdict == "same"))[:16]
    return [finding for finding in findings if finding in chosen]


def _details(console: Console, case: CaseResult, *, show_all: bool) -> None:
    differing = [f for f in case.findings if f.comparison.difference and f.comparison.exact is not None]
    differing.sort(key=lambda f: f.allowed)
    for finding in differing if show_all else differing[:TABLES]:
        comparison = finding.comparison
        baseline, candidate = words.sides(comparison)
        where = words.context(comparison, case)
        title = Text.assemble((f"{candidate} against {baseline}", "bold"))
        title.append(f"  {where}" if where else "", style="dim")
        console.print(title)
        console.print(element_table(comparison))
        left = comparison.difference.differing - len(comparison.exact)  # type: ignore
        if left:
            console.print(f"  … and {left:,} more elements differ; --all shows them")
        evidence = "; ".join(finding.evidence)
        console.print(Text.assemble("  why: ", style.verdict(finding.verdict), f": {evidence}"))
        console.print(f"  which is right: {escape(words.nearer(comparison))}")
        if comparison.condition > 1e3:
            console.print(
                f"  cancellation: the terms are {comparison.condition:.3g} times the result, "
                "so relative error says little here"
            )
        console.print()
    if not show_all and len(differing) > TABLES:
        console.print(f"… and {len(differing) - TABLES} more tables; --all shows them\n")
