"""The square of a pairwise comparison, as it is printed, and as real runtimes fill it."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from asking import need
from made import CELL, RUNTIMES, case_of, drifted, result_of, summary_of
from program import convdiff
from rich.console import Console

from convdiff.case.device import Device
from convdiff.compare.difference import measure
from convdiff.diagnose.agreement import Agreement, Pair, agreement
from convdiff.diagnose.cause import Explanation, SideOrder
from convdiff.diagnose.verdicts import Verdict
from convdiff.report.console.brief import print_brief
from convdiff.report.console.grid import print_grid
from convdiff.report.runtime_orders import orders_beside, sizes_below
from convdiff.result import CaseResult
from convdiff.runtime.model import Interpreter, Runtime

ASKED = [
    "tensorflow:cpu",
    "tensorflow:cpu+xla",
    "jax:cpu",
    "onnxruntime:cpu",
    "openvino:cpu+f32",
    "numpy:cpu",
]


def runtimes(count: int) -> tuple[Runtime, ...]:
    return tuple(Runtime(Interpreter(f"f{n}", "python"), Device("cpu")) for n in range(count))


def printed(found: Agreement, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    print_grid(console, found)
    return console.file.getvalue().splitlines()


def of_two(verdict: Verdict, *, allowed: bool = True, ulp: int = 0) -> list[str]:
    pair = Pair(verdict, allowed, 2 if ulp else 0, 10, ulp)
    alike = ((0, 1),) if verdict == "same" else ((0,), (1,))
    return printed(Agreement(runtimes(2), ((None, pair), (pair, None)), alike))


@pytest.mark.parametrize(
    ("verdict", "ulp", "told"),
    [
        ("same", 0, "="),
        ("rounding", 3, "3"),
        ("rounding", 1_507_328, "1.51e+06"),
        ("precision", 9, "prec"),
        ("transform", 9, "transf"),
        ("wrong", 9, "wrong"),
        ("unstable", 9, "unstable"),
        ("untested", 0, "—"),
        ("mistrusted", 0, "?"),
    ],
)
@pytest.mark.parametrize("allowed", [True, False])
def test_a_cell_tells_the_verdict_and_marks_drift(
    verdict: Verdict, ulp: int, told: str, allowed: bool
):
    head, one, other, *_ = of_two(verdict, ulp=ulp, allowed=allowed)
    told += "" if allowed else "!"
    assert head.split() == ["#1", "#2"]
    assert one.split() == ["#1", "f0:cpu", "·", told]
    assert other.split() == ["#2", "f1:cpu", told, "·"]


def test_groups_of_equal_bits_are_named_and_loners_are_not():
    assert "same bits: f0:cpu = f1:cpu" in of_two("same")
    assert not any("same bits" in line for line in of_two("rounding", ulp=2))


def test_a_long_group_is_all_there():
    pair = Pair("same", True, 0, 10, 0)
    square = tuple(tuple(None if i == j else pair for j in range(9)) for i in range(9))
    found = Agreement(runtimes(9), square, (tuple(range(9)),))
    text = " ".join(" ".join(printed(found)).split())
    assert "same bits: " + " = ".join(f"f{n}:cpu" for n in range(9)) in text


def grid(out: str, count: int) -> list[list[str]]:
    """Read the square from a run's output."""
    lines = out.splitlines()
    head = next(n for n, line in enumerate(lines) if line.split() == columns(count))
    return [line.split()[2:] for line in lines[head + 1 : head + 1 + count]]


def columns(count: int) -> list[str]:
    return [f"#{n + 1}" for n in range(count)]


@pytest.mark.framework
def test_a_run_prints_a_square_and_names_those_that_agree():
    """Who agrees with whom is another on each CPU; that the square says so is not."""
    need(*ASKED)
    options = ("--framework", ",".join(ASKED), "--pairwise", "--no-explain")
    ran = convdiff("run", *options, "--lengths", "7..9")
    assert ran.code == 0, ran.out + ran.err
    square = grid(ran.out, len(ASKED))
    text = " ".join(ran.out.split())
    groups = [found.split(" = ") for found in re.findall(r"same bits: (\S+(?: = \S+)+)", text)]
    for (i, one), (j, other) in combinations(enumerate(ASKED), 2):
        assert square[i][j] == square[j][i]
        together = any({one, other} <= set(group) for group in groups)
        assert (square[i][j] == "=") == together, (one, other, square[i][j])


@pytest.mark.framework
def test_without_pairwise_there_is_no_square():
    ran = convdiff("run", "--framework", "numpy:cpu", "--lengths", "7,9")
    assert "same bits:" not in ran.out
    ran = convdiff("run", "--framework", "numpy:cpu", "--lengths", "7,9", "--pairwise")
    assert ran.code == 0
    assert "same bits:" not in ran.out, "one runtime has nobody to agree with"


def paired(*cells: tuple[int, int, int, str]) -> CaseResult:
    """Return two runtimes that differ at (length, batch) by so many ulps, with one order each."""
    findings = []
    for length, batch, ulps, notation in cells:
        a = np.full((1, 1, 4, 1), 1.5, np.float32)
        difference = measure(a, a + np.float32(ulps) * np.spacing(a), strict=True, most=2)
        sides = [replace(CELL, runtime=one, length=length, batch=batch) for one in RUNTIMES]
        finding = drifted(allowed=True)
        comparison = replace(finding.comparison, axis="runtime", difference=difference)
        comparison = replace(comparison, baseline=sides[0], candidate=sides[1])
        orders = tuple(SideOrder(side, 4, notation, "", 0) for side in ("baseline", "candidate"))
        why = Explanation("proved", {}, 0, {}, orders, None, ())
        findings.append(replace(finding, comparison=comparison, why=why))
    case = case_of(findings)
    sizes = {"lengths": (7, 9), "batches": (1, 2)}
    return replace(case, case=replace(case.case, **sizes), agreement=agreement(RUNTIMES, findings))


def below(case: CaseResult) -> str:
    assert case.agreement is not None
    return sizes_below(case, case.agreement, orders=True)


def test_a_square_says_of_which_sizes_its_ulps_and_its_orders_are():
    case = paired((9, 1, 24, "(0+1)"), (9, 2, 3, "[0 1]"))
    assert below(case) == "ulps of length 9 batch 1; orders of length 9 batch 2"
    assert set(orders_beside(case).values()) == {"[0 1]"}
    one = replace(case, case=replace(case.case, lengths=(9,)))
    assert below(one) == "ulps of batch 1; orders of batch 2"
    assert below(replace(one, case=replace(one.case, batches=(1,)))) == ""
    out = io.StringIO()
    print_brief(Console(file=out, width=80), summary_of(result_of(case)), quiet=False)
    assert "ulps of length 9 batch 1; orders of length 9 batch 2" in out.getvalue()


def test_orders_of_unlike_cells_say_each_of_which_it_is():
    case = paired((9, 2, 3, "(0+1)"))
    findings = list(case.findings)
    other = replace(findings[0].comparison.baseline, length=7)
    why = replace(findings[0].why, orders=findings[0].why.orders[:1])
    comparison = replace(findings[0].comparison, axis="length", candidate=other)
    findings = [replace(findings[0], why=why), replace(findings[0], comparison=comparison)]
    cells = {
        side: replace(CELL, runtime=RUNTIMES[1], length=7) for side in ("baseline", "candidate")
    }
    findings[1] = replace(findings[1], comparison=replace(comparison, **cells))
    case = replace(case, findings=tuple(findings))
    assert set(orders_beside(case).values()) == {
        "length 9 batch 2: (0+1)",
        "length 7 batch 1: (0+1)",
    }
    assert "orders" not in below(case)
