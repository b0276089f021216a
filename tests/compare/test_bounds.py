"""How large a difference may be: no order of summation gets beyond the worst case."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convdiff.case.arrays import Tensors, numpy_dtype
from convdiff.compare.bounds import gamma, screen, worst_case
from convdiff.compare.fp64 import Scales, scales
from convdiff.numerics.floats import FORMATS
from convdiff.worker.ops.convolution import Convolution

NAMES = ["float16", "bfloat16", "float32", "float64"]


def sum_in_random_order(terms: np.ndarray, rng: np.random.Generator) -> np.generic:
    """Add rounded terms pair by random pair, each sum rounded to the terms' format."""
    left = list(terms)
    while len(left) > 1:
        i, j = sorted(rng.choice(len(left), 2, replace=False))
        right = left.pop(j)
        left[i] = left[i] + right
    return left[0]


@pytest.mark.parametrize("name", NAMES)
def test_two_sums_in_random_order_never_differ_by_more_than_the_worst_case(name):
    dtype, form = numpy_dtype(name), FORMATS[name]

    @settings(max_examples=60)
    @given(
        taps=st.integers(2, 24),
        same_sign=st.booleans(),
        with_bias=st.booleans(),
        seed=st.integers(0, 2**32),
    )
    def check(taps: int, same_sign: bool, with_bias: bool, seed: int) -> None:
        rng = np.random.default_rng(seed)
        x, w = rng.standard_normal(taps), rng.standard_normal(taps)
        if same_sign:
            x, w = 1 + np.abs(x), 1 + np.abs(w)
        x, w = x.astype(dtype), w.astype(dtype)
        bias = rng.standard_normal(1).astype(dtype) if with_bias else None
        conv = Convolution((1, taps), 1, 1, dtype=name)
        tensors = Tensors(w.reshape(1, -1, 1, 1), bias, x.reshape(1, 1, -1, 1))
        terms = np.concatenate([x * w, bias]) if bias is not None else x * w
        assert terms.dtype == dtype
        results = [float(sum_in_random_order(terms, rng)) for _ in range(4)]
        bound = worst_case(scales(conv, tensors), len(terms), form).item()
        assert max(results) - min(results) <= bound

    check()


def test_the_worst_case_is_reached_to_within_a_small_factor():
    # A bound that is true but enormous would say nothing: this order gets near it.
    taps, form = 2048, FORMATS["float16"]
    terms = np.full(taps, 1.0, np.float16)
    terms[0] = 2048.0
    forward, backward = np.float16(0), np.float16(0)
    for term in terms:
        forward = forward + term  # 2048 + 1 = 2048 in fp16, again and again
    for term in terms[::-1]:
        backward = backward + term
    bound = 2 * gamma(taps + 1, form) * float(terms.astype(float).sum())
    assert form.unit_roundoff * taps >= 1 and bound == np.inf
    terms, form = terms.astype(np.float32), FORMATS["float32"]
    terms[0] = 2.0**24
    forward = np.float32(0)
    for term in terms:
        forward = forward + term
    lost = float(terms.astype(float).sum()) - float(forward)
    bound = 2 * gamma(taps + 1, form) * float(terms.astype(float).sum())
    assert lost == taps - 1
    assert bound / 8 < lost < bound


def test_gamma_is_nu_over_one_minus_nu_and_infinite_where_that_breaks_down():
    form = FORMATS["bfloat16"]
    assert gamma(64, form) == (64 / 256) / (1 - 64 / 256)
    assert gamma(256, form) == np.inf
    assert gamma(10**6, form) == np.inf


def test_where_every_term_is_zero_nothing_may_differ_even_when_gamma_is_infinite():
    nothing = Scales(np.array([0.0, 2.0]), np.array([0.0, 2.0]))
    assert worst_case(nothing, 300, FORMATS["bfloat16"]).tolist() == [0.0, np.inf]


def test_the_screen_grows_with_the_results_and_with_the_root_of_the_terms():
    size, form = Scales(np.array([9.0]), np.array([3.0])), FORMATS["float32"]
    zero = np.zeros(1, np.float32)
    assert screen(size, 16, form, zero, zero).item() == 8 * 2.0**-24 * 4 * 3
    one = np.ones(1, np.float32)
    assert screen(size, 16, form, one, -one).item() == 8 * 2.0**-24 * (4 * 3 + 2)


@pytest.mark.parametrize("taps", [5, 64, 576])
def test_ordinary_sums_stay_within_the_screen(taps):
    rng = np.random.default_rng(taps)
    conv = Convolution((1, taps), 1, 1)
    x = rng.standard_normal((1, 1, taps + 50, 1)).astype(np.float32)
    w = rng.standard_normal((1, taps, 1, 1)).astype(np.float32)
    size = scales(conv, Tensors(w, None, x))
    rows = np.lib.stride_tricks.sliding_window_view(x.ravel(), taps)
    products = rows * w.ravel()
    forward = np.cumsum(products, axis=1, dtype=np.float32)[:, -1].reshape(1, 1, -1, 1)
    backward = np.cumsum(products[:, ::-1], axis=1, dtype=np.float32)[:, -1].reshape(1, 1, -1, 1)
    allowed = screen(size, taps, FORMATS["float32"], forward, backward)
    assert (np.abs(forward.astype(float) - backward) <= allowed).all()
    dropped = forward - products[:, taps // 2].reshape(1, 1, -1, 1)
    assert (np.abs(forward.astype(float) - dropped) > allowed).mean() > 0.9
