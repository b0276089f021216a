"""Parts of the console report as plain text, for the reports that other programs show."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import replace

from rich.console import Console

from convdiff.compare.difference import Elements
from convdiff.diagnose.verdict import Finding
from convdiff.report.console.headline import headline
from convdiff.report.console.parts import print_detail, print_failures, print_what_to_do
from convdiff.report.runtime_line import is_asked
from convdiff.result import CaseResult, Result
from convdiff.runtime.model import Standing

WIDTH = 100
NAMED = 5
ELEMENTS = 10
"""Worst elements of a comparison; --all finds more, for the console and the JSON report."""


def sentence(case: CaseResult, findings: Sequence[Finding]) -> str:
    """Return the headline of some of a case's findings: verdict, size and proved cause."""
    return headline(replace(case, findings=tuple(findings)))


def detail(case: CaseResult, finding: Finding) -> str:
    """Return a comparison's worst elements, why they differ, the orders, which side is right."""
    few = shortened(finding)
    return _plain(lambda console: print_detail(console, case, few))


def failures(case: CaseResult) -> str:
    """Return each reason for missing bits once, with the cells it cost."""
    return _plain(lambda console: print_failures(console, case))


def what_to_do(case: CaseResult) -> str:
    """Return safe lengths, remedies and the suggested expectation."""
    return _plain(lambda console: print_what_to_do(console, case))


def shortened(finding: Finding) -> Finding:
    """Return a finding with its worst elements only."""
    comparison = finding.comparison
    difference, exact = comparison.difference, comparison.exact
    if difference is None or difference.worst is None or exact is None:
        return finding
    worst = difference.worst
    few = Elements(
        *(
            column[:ELEMENTS]
            for column in (worst.index, worst.baseline, worst.candidate, worst.delta, worst.ulp)
        )
    )
    difference = replace(difference, worst=few)
    return replace(
        finding, comparison=replace(comparison, difference=difference, exact=exact[:ELEMENTS])
    )


def reasons(finding: Finding) -> str:
    """Say why a comparison proves nothing."""
    return finding.comparison.reason or "; ".join(finding.evidence) or finding.verdict


def few(names: Sequence[str]) -> str:
    """Name some of many."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def standings_of(result: Result, case: CaseResult) -> list[Standing]:
    """Return the runtimes of a case, and those it names that are not there."""
    return [
        standing
        for standing in result.standings
        if standing.runtime in case.runtimes
        or (not standing.available and is_asked(standing, case.case.devices))
    ]


def _plain(print_to: Callable[[Console], None]) -> str:
    buffer = io.StringIO()
    print_to(
        Console(
            file=buffer,
            width=WIDTH,
            force_terminal=False,
            color_system=None,
            highlight=False,
            emoji=False,
        )
    )
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()).strip("\n")
