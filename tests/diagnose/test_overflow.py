"""What overflows in float16, or in a transform, and in no direct sum: no bug is called for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from findings import judged, tensors
from kernels import (
    Kernel,
    direct,
    fourier,
    half_accumulator,
    rounded_inputs,
    rounded_output,
    to_bits,
    to_float16,
    with_filter,
)

from convdiff.case.arrays import Tensors
from convdiff.worker.ops.convolution import Convolution

Array = np.ndarray[Any, Any]
CONV = Convolution((2, 3), 2, 4)
DATA = tensors(CONV, (1, 4, 9, 2), 5, bias=True)


def times(x: float, w: float = 1.0) -> Tensors:
    """Return the data with larger inputs and weights."""
    inputs = (DATA.input_nhwc * np.float32(x)).astype(np.float32)
    return Tensors((DATA.filter_hwio * np.float32(w)).astype(np.float32), DATA.bias, inputs)


@np.errstate(all="ignore")
def lossy(conv: Convolution, data: Tensors) -> Array:
    """Lose one output of large inputs."""
    y = rounded_inputs(to_bits(10))(conv, data).copy()
    if np.abs(data.input_nhwc).max() > 1e7:
        y[0, -1, -1, -1] = np.nan
    return y


def dropping(conv: Convolution, data: Tensors) -> Array:
    """Drop a tap, and sum in fp16."""
    w = data.filter_hwio.copy()
    w[0, 0, 0] = 0
    return half_accumulator(conv, Tensors(w, data.bias, data.input_nhwc))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("kernel", "data"),
    [
        (half_accumulator, times(1e6)),
        (rounded_inputs(to_float16), times(1e6)),
        (rounded_inputs(to_float16), times(1e6, 1e-6)),
        (with_filter(to_float16), times(1e-6, 1e6)),
        (rounded_output(to_float16), times(1e3, 1e4)),
    ],
)
def test_what_float16_can_not_hold_is_precision(kernel: Kernel, data: Tensors):
    finding = judged(CONV, data, direct, kernel)
    assert finding.comparison.difference is not None
    assert finding.comparison.difference.appeared
    assert (finding.verdict, finding.allowed, finding.fits) == ("precision", False, None)
    assert any("infinite, as in float16" in str(fact) for fact in finding.evidence)


@pytest.mark.filterwarnings("ignore")
def test_a_transform_that_overflows_is_a_transform():
    finding = judged(CONV, times(3e18, 2e18), direct, fourier)
    assert finding.comparison.difference is not None
    assert finding.comparison.difference.appeared
    assert (finding.verdict, finding.allowed) == ("transform", False)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kernel", [lossy, dropping])
def test_bugs_are_wrong_though_bits_are_lost_too(kernel: Kernel):
    finding = judged(CONV, times(1e8), direct, kernel)
    assert (finding.verdict, finding.allowed) == ("wrong", False)
