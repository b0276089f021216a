"""A case on kernels written here, by the program's whole trip: plan, observe, judge, explain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from fake_lab import FakeLab
from findings import OTHER, case_of
from kernels import CELL, Kernel

from convdiff.behaviour.behaviour import Behaviour
from convdiff.behaviour.examine import behaviour_of
from convdiff.case.arrays import Tensors
from convdiff.case.model import Allowance, Case
from convdiff.diagnose.verdict import Finding
from convdiff.pipeline import Ask, examine
from convdiff.plan.cell import Cell
from convdiff.plan.expand import expand
from convdiff.result import CaseResult
from convdiff.worker.ops.convolution import Convolution

Array = np.ndarray[Any, Any]

RUNTIMES = (CELL.runtime, OTHER.runtime)


class Counted(FakeLab):
    """Counts the cells that were probed."""

    def __init__(self, case: Case, data: Tensors, kernels: Sequence[Kernel]) -> None:
        self.probed: list[Cell] = []

        def kernel_of(cell: Cell) -> Kernel:
            return kernels[RUNTIMES.index(cell.runtime)]

        def measure(cell: Cell, probes: Sequence[Tensors]) -> list[Array | None]:
            return [kernel_of(cell)(case.conv, probe) for probe in probes]

        def behaviour(cell: Cell) -> Behaviour:
            self.probed.append(cell)
            return behaviour_of(case, cell, measure)

        super().__init__(data, lambda cell, x: kernel_of(cell)(case.conv, x), behaviour)


def examined(
    conv: Convolution, data: Tensors, *kernels: Kernel, runs: int = 1, **expect: Allowance
) -> tuple[CaseResult, Counted]:
    """Run kernels, each a runtime whose conv2d and `manual` are one and the same."""
    case = replace(case_of(conv, data, **expect), repeat=runs)
    plan = expand(case, RUNTIMES[: len(kernels)])
    lab = Counted(case, data, kernels)
    return examine(plan, lab, data, Ask(budget=0)), lab


def exact_findings(result: CaseResult) -> list[Finding]:
    """Return what is found along the axis `exact`."""
    return [one for one in result.findings if one.comparison.axis == "exact"]


def scaled(data: Tensors, factor: float) -> Tensors:
    """Return data whose inputs and bias are so many times as large."""
    dtype = data.input_nhwc.dtype
    bias = None if data.bias is None else (data.bias * factor).astype(dtype)
    return replace(data, input_nhwc=(data.input_nhwc * factor).astype(dtype), bias=bias)
