"""`convdiff run` on the console."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from convdiff.diagnose.verdict import Finding
from convdiff.report.console import style, words
from convdiff.report.console.parts import (
    print_again,
    print_detail,
    print_failures,
    print_headline,
    print_runtimes,
    print_what_to_do,
)
from convdiff.report.numbers import decimal
from convdiff.result import CaseResult, Result

DETAILS = 4
"""Differing comparisons that are shown element by element, unless all are asked for."""
ROWS = 16


def print_run(console: Console, result: Result, again: Sequence[str], *, show_all: bool) -> None:
    """Print each case: headline, runtimes, outputs, comparisons, elements, why, what to do."""
    for case, command in zip(result.cases, again, strict=True):
        print_headline(console, case)
        print_runtimes(console, result, case)
        if show_all or len(case.outputs) <= ROWS:
            _outputs(console, case)
        _comparisons(console, case, show_all=show_all)
        _details(console, case, show_all=show_all)
        print_failures(console, case)
        print_what_to_do(console, case)
        print_again(console, command)


def _outputs(console: Console, case: CaseResult) -> None:
    """Print small outputs whole: y(T) of each runtime."""
    many = len(case.runtimes) > 1
    for cell, seen in case.outputs.items():
        assert seen.output is not None
        name = "y" if cell.op == "conv2d" else cell.op
        batch = f", batch {cell.batch}" if len(case.case.batches) > 1 else ""
        where = f"{words.number(cell, case)} " if many else ""
        values = ", ".join(decimal(value) for value in seen.output.ravel())
        console.print(Text(f"{where}{name}({cell.length}{batch}) = {values}"))
    if case.outputs:
        console.print()


def _comparisons(console: Console, case: CaseResult, *, show_all: bool) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("axis", no_wrap=True)
    table.add_column("compared")
    for name in ("differ", "Δ", "ulp"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    rows = _rows(case.findings, show_all=show_all)
    for finding in rows:
        baseline, candidate = words.sides(finding.comparison, case)
        where = words.context(finding.comparison, case)
        table.add_row(
            finding.comparison.axis,
            Text(f"{candidate}/{baseline}" + (f" {where}" if where else "")),
            words.measured(finding.comparison),
            *words.largest(finding.comparison),
            style.ruling(finding),
        )
    if rows:
        console.print(table)
    if len(rows) < len(case.findings):
        console.print(
            f"… and {len(case.findings) - len(rows):,} more comparisons; --all shows them"
        )
    console.print()


def _rows(findings: Sequence[Finding], *, show_all: bool) -> Sequence[Finding]:
    """Return the findings to list: all of them, or the graver ones where there are many."""
    if show_all or len(findings) <= ROWS:
        return findings
    return sorted(findings, key=lambda f: (f.allowed, f.verdict == "same"))[:ROWS]


def _details(console: Console, case: CaseResult, *, show_all: bool) -> None:
    """Print what differs element by element, what drifted first."""
    differing = [f for f in case.findings if f.verdict not in ("same", "mistrusted", "untested")]
    differing.sort(key=lambda f: f.allowed)
    for finding in differing if show_all else differing[:DETAILS]:
        print_detail(console, case, finding)
    if not show_all and len(differing) > DETAILS:
        left = len(differing) - DETAILS
        console.print(f"… and {left:,} more comparisons differ; --all shows their elements\n")
