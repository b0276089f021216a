"""Narrower formats that explain an output on its own data: named where they do, else never."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convdiff.behaviour import fit_widths
from convdiff.behaviour.fit_widths import FEW, HALVES, NAMES, WIDTHS, Narrowing
from convdiff.behaviour.guesses import Started, of_table
from convdiff.behaviour.rounding_widths import ROUNDINGS
from convdiff.case.arrays import Tensors, numpy_dtype
from convdiff.compare.exact import exact
from convdiff.compare.fp64 import plain_fp64
from convdiff.worker.ops.convolution import Convolution

CONV = Convolution((3, 2), 4, 6, (1, 1), (1, 1), 1, "float32")


def drawn(conv: Convolution, seed: int, height: int = 7) -> Tensors:
    """Return arrays of normal numbers."""
    rng, dtype = np.random.default_rng(seed), numpy_dtype(conv.dtype)
    return Tensors(
        rng.standard_normal(conv.filter_shape).astype(dtype),
        rng.standard_normal(conv.channels_out).astype(dtype),
        rng.standard_normal((2, height, 9, conv.channels_in)).astype(dtype),
    )


@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize("parts", NAMES)
@pytest.mark.parametrize("rounding", range(len(ROUNDINGS)))
def test_each_narrowing_is_named(bits, parts, rounding):
    tensors = drawn(CONV, bits)
    output = plain_fp64(CONV, Narrowing(parts, bits, rounding).of(tensors)).astype(np.float32)
    said = fit_widths.fit_widths(CONV, tensors, output)
    # Two numbers of 11 bits hold 22 and more of 24: that is within rounding of the exact result.
    # So is a bias of two of 8.
    if rounding == HALVES and (bits == 11 or (bits == 8 and NAMES[parts] == "bias")):
        assert said is None
        return
    # Of a bias that keeps 16 bits of 24, sums of products that do show nothing.
    shown = NAMES[parts].replace("inputs, weights and bias", "inputs and weights")
    named = shown if rounding == HALVES and bits == 8 else NAMES[parts]
    twice = "twice " if rounding == HALVES else ""
    assert said == f"its numbers fit {named} of {twice}{bits} bits ({WIDTHS[bits]})"


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_the_exact_result_is_no_narrowing(dtype):
    conv = CONV._replace(dtype=dtype)
    tensors = drawn(conv, 5)
    assert fit_widths.fit_widths(conv, tensors, exact(conv, tensors)) is None


@pytest.mark.parametrize(("dtype", "bits"), [("float64", 11), ("float16", 8), ("bfloat16", 4)])
def test_what_the_format_rounds_away_itself_is_not_named(dtype, bits):
    conv = CONV._replace(dtype=dtype)
    tensors = drawn(conv, 6)
    narrowing = Narrowing((True, True, False), bits)
    output = plain_fp64(conv, narrowing.of(tensors)).astype(numpy_dtype(dtype))
    said = fit_widths.fit_widths(conv, tensors, output)
    assert (said is None) == (dtype != "float64")


@pytest.mark.slow
@given(seed=st.integers(0, 2**32), scale=st.sampled_from([0.001, 0.01, 0.1, 1.0]))
def test_outputs_that_are_off_at_random_fit_nothing(seed, scale):
    tensors = drawn(CONV, seed)
    noise = np.random.default_rng(seed).standard_normal((2, 5, 8, 6))
    output = (plain_fp64(CONV, tensors) * (1 + scale * noise)).astype(np.float32)
    assert fit_widths.fit_widths(CONV, tensors, output) is None


@pytest.mark.parametrize("narrowing", [Narrowing(), Narrowing((True, True, False), 8)], ids=str)
def test_a_known_mistake_is_no_narrowing(narrowing):
    """Nor one in fewer bits: what fits has to fit whole."""
    tensors = drawn(CONV, 8)
    tried = 0
    given = narrowing.of(tensors)
    for guess in of_table(CONV, given, Started(CONV)):
        name, result = guess.name, guess.result(given)
        if result is None or result.shape != (2, 5, 8, 6):
            continue
        tried += 1
        found = fit_widths.fit_widths(CONV, tensors, result.astype(np.float32))
        same = np.allclose(result, plain_fp64(CONV, narrowing.of(tensors)), rtol=1e-6)
        assert found is None or same, name
    assert tried > 5


def test_a_few_outputs_prove_nothing():
    """One of all that is tried would fit them by chance."""
    tensors = drawn(CONV, 9)
    output = exact(CONV, tensors)
    narrow = plain_fp64(CONV, Narrowing((True, True, False), 8).of(tensors)).astype(np.float32)
    small = Tensors(
        tensors.filter_hwio[..., : FEW - 1],
        None,
        tensors.input_nhwc[:1, :3, :2],
    )
    conv = CONV._replace(channels_out=FEW - 1)
    few = plain_fp64(conv, Narrowing((True, True, False), 8).of(small)).astype(np.float32)
    assert fit_widths.fit_widths(conv, small, few) is None
    mixed = output.copy()
    mixed[0] = narrow[0]
    assert fit_widths.fit_widths(CONV, tensors, mixed) is None, "half of it is exact"


def test_what_fits_at_a_glance_has_to_fit_whole(monkeypatch):
    monkeypatch.setattr(fit_widths, "GLANCE", 1)
    tensors = drawn(CONV, 10, height=12)
    output = plain_fp64(CONV, Narrowing((False, True, False), 8).of(tensors)).astype(np.float32)
    assert fit_widths.fit_widths(CONV, tensors, output)
    output[1, -1, -1, -1] += np.float32(0.5)
    assert fit_widths.fit_widths(CONV, tensors, output) is None


def test_what_is_not_finite_fits_nothing():
    tensors = drawn(CONV, 11)
    output = exact(CONV, replace(tensors, bias=None))
    output[0, 0, 0, 0] = np.nan
    assert fit_widths.fit_widths(CONV, tensors, output) is None


@pytest.mark.parametrize("bits", [8, 11])
@pytest.mark.parametrize("rounding", range(HALVES))
def test_an_output_that_is_rounded_is_named(bits, rounding):
    tensors = drawn(CONV, 12)
    output = ROUNDINGS[rounding](plain_fp64(CONV, tensors), bits).astype(np.float32)
    said = fit_widths.fit_widths(CONV, tensors, output)
    assert said == f"its numbers fit an output of {bits} bits ({WIDTHS[bits]})"


@pytest.mark.slow
@given(seed=st.integers(0, 2**32), most=st.sampled_from([1, 3, 7, 15]))
def test_integers_that_are_off_by_one_are_no_narrower_output(seed, most):
    """Small integers have few bits of themselves."""
    rng = np.random.default_rng(seed)
    tensors = Tensors(
        rng.integers(-most, most, CONV.filter_shape, endpoint=True).astype(np.float32),
        rng.integers(-most, most, 6, endpoint=True).astype(np.float32),
        rng.integers(-most, most, (2, 7, 9, 4), endpoint=True).astype(np.float32),
    )
    right = exact(CONV, tensors)
    off = right + rng.choice([-1, 0, 1], right.shape).astype(np.float32)
    assert fit_widths.fit_widths(CONV, tensors, right) is None
    assert fit_widths.fit_widths(CONV, tensors, off) is None
