"""Exact results, bounds and special values of a convolution with the step that follows."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convdiff.case.arrays import Tensors, numpy_dtype
from convdiff.compare.astray import astray
from convdiff.compare.exact import exact
from convdiff.compare.fp64 import scales
from convdiff.compare.ieee import FINITE, NAN, PLUS
from convdiff.compare.rational import exact_at
from convdiff.compare.reference import Reference
from convdiff.compare.some_outputs import some_outputs
from convdiff.compare.term_scales import TermScales
from convdiff.numerics.floats import round_fraction
from convdiff.worker.ops.convolution import Convolution
from convdiff.worker.ops.then import STEPS

DTYPES = ("float32", "float64", "float16", "bfloat16")
ONES = ((), (0, 1, 2), (0, 1, 2, 3), (2,))
LIMITS = {"relu": (0, None), "relu6": (0, 6)}


def drawn(
    dtype: str, then: str, seed: int, ones: tuple[int, ...] = ()
) -> tuple[Convolution, Tensors]:
    """Return a convolution of numbers over a few binades, so that steps cut some off."""
    conv = Convolution((2, 3), 4, 6, groups=2, dtype=dtype, then=then)
    rng, kind = np.random.default_rng(seed), numpy_dtype(dtype)

    def some(*shape: int) -> np.ndarray:
        return (rng.normal(0, 1, shape) * 2.0 ** rng.integers(-2, 3, shape)).astype(kind)

    x = some(2, 4, 6, 4)
    shape = [1 if axis in ones else n for axis, n in enumerate(conv.output_shape(2, 4, 6))]
    return conv, Tensors(
        some(*conv.filter_shape), some(6), x, some(*shape) if then == "add" else None
    )


def by_fractions(conv: Convolution, tensors: Tensors) -> np.ndarray:
    """Return the result by its definition: exact terms, one rounding, and the step."""
    x, w = (a.astype(np.float64) for a in (tensors.input_nhwc, tensors.filter_hwio))
    shape, kind = conv.output_shape(*x.shape[:3]), numpy_dtype(conv.dtype)
    y, width = np.empty(shape, kind), w.shape[2]
    for n, row, column, out in np.ndindex(*shape):
        first = out // (conv.channels_out // conv.groups) * width
        total = Fraction(float(tensors.bias[out]))
        for i, j, c in np.ndindex(*w.shape[:3]):
            total += Fraction(x[n, row + i, column + j, first + c]) * Fraction(w[i, j, c, out])
        if tensors.added is not None:
            at = [
                min(i, k - 1)
                for i, k in zip((n, row, column, out), tensors.added.shape, strict=True)
            ]
            total += Fraction(float(tensors.added[tuple(at)]))
        low, high = LIMITS.get(conv.then, (None, None))
        total = total if low is None else max(total, Fraction(low))
        total = total if high is None else min(total, Fraction(high))
        y[n, row, column, out] = round_fraction(total, kind)
    return y


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("then", STEPS)
def test_exact_is_the_step_of_the_sum_rounded_once(dtype: str, then: str):
    for seed, ones in enumerate(ONES if then == "add" else ((),)):
        conv, tensors = drawn(dtype, then, seed, ones)
        right = by_fractions(conv, tensors)
        assert then == "add" or ((right == 0).any() and (right > 0).any())
        assert np.array_equal(exact(conv, tensors), right)
        index = np.argwhere(np.ones(right.shape, bool))[::7]
        some = some_outputs(conv, tensors, index)
        assert np.array_equal(some.exact, right[tuple(index.T)])
        assert exact_at(conv, tensors, tuple(index[3])) == right[tuple(index[3])]
        whole = scales(conv, tensors)
        assert np.allclose(some.scales.absolute, whole.absolute[tuple(index.T)], rtol=1e-12)


@given(st.integers(0, 2**31), st.sampled_from(STEPS), st.sampled_from(ONES))
def test_no_order_is_beyond_the_bound_of_the_whole(seed: int, then: str, ones: tuple[int, ...]):
    """Sum in some order in float16, round, add and clamp: 2γₙA holds for what two of them give."""
    conv, tensors = drawn("float16", then, seed, ones)
    reference = Reference(conv, tensors)
    rng, outputs = np.random.default_rng(seed), []
    view = np.asarray(conv.windows(tensors.input_nhwc))
    for _ in range(2):
        y = np.zeros(conv.output_shape(2, 4, 6), np.float16)
        for group in range(2):
            field = view[..., conv.inputs_of(group)].reshape(*view.shape[:3], -1)
            weights = tensors.filter_hwio[..., conv.outputs_of(group)].reshape(field.shape[-1], -1)
            for tap in rng.permutation(field.shape[-1]):
                y[..., conv.outputs_of(group)] += field[..., tap, None] * weights[tap]
        y = y + tensors.bias
        if tensors.added is not None:
            y = y + tensors.added
        low, high = LIMITS.get(then, (None, None))
        outputs.append(y if low is None else np.clip(y, np.float16(low), high))
    part = tuple(slice(0, n) for n in outputs[0].shape)
    sizes = reference.scales_in(part, np.ones(outputs[0].shape, bool)).absolute
    n, u = reference.terms + 1, 2.0**-11
    off = np.abs(outputs[0].astype(np.float64) - outputs[1]).ravel()
    assert (off <= 2 * n * u / (1 - n * u) * sizes + 2.0**-14).all()
    assert reference.terms == conv.taps + 1 + (then == "add")


@pytest.mark.parametrize("then", STEPS)
def test_a_limit_is_finite_and_nan_stays_nan(then: str):
    conv, tensors = drawn("float32", then, 1)
    bias = tensors.bias.copy()
    bias[:3] = np.nan, np.inf, -np.inf
    reference = Reference(conv, replace(tensors, bias=bias))
    kinds, values = reference.kinds, reference.exact
    assert kinds is not None and values is not None
    assert (kinds[..., 0] == NAN).all() and np.isnan(values[..., 0]).all()
    limits = {"relu": (np.inf, 0.0), "relu6": (6.0, 0.0), "add": (np.inf, -np.inf)}[then]
    assert (values[..., 1] == limits[0]).all() and (values[..., 2] == limits[1]).all()
    assert (kinds[..., 1] == (FINITE if then == "relu6" else PLUS)).all()
    dropped = np.where(np.isnan(values), np.float32(0), values)
    found, wrong = astray(dropped, reference)
    assert bool(found.lost) == wrong.any() == (then == "add")
    assert bool(found.limited) == (then != "add")
    moved = np.where(np.isnan(values), values, np.where(values == 0, np.float32(0.5), values))
    found, _ = astray(moved.astype(np.float32), reference)
    assert bool(found.changed) == (then != "add"), "a limit is as certain as an infinity"
    untouched = reference.untouched(values.shape)
    assert untouched is not None and not untouched[..., :3].any() and untouched[..., 3:].all()


@pytest.mark.parametrize("kind", [np.nan, np.inf])
def test_what_is_added_may_not_be_finite(kind: float):
    conv, tensors = drawn("float32", "add", 2)
    added = tensors.added.copy()
    added[0, 1, 2, 3] = kind
    reference = Reference(conv, replace(tensors, added=added))
    kinds = reference.kinds
    assert kinds is not None and (kinds != FINITE).sum() == 1
    assert kinds[0, 1, 2, 3] == (NAN if np.isnan(kind) else PLUS)
    bias = tensors.bias.copy()
    bias[3] = -np.inf
    both = Reference(conv, replace(tensors, added=added, bias=bias)).kinds
    assert both is not None and both[0, 1, 2, 3] == NAN, "of unlike infinities"


@pytest.mark.parametrize("ones", ONES)
def test_term_sizes_made_where_asked_for_are_those_of_all(ones: tuple[int, ...]):
    conv, tensors = drawn("float32", "add", 3, ones)
    whole = scales(conv, tensors)
    mask = np.random.default_rng(1).random(whole.absolute.shape) < 0.3
    block = tuple(slice(0, n) for n in mask.shape)
    some = TermScales(conv, tensors).scales(block, mask)
    assert np.allclose(some.absolute, whole.absolute[mask], rtol=1e-12)
    assert np.allclose(some.euclidean, whole.euclidean[mask], rtol=1e-12)
