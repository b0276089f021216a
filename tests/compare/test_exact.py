"""The correctly rounded reference, against rational arithmetic over an independent loop."""

from __future__ import annotations

import time
import warnings
from fractions import Fraction
from unittest import mock

import numpy as np
import pytest
from drawn import convolutions
from hypothesis import given, settings

from convdiff.case.arrays import Tensors, numpy_dtype
from convdiff.compare import exact as module
from convdiff.compare.exact import exact
from convdiff.compare.fp64 import plain_fp64, scales
from convdiff.compare.rational import exact_at, products_at
from convdiff.compare.reference import Reference
from convdiff.numerics.floats import FORMATS, round_fraction
from convdiff.worker.ops.convolution import Convolution

NAMES = ["float16", "bfloat16", "float32", "float64"]


def terms_by_the_definition(conv: Convolution, tensors: Tensors, index: tuple[int, ...]):
    """Return the terms of one output as textbooks write the sum, one index at a time."""
    image, row, column, channel = index
    group = channel * conv.groups // conv.channels_out
    width = conv.channels_in // conv.groups
    terms = []
    for i in range(conv.kernel[0]):
        for j in range(conv.kernel[1]):
            for c in range(width):
                y = row * conv.strides[0] + i * conv.dilations[0]
                x = column * conv.strides[1] + j * conv.dilations[1]
                value = tensors.input_nhwc[image, y, x, group * width + c]
                weight = tensors.filter_hwio[i, j, c, channel]
                terms.append(Fraction(float(value)) * Fraction(float(weight)))
    if tensors.bias is not None:
        terms.append(Fraction(float(tensors.bias[channel])))
    return terms


def exact_by_fractions(conv: Convolution, tensors: Tensors) -> np.ndarray:
    batch, height, length, _ = tensors.input_nhwc.shape
    shape = conv.output_shape(batch, height, length)
    result = np.empty(shape, tensors.input_nhwc.dtype)
    for index in np.ndindex(*shape):
        total = sum(terms_by_the_definition(conv, tensors, index), Fraction(0))
        result[index] = round_fraction(total, result.dtype)
    return result


def bits(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array).view(FORMATS[array.dtype.name].bits)


@pytest.mark.parametrize("name", NAMES)
def test_exact_is_bit_equal_to_rational_arithmetic(name):
    @settings(max_examples=60)
    @given(convolutions(name))
    def check(drawn: tuple[Convolution, Tensors]) -> None:
        conv, tensors = drawn
        result = exact(conv, tensors)
        assert result.dtype == tensors.input_nhwc.dtype
        assert np.array_equal(bits(result), bits(exact_by_fractions(conv, tensors)))

    check()


@pytest.mark.parametrize("name", NAMES)
def test_total_cancellation_leaves_the_smallest_term(name):
    dtype = numpy_dtype(name)
    large, small = 2.0 ** (14 if name == "float16" else 60), 2.0**-10
    conv = Convolution((1, 5), 1, 1, dtype=name)
    x = np.array([large, 1.5, -large, small, -1.5], dtype).reshape(1, 1, 5, 1)
    w = np.ones((1, 5, 1, 1), dtype)
    assert float(exact(conv, Tensors(w, None, x)).item()) == small
    bias = np.array([-small], dtype)
    zero = exact(conv, Tensors(w, bias, x))
    assert bits(zero).item() == 0, "an exact zero is +0"


def test_an_exact_tie_is_rounded_to_even_and_a_hair_more_is_not():
    conv = Convolution((1, 3), 1, 1)
    w = np.ones((1, 3, 1, 1), np.float32)
    for hair, expected in ((0.0, 1.0), (2.0**-140, 1 + 2.0**-23), (-(2.0**-140), 1.0)):
        x = np.array([1.0, 2.0**-24, hair], np.float32).reshape(1, 1, 3, 1)
        assert float(exact(conv, Tensors(w, None, x)).item()) == expected


def test_what_the_error_term_itself_loses_is_not_taken_for_certain():
    # 2^60 swamps all others into the error term, and there the 1 swamps the hair above the tie.
    conv = Convolution((1, 5), 1, 1)
    x = np.array([2.0**60, 1.0, 2.0**-24, 2.0**-140, -(2.0**60)], np.float32)
    tensors = Tensors(np.ones((1, 5, 1, 1), np.float32), None, x.reshape(1, 1, 5, 1))
    assert float(exact(conv, tensors).item()) == 1 + 2.0**-23


def test_what_is_uncertain_is_made_exact_where_it_is(monkeypatch):
    monkeypatch.setattr(module, "CHUNK_OUTPUTS", 3)
    conv = Convolution((1, 5), 1, 1, strides=(1, 5))
    x = np.ones((2, 3, 10, 1), np.float32)
    x[1, 2, 5:, 0] = 2.0**60, 1.0, 2.0**-24, 2.0**-140, -(2.0**60)
    expected = np.full((2, 3, 2, 1), 5, np.float32)
    expected[1, 2, 1, 0] = 1 + 2.0**-23
    tensors = Tensors(np.ones((1, 5, 1, 1), np.float32), None, x)
    assert np.array_equal(exact(conv, tensors), expected)


def test_fp64_products_below_the_subnormals_still_count():
    conv = Convolution((1, 3), 1, 1, dtype="float64")
    x = np.full((1, 1, 3, 1), 2.0**-540)
    w = np.full((1, 3, 1, 1), 0.4 * 2.0**-534)  # each product is 0.4 of the smallest number
    assert float(exact(conv, Tensors(w, None, x)).item()) == 5e-324


def test_a_sum_that_overflows_only_on_the_way_is_finite_and_warns_nobody():
    conv = Convolution((1, 3), 1, 1, dtype="float64")
    x = np.array([1.5e308, 1.5e308, -1.5e308]).reshape(1, 1, 3, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        w = np.ones((1, 3, 1, 1))
        assert float(exact(conv, Tensors(w, None, x)).item()) == 1.5e308
        assert float(exact(conv, Tensors(w, None, np.abs(x))).item()) == np.inf


@pytest.mark.parametrize("name", NAMES)
def test_zeros_and_small_integers_never_need_rational_arithmetic(name):
    dtype = numpy_dtype(name)
    conv = Convolution((1, 5), 1, 1, dtype=name)
    w = np.arange(-2, 3).astype(dtype).reshape(1, 5, 1, 1)
    rng = np.random.default_rng(0)
    for x in (np.zeros(2000), rng.integers(-8, 9, 2000)):
        tensors = Tensors(w, None, x.astype(dtype).reshape(1, 1, -1, 1))
        with mock.patch.object(module, "exact_at", side_effect=AssertionError("slow path")):
            result = exact(conv, tensors)
        assert np.array_equal(result.astype(float), plain_fp64(conv, tensors))


def test_exact_takes_the_slow_path_for_few_outputs_of_ordinary_data():
    rng = np.random.default_rng(1)
    conv = Convolution((3, 3), 8, 8)
    tensors = Tensors(
        rng.standard_normal((3, 3, 8, 8)).astype(np.float32),
        None,
        rng.standard_normal((1, 30, 30, 8)).astype(np.float32),
    )
    with mock.patch.object(module, "exact_at", wraps=exact_at) as slow:
        started = time.monotonic()
        exact(conv, tensors)
    assert slow.call_count <= 5
    assert time.monotonic() - started < 5


def test_exact_in_several_chunks_is_exact_in_one(monkeypatch):
    rng = np.random.default_rng(2)
    conv = Convolution((2, 3), 2, 3)
    x = rng.standard_normal((2, 9, 11, 2)).astype(np.float32)
    tensors = Tensors(rng.standard_normal((2, 3, 2, 3)).astype(np.float32), None, x)
    whole = exact(conv, tensors)
    monkeypatch.setattr(module, "CHUNK_OUTPUTS", 40)
    assert np.array_equal(exact(conv, tensors), whole)


@settings(max_examples=40)
@given(convolutions("float32"))
def test_the_terms_of_an_output_are_those_of_the_definition(drawn):
    conv, tensors = drawn
    batch, height, length, _ = tensors.input_nhwc.shape
    for index in np.ndindex(*conv.output_shape(batch, height, length)):
        assert products_at(conv, tensors, index) == terms_by_the_definition(conv, tensors, index)


@settings(max_examples=40)
@given(convolutions("float32"))
def test_scales_are_the_sums_of_sizes_and_squares(drawn):
    conv, tensors = drawn
    found = scales(conv, tensors)
    for index in np.ndindex(*found.absolute.shape):
        terms = terms_by_the_definition(conv, tensors, index)
        absolute = float(sum(map(abs, terms)))
        euclidean = float(sum(term**2 for term in terms)) ** 0.5
        assert found.absolute[index] == pytest.approx(absolute, rel=1e-12)
        assert found.euclidean[index] == pytest.approx(euclidean, rel=1e-12)


def test_a_reference_too_large_to_make_whole_is_made_where_asked(monkeypatch):
    rng = np.random.default_rng(3)
    conv = Convolution((1, 5), 2, 3)
    tensors = Tensors(
        rng.standard_normal((1, 5, 2, 3)).astype(np.float32),
        rng.standard_normal(3).astype(np.float32),
        rng.standard_normal((2, 1, 20, 2)).astype(np.float32),
    )
    index = np.array([[0, 0, 0, 0], [1, 0, 15, 2], [1, 0, 3, 1]])
    whole = Reference(conv, tensors).exact_at(index)
    monkeypatch.setattr("convdiff.compare.reference.FULL_LIMIT", 10)
    reference = Reference(conv, tensors)
    assert reference.exact is None
    assert np.array_equal(reference.exact_at(index), whole)
    assert reference.terms == 11


def test_taps_without_weight_cost_nothing_and_change_nothing():
    rng = np.random.default_rng(3)
    conv = Convolution((2, 3), 4, 6, groups=2)
    x = rng.normal(size=(2, 5, 6, 4))
    dense = rng.normal(size=conv.filter_shape)
    for kept in (0, 1, 5, conv.taps):
        w = dense.reshape(conv.taps, 6) * (rng.permutation(conv.taps) < kept)[:, None]
        w = w.reshape(dense.shape)
        fields = np.asarray(conv.windows(x)).reshape(2, 4, 4, 2, 3, 2, 2)
        each = np.einsum("nyxijgc,ijcgo->nyxgo", fields, w.reshape(2, 3, 2, 2, 3))
        assert np.allclose(plain_fp64(conv, Tensors(w, None, x)), each.reshape(2, 4, 4, 6))


def test_a_nan_meets_the_taps_without_weight_too():
    conv = Convolution((1, 5), 1, 1)
    w = np.zeros((1, 5, 1, 1))
    w[0, 0] = 1
    x = np.ones((1, 1, 9, 1))
    x[0, 0, 8] = np.nan
    assert np.isnan(plain_fp64(conv, Tensors(w, None, x))[0, 0, :, 0]).tolist() == [False] * 4 + [
        True
    ]
