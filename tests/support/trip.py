"""The whole trip of two kernels in one process: observed, compared, probed, judged, explained."""

from __future__ import annotations

import numpy as np
from fake_lab import FakeLab
from findings import Array, case_of, compared
from kernels import CELL, Kernel

from convdiff.behaviour.examine import behaviour_of
from convdiff.case.arrays import Tensors
from convdiff.case.model import Allowance
from convdiff.diagnose.attribute import attribute
from convdiff.diagnose.diagnose import behaviours, diagnose
from convdiff.diagnose.verdict import Finding
from convdiff.lab.kernel import data_of, flat, geometry_of_cell
from convdiff.lab.lab import NotAsked
from convdiff.order.orders import Orders, orders_of
from convdiff.order.reveal.kernel import CallableKernel
from convdiff.plan.cell import Cell
from convdiff.worker.ops.convolution import Convolution


class KernelLab(FakeLab):
    """A `FakeLab` that explains, too: by the very probes that workers are sent."""

    def __init__(self, conv: Convolution, data: Tensors, baseline: Kernel, candidate: Kernel):
        self.conv, self.data, self.sides = conv, data, (baseline, candidate)
        self.case = case_of(conv, data)
        super().__init__(
            data,
            lambda cell, tensors: self.side(cell)(conv, tensors),
            lambda cell: behaviour_of(
                self.case, cell, lambda _, probes: [self.side(cell)(conv, one) for one in probes]
            ),
        )

    def side(self, cell: Cell) -> Kernel:
        return self.sides[cell.runtime != CELL.runtime]

    def orders(self, cell: Cell) -> Orders | NotAsked:
        geometry, kernel = geometry_of_cell(self.case, cell), self.side(cell)

        def called(x: Array, w: Array, b: Array | None) -> Array:
            dtype = self.data.input_nhwc.dtype
            bias = None if b is None else b.astype(dtype)
            return kernel(self.conv, Tensors(w.astype(dtype), bias, x.astype(dtype)))

        output = self.bits(cell)
        assert isinstance(output, np.ndarray)
        return orders_of(
            CallableKernel(called, geometry), data_of(self.case, cell, self.data), flat(output)
        )


def explained(
    conv: Convolution,
    data: Tensors,
    baseline: Kernel,
    candidate: Kernel,
    up_to: float | None = None,
    **expect: Allowance,
) -> Finding:
    """Run two kernels on a case, and return what is found, with its cause."""
    lab = KernelLab(conv, data, baseline, candidate)
    comparison = compared(conv, data, baseline(conv, data), candidate(conv, data))
    case = case_of(conv, data, **expect)
    list(lab.observe((comparison.baseline, comparison.candidate)))
    findings = diagnose(case, [comparison], behaviours(case, [comparison], lab), lab)
    (finding,) = attribute(case, findings, lab, strict=False, up_to=up_to)
    return finding
