"""`convdiff run` on the console."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from convdiff.case.axes import AXES
from convdiff.diagnose.verdict import Finding
from convdiff.report.console import style, words
from convdiff.report.console.alike import folded, others, stories
from convdiff.report.console.grid import print_grid
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
from convdiff.report.numbers import decimal
from convdiff.result import CaseResult, Result

DETAILS = 4
"""Differing comparisons that are shown element by element, unless all are asked for."""
ROWS = 16


def print_run(console: Console, result: Result, again: Sequence[str], *, show_all: bool) -> None:
    """Print each case: headline, runtimes, outputs, comparisons, elements, why, what to do."""
    print_missing(console, result)
    for case, command in zip(result.cases, again, strict=True):
        print_headline(console, case)
        print_runtimes(console, result, case)
        if case.agreement is not None:
            print_grid(console, case.agreement)
        if show_all or len(case.outputs) <= ROWS:
            _outputs(console, case)
        _comparisons(console, case, show_all=show_all)
        _details(console, case, show_all=show_all)
        print_failures(console, case)
        print_what_to_do(console, case)
        print_again(console, case, command)
    print_summary(console, result)


def _outputs(console: Console, case: CaseResult) -> None:
    """Print small outputs whole: y(T) of each runtime."""
    many = len(case.runtimes) > 1
    for cell, output in case.outputs.items():
        name = cell.op if cell.is_reference else "y"
        batch = f", batch {cell.batch}" if len(case.case.batches) > 1 else ""
        where = f"{words.number(cell, case)} " if many else ""
        values = ", ".join(decimal(value) for value in output.ravel())
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
    findings = case.findings
    if case.agreement is not None and not show_all:  # the grid says what agrees
        findings = tuple(
            f for f in findings if not (AXES[f.comparison.axis].between_runtimes and f.allowed)
        )
    rows = _rows(folded(case, findings), show_all=show_all)
    for members in rows:
        finding = members[0]
        baseline, candidate = words.sides(finding.comparison, case)
        where = words.context(finding.comparison, case)
        more = f" … {len(members)} in all" if len(members) > 1 else ""
        table.add_row(
            finding.comparison.axis,
            Text(f"{candidate}/{baseline}" + (f" {where}" if where else "") + more),
            words.measured(finding.comparison) if not more else "0",
            *words.largest(finding.comparison),
            style.ruling(finding),
        )
    if rows:
        console.print(table)
    left = len(findings) - sum(map(len, rows))
    if left:
        console.print(f"… and {_comparisons_left(left)}; --all shows them")
    console.print()


def _rows(rows: Sequence[list[Finding]], *, show_all: bool) -> Sequence[list[Finding]]:
    """Return the rows to print: all of them, or the graver ones where there are many."""
    if show_all or len(rows) <= ROWS:
        return rows
    graver = sorted(rows, key=lambda members: members[0].allowed)[:ROWS]
    return [members for members in rows if members in graver]


def _told(finding: Finding) -> bool:
    """Return whether there is more to say of equal bits: their locked order."""
    return finding.lock in ("changed", "unproved")


def _details(console: Console, case: CaseResult, *, show_all: bool) -> None:
    """Print what differs element by element, what drifted first; the same story is told once."""
    told = stories([f for f in case.findings if f.verdict not in ("same", "untested") or _told(f)])
    if show_all:
        told = [[finding] for members in told for finding in members]
    shown = told if show_all else told[:DETAILS]
    for members in shown:
        print_detail(console, case, members[0])
        if len(members) > 1:
            console.print(f"the same orders and cause at {others(case, members)}\n")
    left = sum(map(len, told[len(shown) :]))
    if left:
        differ = "differs" if left == 1 else "differ"
        said = f"… and {_comparisons_left(left)} {differ}; --all shows their elements\n"
        console.print(said)


def _comparisons_left(count: int) -> str:
    return f"{count:,} more comparison{'s' * (count != 1)}"
