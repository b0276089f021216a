"""Whatever is padded, transposed or of how many axes: sound kernels are clean, narrow ones told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from drawn_geometries import Drawn, geometries
from findings import judged, tensors
from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st
from kernels import (
    CELL,
    Kernel,
    bfloat16_accumulator,
    direct,
    measure_with,
    rounded_inputs,
    rounded_output,
    shuffled,
    to_bits,
    to_float16,
)
from soak import soak

from convdiff.behaviour.behaviour import Traits
from convdiff.behaviour.examine import examine_cell
from convdiff.case.arrays import Tensors
from convdiff.worker.ops.convolution import Convolution

Array = np.ndarray[Any, Any]
SLOW = {"suppress_health_check": [HealthCheck.too_slow]}


def traits_of(kernel: Kernel, drawn: Drawn, *, bias: bool) -> Traits:
    conv, shape = drawn
    cell = replace(CELL, batch=shape[0], length=shape[2])
    traits = examine_cell(cell, conv, shape[1], bias, measure_with(kernel, conv)).traits
    assert traits is not None
    return traits


def sees_anything(drawn: Drawn) -> bool:
    conv, shape = drawn
    return bool(conv.windows(np.ones(shape)).any())


def matrix_product(conv: Convolution, data: Tensors) -> Array:
    """Multiply by matrices in the format itself, as NumPy's loop does."""
    shape = conv.output_shape(*data.input_nhwc.shape[:3])
    parts = [table @ columns.T for table, columns in conv.tables(data.input_nhwc, data.filter_hwio)]
    output = np.concatenate(parts, axis=1).reshape(shape)
    return output if data.bias is None else output + data.bias


@soak(4000, **SLOW)
@given(geometries(), st.booleans(), st.sampled_from([direct, shuffled(1), matrix_product]))
def test_a_sound_kernel_is_clean(drawn: Drawn, bias: bool, kernel: Kernel):
    traits = traits_of(kernel, drawn, bias=bias)
    assert traits == Traits(), traits


@soak(1000, **SLOW)
@given(geometries(), st.booleans(), st.integers(0, 2**20))
def test_two_orders_are_rounding_or_the_same(drawn: Drawn, bias: bool, seed: int):
    assume(sees_anything(drawn))  # equal outputs that are all zero are not trusted
    conv, shape = drawn
    finding = judged(conv, tensors(conv, shape, seed, bias=bias), direct, shuffled(seed))
    assert finding.verdict in ("same", "rounding"), finding.evidence


def one_side(side: str, bits: int) -> Kernel:
    def kernel(conv: Convolution, data: Tensors) -> Array:
        own = getattr(data, side)
        narrow = None if own is None else to_bits(bits)(own)
        return direct(conv, replace(data, **{side: narrow}))

    return kernel


OF_OUTPUTS = ("outputs keep 10 of 23", "sums or outputs keep 10 of 23")
NARROW: dict[str, tuple[Kernel, Callable[[str], bool]]] = {
    "inputs": (one_side("input_nhwc", 7), lambda said: said.startswith("inputs keep 7 of 23")),
    "weights": (one_side("filter_hwio", 7), lambda said: said.startswith("weights keep 7 of 23")),
    "both": (rounded_inputs(to_bits(10)), lambda said: said.count("keep 10 of 23") == 2),
    "outputs": (rounded_output(to_float16), lambda said: said.startswith(OF_OUTPUTS)),
    "sums": (bfloat16_accumulator, lambda said: "keeps 8 of 24" in said or "keep 7 of 23" in said),
    "bias": (one_side("bias", 7), lambda said: said == "the bias keeps 7 of 23 " + BFLOAT16),
}
BFLOAT16 = "fraction bits (bfloat16)"
OF_BIAS_ALONE = {"outputs": 10, "sums": 7, "bias": 7}
"""What keeps so many bits where outputs see nothing, and are their bias."""


@pytest.mark.parametrize("where", NARROW)
@soak(400, **SLOW)
@given(geometries(dtype="float32"), st.booleans())
def test_a_narrow_kernel_is_told_and_where(where: str, drawn: Drawn, bias: bool):
    kernel, is_said = NARROW[where]
    traits = traits_of(kernel, drawn, bias=bias)
    if where == "bias" and not bias:
        assert traits.clean
        return
    if not sees_anything(drawn):
        bits = OF_BIAS_ALONE.get(where) if bias else None
        assert traits.clean == (bits is None)
        assert bits is None or f"the bias, or outputs, keep {bits} of 23" in str(traits.narrowed)
        return
    assert not traits.error
    assert traits.narrowed
    assert is_said(traits.narrowed), traits.narrowed
