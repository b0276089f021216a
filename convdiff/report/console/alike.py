"""Findings that tell the same: one row, or one detail, stands for all of them."""

from __future__ import annotations

from collections.abc import Sequence

from convdiff.diagnose.verdict import Finding
from convdiff.plan.cell import Cell
from convdiff.report.console import words
from convdiff.result import CaseResult


def folded(case: CaseResult, findings: Sequence[Finding]) -> list[list[Finding]]:
    """Order findings by axis, runtime and length; neighbours that are `same` share a row."""

    def place(finding: Finding) -> tuple[str, int, str, int, int]:
        cell: Cell = finding.comparison.candidate
        known = cell.runtime in case.runtimes
        runtime = case.runtimes.index(cell.runtime) if known else len(case.runtimes)
        return finding.comparison.axis, runtime, cell.op, cell.batch, cell.repeat

    axes = list(dict.fromkeys(finding.comparison.axis for finding in findings))
    ordered = sorted(
        findings,
        key=lambda f: (
            axes.index(f.comparison.axis),
            *place(f)[1:],
            f.comparison.candidate.length,
        ),
    )
    rows: list[list[Finding]] = []
    for finding in ordered:
        before = rows[-1][0] if rows else None
        if (
            before is not None
            and before.verdict == finding.verdict == "same"
            and place(before) == place(finding)
        ):
            rows[-1].append(finding)
        else:
            rows.append([finding])
    return rows


def stories(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Group findings that are allowed, along one axis, for the same proved reason.

    Drift is told one by one. What was explained comes first, then what is largest.
    """
    ordered = sorted(
        findings,
        key=lambda f: (
            f.allowed,
            f.why is None or f.why.status == "unexplained",
            -(f.comparison.difference.max_abs if f.comparison.difference else 0.0),
        ),
    )
    groups: dict[object, list[Finding]] = {}
    for number, finding in enumerate(ordered):
        why = finding.why
        told: object = number
        if finding.allowed and why is not None and why.status == "proved":
            orders = tuple(sorted({(o.side, o.notation, o.words) for o in why.orders}))
            told = (finding.comparison.axis, finding.verdict, orders)
        groups.setdefault(told, []).append(finding)
    return list(groups.values())


def others(case: CaseResult, members: Sequence[Finding]) -> str:
    """Name the rest of a group by what tells them apart, as in `T=7, T=8`."""
    names = []
    for finding in members[1:]:
        where = words.context(finding.comparison, case)
        names.append(where or words.sides(finding.comparison, case)[1])
    shown = ", ".join(names[:8])
    return shown + (f" and {len(names) - 8:,} more" if len(names) > 8 else "")
