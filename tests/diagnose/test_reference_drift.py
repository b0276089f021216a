"""Multiply + reduce_sum is an opinion: its rounding is noted, the convolution counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fake_lab import FakeLab
from findings import OTHER, case_of, tensors
from kernels import CELL, Kernel

from convdiff.behaviour.examine import behaviour_of
from convdiff.case.arrays import Tensors
from convdiff.case.axes import AXES, Axis
from convdiff.case.model import Allowance, Case
from convdiff.compare.comparison import compare
from convdiff.compare.reference import Reference
from convdiff.diagnose.diagnose import behaviours, diagnose
from convdiff.diagnose.suggest import suggest
from convdiff.diagnose.verdict import Finding, outcome_of
from convdiff.plan.cell import Cell
from convdiff.plan.plan import Pair
from convdiff.worker.ops import REFERENCE
from convdiff.worker.ops.convolution import Convolution

Array = np.ndarray[Any, Any]

CONV = Convolution((2, 3), 2, 3)
BITWISE = Allowance("bitwise")
ELSEWHERE: tuple[Axis, ...] = ("length", "batch", "threads", "device", "runtime")
"""Axes along which convdiff compares multiply + reduce_sum with itself; a baseline comes beside."""


def summed(order: slice, *, lost: int = 0) -> Kernel:
    """Return a convolution that adds in this order, and loses so many of its taps."""

    def kernel(conv: Convolution, data: Tensors) -> Array:
        windows = conv.windows(data.input_nhwc)
        products = windows.reshape(*windows.shape[:3], conv.taps)[..., None] * (
            data.filter_hwio.reshape(conv.taps, conv.channels_out)
        )
        total = np.zeros_like(products[..., 0, :])
        for tap in list(range(conv.taps))[order][lost:]:
            total = total + products[..., tap, :]
        return total

    return kernel


FORWARDS, BACKWARDS = summed(slice(None)), summed(slice(None, None, -1))
BROKEN = summed(slice(None), lost=1)
DATA = tensors(CONV, (1, 4, 9, 2), 3, bias=False)


def found(
    axis: Axis, op: tuple[Kernel, Kernel], manual: tuple[Kernel, Kernel], case: Case | None = None
) -> tuple[Case, list[Finding]]:
    """Judge two runtimes' convolutions and their multiply + reduce_sum along an axis."""
    kernels = {CONV.op: op, REFERENCE: manual}
    case = case or case_of(CONV, DATA, **{axis: BITWISE})

    def kernel_of(cell: Cell) -> Kernel:
        return kernels[cell.op][cell.runtime != CELL.runtime]

    def measure(cell: Cell, probes: Sequence[Tensors]) -> list[Array | None]:
        return [kernel_of(cell)(CONV, probe) for probe in probes]

    cells = [replace(cell, batch=1, length=9) for cell in (CELL, OTHER)]
    pairs = [Pair(axis, *(replace(cell, op=name) for cell in cells)) for name in kernels]
    lab = FakeLab(
        DATA,
        lambda cell, data: kernel_of(cell)(CONV, data),
        lambda cell: behaviour_of(case, cell, measure),
    )
    list(lab.observe([cell for pair in pairs for cell in (pair.baseline, pair.candidate)]))
    reference = Reference(CONV, DATA)
    comparisons = []
    for pair in pairs:
        sides = [kernel_of(cell)(CONV, DATA) for cell in (pair.baseline, pair.candidate)]
        comparisons.append(compare(pair, *sides, reference, strict=False, most=10))
    return case, diagnose(case, comparisons, behaviours(case, comparisons, lab), lab)


@pytest.mark.parametrize("axis", [*ELSEWHERE, "baseline"])
def test_equal_convolutions_and_other_manual_sums_are_no_drift(axis: Axis) -> None:
    _, (op, manual) = found(axis, (FORWARDS, FORWARDS), (FORWARDS, BACKWARDS))
    assert (op.verdict, manual.verdict) == ("same", "rounding")
    assert manual.allowed
    assert outcome_of([op, manual], ()) == "ok"


@pytest.mark.parametrize("axis", [*ELSEWHERE, "baseline"])
def test_other_convolutions_are_drift_whatever_the_manual_sums(axis: Axis) -> None:
    case, (op, manual) = found(axis, (FORWARDS, BACKWARDS), (FORWARDS, BACKWARDS))
    assert (op.verdict, op.allowed, manual.allowed) == ("rounding", False, True)
    assert outcome_of([op, manual], ()) == "drift"
    # What is suggested is held against the convolutions.
    suggested = suggest(case.expect, [op, manual])
    assert suggested is not None
    assert suggested[axis] == Allowance("ulps", op.comparison.difference.max_ulp)  # type: ignore[union-attr]


@pytest.mark.parametrize("axis", [*ELSEWHERE, "baseline"])
def test_a_bug_of_the_manual_sum_is_a_bug(axis: Axis) -> None:
    case, (op, manual) = found(axis, (FORWARDS, FORWARDS), (FORWARDS, BROKEN))
    assert (op.verdict, manual.verdict, manual.allowed) == ("same", "wrong", False)
    assert outcome_of([op, manual], ()) == "drift"
    assert suggest(case.expect, [op, manual]) is None


def test_a_case_may_hold_on_to_the_baselines_manual_sums() -> None:
    case = replace(case_of(CONV, DATA), baseline_reference=BITWISE)
    for axis, allowed in (("baseline", False), ("length", True)):
        _, findings = found(axis, (FORWARDS,) * 2, (FORWARDS, BACKWARDS), case)  # type: ignore[arg-type]
        assert [one.allowed for one in findings] == [True, allowed]
        # An allowance of the axis would not help.
        assert suggest(case.expect, findings) is None


def test_no_axis_was_forgotten() -> None:
    assert {*ELSEWHERE, "baseline", "repeat", "reference", "exact", "clean", "channels"} == set(
        AXES
    )
