"""What is told of convdiff's own sums: apart from the convolutions' numbers, and last."""

from __future__ import annotations

import io
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from made import CELL, RUNTIMES, case_of, drifted, result_of, same, summary_of
from rich.console import Console

from convdiff.case.axes import Axis
from convdiff.compare.difference import measure
from convdiff.diagnose.cause import Explanation
from convdiff.diagnose.verdict import Finding
from convdiff.report.brief import brief_of
from convdiff.report.console import print_run
from convdiff.report.groups import row_of, stories
from convdiff.report.headline import headline

WHY = Explanation("proved", {}, 0, {}, (), None, ())
BETWEEN: tuple[Axis, ...] = ("runtime", "device", "threads", "baseline")


def of(axis: Axis, ops: tuple[str, str], ulps: int, **changes: object) -> Finding:
    """Return an allowed rounding by so many ulps, of two runtimes' ops."""
    a = np.full((1, 1, 4, 1), 1.5, np.float32)
    b = a + np.float32(ulps) * np.spacing(a)
    cells = [replace(CELL, runtime=r, op=op) for r, op in zip(RUNTIMES, ops, strict=True)]
    finding = drifted(allowed=True)
    difference = measure(a, b, strict=True, most=2)
    comparison = replace(finding.comparison, axis=axis, difference=difference)
    comparison = replace(comparison, baseline=cells[0], candidate=cells[1])
    return replace(finding, comparison=comparison, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("axis", BETWEEN)
def test_numbers_of_convolutions_and_of_own_sums_are_told_apart_in_both_reports(axis: Axis):
    findings = [of(axis, ("conv2d", "conv2d"), 24), of(axis, ("manual", "manual"), 56)]
    case = case_of(findings)
    assert headline(case, findings).startswith(f"{axis}: rounding, at most 24 ulp")
    assert "(multiply + reduce_sum: rounding, at most 56 ulp" in headline(case, findings)
    short = brief_of(summary_of(result_of(case)).cases[0], alone=True).sentence
    assert f"{axis} rounding, ≤ 24 ulp" in short


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_a_pair_of_convolutions_is_told_before_what_is_explained_of_own_sums(order):
    findings = [
        of("runtime", ("conv2d", "conv2d"), 24),
        of("runtime", ("manual", "manual"), 56, why=WHY),
        of("reference", ("manual", "conv2d"), 99, why=WHY),
        of("exact", ("exact", "conv2d"), 200, why=WHY),
    ]
    case = case_of([findings[place] for place in order])
    rows = [row_of(case, finding) for finding in case.findings]
    assert stories(rows)[0][0].finding is findings[0]


def test_the_long_report_details_every_pair_of_convolutions_first():
    runtime = [of("runtime", ("conv2d", "conv2d"), n) for n in (2, 3, 4)]
    own = [of("reference", ("manual", "conv2d"), n, why=WHY) for n in (20, 30, 40)]
    out = io.StringIO()
    print_run(
        Console(file=out, width=80),
        summary_of(result_of(case_of([*own, *runtime]))),
        show_all=False,
    )
    assert out.getvalue().count("\n#2 against #1") == 3


@pytest.mark.parametrize("axis", BETWEEN[:3])
@pytest.mark.parametrize(
    ("ulps", "short", "long"), [(0, "bitwise equal", "same"), (3, "rounding, ≤ 3 ulp", "rounding")]
)
def test_no_axis_is_equal_along_which_only_own_sums_were_compared(
    axis: Axis, ulps: int, short: str, long: str
):
    own = of(axis, ("manual", "manual"), ulps, verdict="rounding" if ulps else "same")
    op = of(axis, ("conv2d", "conv2d"), 1, verdict="untested", evidence=("refused",))
    refused = replace(op, comparison=replace(op.comparison, difference=None, reason="refused"))
    case = case_of([same(), refused, own], outcome="untested")
    sentence = brief_of(summary_of(result_of(case)).cases[0], alone=True).sentence
    assert "length bitwise equal" in sentence
    assert f"{axis} of multiply + reduce_sum alone: {short}" in sentence
    assert f"{axis}: untested (multiply + reduce_sum: {long}" in headline(case, case.findings)
    alone = case_of([own])
    assert f"{axis}, of multiply + reduce_sum alone: {long}" in headline(alone, alone.findings)
    both = brief_of(summary_of(result_of(case_of([same(axis), own]))).cases[0], alone=True)
    assert f"{axis} bitwise equal" in both.sentence
