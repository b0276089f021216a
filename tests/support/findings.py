"""From two kernels to a finding, by the program's own way: observe, compare, probe, judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from fake_lab import FakeLab
from kernels import CELL, Kernel

from convdiff.behaviour.examine import behaviour_of
from convdiff.case.arrays import Tensors, numpy_dtype
from convdiff.case.axes import Axis
from convdiff.case.device import Device
from convdiff.case.model import Allowance, ArraySpec, Case
from convdiff.compare.comparison import Comparison, compare
from convdiff.compare.reference import Reference
from convdiff.diagnose.diagnose import behaviours, diagnose
from convdiff.diagnose.verdict import Finding
from convdiff.plan.cell import Cell, NoBits
from convdiff.plan.plan import Pair
from convdiff.runtime.model import Runtime
from convdiff.worker.ops.convolution import Convolution

Array = np.ndarray[Any, Any]

OTHER = replace(CELL, runtime=Runtime(CELL.runtime.interpreter, Device("gpu", 0)))
"""The candidate's cell; CELL is the baseline's."""


def tensors(conv: Convolution, shape: tuple[int, ...], seed: int, *, bias: bool) -> Tensors:
    """Return normal data of a case."""
    rng, dtype = np.random.default_rng(seed), numpy_dtype(conv.dtype)
    return Tensors(
        rng.standard_normal(conv.filter_shape).astype(dtype),
        rng.standard_normal(conv.channels_out).astype(dtype) if bias else None,
        rng.standard_normal(shape).astype(dtype),
    )


def case_of(conv: Convolution, data: Tensors, **expect: Allowance) -> Case:
    """Return a case of these arrays."""
    batch, height, length, _ = data.input_nhwc.shape
    spec = ArraySpec("values", data.input_nhwc.shape)
    case = Case(
        "synthetic",
        "synthetic.yaml",
        conv,
        ArraySpec("values", conv.filter_shape),
        None if data.bias is None else ArraySpec("values", data.bias.shape),
        spec,
        height,
        (length,),
        (batch,),
    )
    return replace(case, expect={**case.expect, **expect})


def compared(
    conv: Convolution, data: Tensors, a: Array | None, b: Array | None, axis: Axis = "device"
) -> Comparison:
    """Compare two outputs of a case."""
    batch, _, length, _ = data.input_nhwc.shape
    cells = [replace(cell, batch=batch, length=length) for cell in (CELL, OTHER)]
    sides = [NoBits("it refused") if output is None else output for output in (a, b)]
    pair = Pair(axis, *cells)
    return compare(pair, *sides, Reference(conv, data), strict=False, most=10)


def judged(
    conv: Convolution, data: Tensors, baseline: Kernel, candidate: Kernel, **expect: Allowance
) -> Finding:
    """Run two kernels on a case and its probes, and return what is found."""
    outputs = [kernel(conv, data) for kernel in (baseline, candidate)]
    comparison = compared(conv, data, *outputs)

    def measure(cell: Cell, probes: Sequence[Tensors]) -> list[Array | None]:
        kernel = baseline if cell.runtime == CELL.runtime else candidate
        return [kernel(conv, probe) for probe in probes]

    made = dict(zip((CELL.runtime, OTHER.runtime), outputs, strict=True))

    def kernel_of(cell: Cell, tensors: Tensors) -> Array | None:
        if cell.runtime in made:  # what was compared is what the lab holds
            return made.pop(cell.runtime)
        return (baseline if cell.runtime == CELL.runtime else candidate)(conv, data)

    case = case_of(conv, data, **expect)
    lab = FakeLab(data, kernel_of, lambda cell: behaviour_of(case, cell, measure))
    list(lab.observe((comparison.baseline, comparison.candidate)))
    (finding,) = diagnose(case, [comparison], behaviours(case, [comparison], lab), lab)
    return finding
