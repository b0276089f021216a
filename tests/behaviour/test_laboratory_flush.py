"""Subnormals that are taken as zero: told, and no error."""

from __future__ import annotations

import numpy as np
import pytest
from kernels import CELL, HEIGHT, Kernel, direct, measure_with, with_tap

from convdiff.behaviour.behaviour import Traits
from convdiff.behaviour.examine import examine_cell
from convdiff.case.arrays import Tensors
from convdiff.worker.ops.convolution import Convolution

SQUARE = Convolution((3, 3), 4, 4)


def examined(kernel: Kernel, conv: Convolution = SQUARE) -> Traits:
    behaviour = examine_cell(CELL, conv, HEIGHT, True, measure_with(kernel, conv))
    assert behaviour.traits is not None
    return behaviour.traits


def flushing(inputs: bool, outputs: bool) -> Kernel:
    def flush(array):
        tiny = {"float64": 2.0**-1022}.get(array.dtype.name, 2.0**-126)
        return np.where(np.abs(array.astype(np.float64)) < tiny, 0, array).astype(array.dtype)

    def kernel(conv: Convolution, tensors: Tensors):
        w, b, x = tensors.filter_hwio, tensors.bias, tensors.input_nhwc
        if inputs:
            w, x = flush(w), flush(x)
        y = direct(conv, Tensors(w, b, x))
        return flush(y) if outputs else y

    return kernel


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize(
    ("inputs", "outputs", "said"),
    [
        (False, False, None),
        (True, False, "subnormal inputs are taken as zero"),
        (False, True, "subnormal outputs are taken as zero"),
        (True, True, "subnormal inputs and outputs are taken as zero"),
    ],
    ids=["none", "inputs", "outputs", "both"],
)
def test_what_is_flushed_to_zero_is_told_and_is_no_error(
    inputs: bool, outputs: bool, said: str | None, dtype: str
):
    conv = Convolution((3, 3), 4, 4, dtype=dtype)
    traits = examined(flushing(inputs, outputs), conv)
    assert traits.flushes == said
    assert traits.clean


def test_a_lost_tap_is_not_said_to_be_flushed():
    assert examined(with_tap(18, 0, 0.0)).flushes is None
