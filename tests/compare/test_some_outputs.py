"""Some outputs of a large convolution: their exact values are those of all outputs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from findings import tensors

from convdiff.case.arrays import Tensors, numpy_dtype
from convdiff.compare.exact import exact
from convdiff.compare.fp64 import scales
from convdiff.compare.rational import exact_at
from convdiff.compare.some_outputs import FEWEST, MOST, sample, some_outputs
from convdiff.numerics.bits import same_bits
from convdiff.numerics.spread import TAIL
from convdiff.worker.ops.convolution import Convolution

DTYPES = ("float32", "float64", "float16", "bfloat16")
CONVS = (
    ((1, 5), 1, 1, {}),
    ((3, 3), 4, 6, {"groups": 2, "strides": (1, 2)}),
    ((2, 3), 5, 3, {"dilations": (1, 2)}),
    ((1, 1), 2, 8, {"groups": 2}),
)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", CONVS)
@pytest.mark.parametrize("bias", [False, True])
def test_they_are_those_of_all_outputs(dtype: str, shape: tuple, bias: bool):
    kernel, cin, cout, more = shape
    conv = Convolution(kernel, cin, cout, dtype=dtype, **more)
    data = tensors(conv, (2, 5, 17, cin), 3, bias=bias)
    whole, sizes = exact(conv, data), scales(conv, data)
    some = some_outputs(conv, data, sample(whole.shape, conv.taps))
    at = tuple(some.index.T)
    assert some.exact.dtype == whole.dtype
    assert same_bits(some.exact, whole[at]).all()
    assert np.allclose(some.scales.absolute, sizes.absolute[at], rtol=1e-12)
    assert np.allclose(some.scales.euclidean, sizes.euclidean[at], rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("rest", [0.0, 1.0, -1.0])
@pytest.mark.parametrize("odd", [0, 1])
def test_a_tie_is_broken_by_what_fp64_can_not_hold(dtype: str, rest: float, odd: int):
    conv, kind = Convolution((1, 3), 1, 1, dtype=dtype), numpy_dtype(dtype)
    precision = {"float32": 24, "float16": 11, "bfloat16": 8}[dtype]
    tiny = 2.0**-24 if dtype == "float16" else 2.0**-100
    # 1 or 1 + ulp, half an ulp more, and much less than fp64 sees beside it.
    x = np.array([1 + odd * 2.0 ** (1 - precision), 2.0**-precision, rest * tiny]).astype(kind)
    w = np.array([1, 1, tiny]).astype(kind)
    data = Tensors(w.reshape(1, 3, 1, 1), None, x.reshape(1, 1, 3, 1))
    some = some_outputs(conv, data, np.zeros((1, 4), np.int64))
    assert some.exact[0] == exact_at(conv, data, (0, 0, 0, 0))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("beside", [-1.0, 0.0, 1.0])
@pytest.mark.parametrize("rest", [0.0, 1.0, -1.0])
@pytest.mark.parametrize("odd", [0, 1])
def test_what_lies_just_beside_a_tie_is_none(dtype: str, beside: float, rest: float, odd: int):
    """The fp64 sum is the number next to the tie; what is left of it may lie towards the tie."""
    conv, kind = Convolution((1, 4), 1, 1, dtype=dtype), numpy_dtype(dtype)
    precision = {"float32": 24, "bfloat16": 8}[dtype]
    terms = [1 + odd * 2.0 ** (1 - precision), 2.0**-precision, beside * 2.0**-52, rest * 2.0**-60]
    w = np.ones((1, 4, 1, 1), kind)
    data = Tensors(w, None, np.array(terms).astype(kind).reshape(1, 1, 4, 1))
    some = some_outputs(conv, data, np.zeros((1, 4), np.int64))
    assert some.exact[0] == exact_at(conv, data, (0, 0, 0, 0))
    assert exact(conv, data).item() == some.exact[0]


@pytest.mark.parametrize("size", [2.0**-520, 2.0**-530, 2.0**600])
def test_products_beyond_fp64_are_exact_all_the_same(size: float):
    conv = Convolution((1, 4), 1, 2, dtype="float64")
    data = tensors(conv, (1, 1, 9, 1), 5, bias=False)
    data = Tensors(data.filter_hwio * size, None, data.input_nhwc * size)
    index = sample((1, 1, 6, 2), 4)
    some = some_outputs(conv, data, index)
    for at, value in zip(index, some.exact, strict=True):
        assert value == exact_at(conv, data, tuple(int(i) for i in at))


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 1, 9, 1), (2, 3, 4, 5), (4, 112, 112, 64)])
@pytest.mark.parametrize("taps", [1, 576, 10**7])
def test_a_sample_is_distinct_ordered_and_the_same_every_time(shape: tuple, taps: int):
    index = sample(shape, taps)
    flat = np.ravel_multi_index(tuple(index.T), shape)
    assert (np.diff(flat) > 0).all() or len(flat) == 1
    assert FEWEST <= len(flat) <= MOST or len(flat) == math.prod(shape)
    assert np.array_equal(index, sample(shape, taps))


def test_a_sample_has_corners_borders_and_tails_and_others():
    shape = (4, 112, 112, 64)
    index = sample(shape, 9)
    for axis, extent in enumerate(shape):
        for edge in (index[:, axis] == 0, index[:, axis] == extent - 1):
            assert edge.sum() > 30
    assert (index[:, 2] >= 112 - TAIL).sum() > 200
    corners = index[np.isin(index, [0, 3, 63, 111]).all(axis=1)]
    assert len(corners) >= 16
    inner = ((index > 0) & (index < np.array(shape) - TAIL)).sum(axis=0)
    assert (inner[1:] > 500).all()
