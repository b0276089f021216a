"""Formats, ulps and rounding, against NumPy's nextafter and against rational arithmetic."""

from __future__ import annotations

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from convdiff.case.arrays import numpy_dtype
from convdiff.numerics.floats import (
    FORMATS,
    hexes,
    ordered,
    round_fraction,
    round_to,
    spacing,
    ulps,
)

NAMES = ["float16", "bfloat16", "float32", "float64"]
LARGEST_FP64 = Fraction(FORMATS["float64"].largest)
SMALLEST = {"float16": -24, "bfloat16": -133, "float32": -149, "float64": -1074}


def next_up(array: np.ndarray) -> np.ndarray:
    """Return the neighbour above by the format's own library, not by our bit patterns."""
    library = ml_dtypes if array.dtype.name == "bfloat16" else np
    if library is np:
        return np.nextafter(array, np.array(np.inf, array.dtype))
    return np.nextafter(array, array.dtype.type(np.inf))


@np.errstate(invalid="ignore")  # signalling NaNs among the bit patterns
def interesting(name: str) -> np.ndarray:
    """Return finite values of all sizes and both signs, subnormals and extremes included."""
    form, dtype = FORMATS[name], numpy_dtype(name)
    rng = np.random.default_rng(5)
    bits = rng.integers(0, 2 ** (8 * dtype.itemsize), 4000, np.uint64).astype(form.bits)
    tiny = 2.0 ** SMALLEST[name]
    named = np.array([0.0, -0.0, tiny, -tiny, 1.0, -1.0, form.largest, -form.largest]).astype(dtype)
    values = np.concatenate([bits.view(dtype), named])
    return values[np.isfinite(values.astype(np.float64))]


@pytest.mark.parametrize(
    ("name", "precision", "largest", "flushed"),
    [
        ("float16", 11, 65504.0, 2.0**-24),
        ("bfloat16", 8, (2 - 2.0**-7) * 2.0**127, 2.0**-126),
        ("float32", 24, (2 - 2.0**-23) * 2.0**127, 2.0**-126),
        ("float64", 53, (2 - 2.0**-52) * 2.0**1023, 2.0**-1022),
    ],
)
def test_the_format_constants_are_the_formats_own(name, precision, largest, flushed):
    form = FORMATS[name]
    assert form.name == name
    assert form.largest == largest
    assert form.precision == precision
    assert form.unit_roundoff == float(ml_dtypes.finfo(numpy_dtype(name)).eps) / 2
    assert form.bits.itemsize == numpy_dtype(name).itemsize
    assert form.smallest == 2.0 ** SMALLEST[name]
    assert form.flushed == flushed


@pytest.mark.parametrize("name", NAMES)
def test_neighbours_are_one_ulp_apart(name):
    values = interesting(name)
    values = values[values.astype(np.float64) < FORMATS[name].largest]
    above = next_up(values)
    one = np.ones(len(values), np.uint64)
    zeros = (values == 0) & (above == 0)
    assert not zeros.any()
    assert np.array_equal(ulps(values, above), one)
    assert np.array_equal(ulps(above, values), one)
    assert np.array_equal(ordered(above) - ordered(values), one.astype(np.int64))


@pytest.mark.parametrize("name", NAMES)
def test_both_zeros_are_the_same_point(name):
    zeros = np.array([0.0, -0.0]).astype(numpy_dtype(name))
    assert ordered(zeros).tolist() == [0, 0]
    assert ulps(zeros, zeros[::-1]).tolist() == [0, 0]


@pytest.mark.parametrize("name", NAMES)
def test_ulps_count_across_zero_and_are_symmetric(name):
    dtype = numpy_dtype(name)
    tiny = 2.0 ** SMALLEST[name]
    a, b = np.array([3 * tiny]).astype(dtype), np.array([-2 * tiny]).astype(dtype)
    assert ulps(a, b).tolist() == ulps(b, a).tolist() == [5]


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_ordered_counts_every_value_of_a_small_format_once(name):
    every = np.arange(2**16, dtype=np.uint16).view(numpy_dtype(name))
    with np.errstate(invalid="ignore"):
        every = every[np.isfinite(every.astype(np.float64))]
    every = every[np.argsort(every.astype(np.float64), kind="stable")]
    steps = np.diff(ordered(every))
    wide = every.astype(np.float64)
    assert np.array_equal(steps == 0, np.diff(wide) == 0)
    assert set(steps.tolist()) == {0, 1}


def test_ulps_of_opposite_extremes_saturate_instead_of_wrapping():
    largest = FORMATS["float64"].largest
    a, b = np.array([largest]), np.array([-largest])
    assert ulps(a, b).tolist() == ulps(b, a).tolist() == [2**63 - 1]
    single = np.array([FORMATS["float32"].largest], np.float32)
    assert ulps(single, -single).tolist() == [2 * 0x7F7FFFFF]


@pytest.mark.parametrize("name", NAMES)
def test_spacing_is_the_gap_to_the_next_larger_magnitude(name):
    values = np.abs(interesting(name))
    values = values[values.astype(np.float64) < FORMATS[name].largest]
    gap = next_up(values).astype(np.float64) - values.astype(np.float64)
    assert np.array_equal(spacing(values, FORMATS[name]), gap)
    assert np.array_equal(spacing(-values, FORMATS[name]), gap)


def nearest(value: Fraction, name: str) -> float:
    """Round by the definition: the nearest multiple of the ulp, ties to even, then overflow."""
    if value == 0:
        return 0.0
    form, magnitude = FORMATS[name], abs(value)
    exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    if Fraction(2) ** exponent > magnitude:
        exponent -= 1
    unit = Fraction(2) ** max(exponent - form.precision + 1, SMALLEST[name])
    rounded = round(magnitude / unit) * unit  # Python rounds a Fraction half to even
    result = float(rounded) if rounded <= Fraction(form.largest) else np.inf
    return result if value > 0 else -result


@st.composite
def near_a_tie(draw, name: str) -> Fraction:
    """Draw a rational at, or a hair beside, the middle between two neighbours of a format."""
    form, lowest = FORMATS[name], SMALLEST[name]
    top = int(np.log2(form.largest))
    exponent = draw(st.integers(lowest, top - form.precision + 1) | st.just(lowest))
    significand = draw(st.integers(0, 2**form.precision - 1) | st.just(2**form.precision - 1))
    middle = (Fraction(significand) + Fraction(1, 2)) * Fraction(2) ** exponent
    aside = draw(st.integers(-2, 2)) * Fraction(2) ** (exponent - draw(st.integers(1, 300)))
    return (middle + aside) * draw(st.sampled_from([1, -1]))


@pytest.mark.parametrize("name", NAMES)
def test_round_fraction_rounds_to_nearest_even(name):
    @given(near_a_tie(name) | st.fractions())
    @example(Fraction(0))
    @example(Fraction(1, 10**500))
    @example(-(Fraction(10) ** 400))
    @example(Fraction(FORMATS[name].largest))
    def check(value: Fraction) -> None:
        result = round_fraction(value, numpy_dtype(name))
        assert result.dtype.name == name and result.shape == ()
        assert float(result) == nearest(value, name)

    check()


@pytest.mark.parametrize("name", NAMES)
def test_round_fraction_overflows_exactly_half_an_ulp_beyond_the_largest(name):
    form = FORMATS[name]
    largest = Fraction(form.largest)
    limit = largest + Fraction(float(spacing(np.array([form.largest]), form)[0])) / 2
    hair = Fraction(1, 10**400)
    for sign in (1, -1):
        assert float(round_fraction(sign * limit, numpy_dtype(name))) == sign * np.inf
        assert (
            float(round_fraction(sign * (limit - hair), numpy_dtype(name))) == sign * form.largest
        )


@pytest.mark.parametrize("name", NAMES)
def test_round_to_rounds_fp64_once(name):
    in_range = near_a_tie(name).filter(lambda value: abs(value) <= LARGEST_FP64).map(float)

    @given(in_range | st.floats(allow_nan=False))
    @example(0.0)
    @example(5e-324)
    def check(value: float) -> None:
        result = float(round_to(np.array([value]), numpy_dtype(name))[0])
        expected = nearest(Fraction(value), name) if np.isfinite(value) else value
        assert result == expected

    check()


def test_bfloat16_is_not_rounded_twice():
    # Just above a tie of bf16, by less than fp32 can hold: through plain fp32 it would become the
    # tie, and round down to even.
    value = np.array([1 + 2.0**-8 + 2.0**-40, -(1 + 2.0**-8 + 2.0**-40)])
    assert value.astype(np.float32).astype(ml_dtypes.bfloat16).astype(float).tolist() == [1, -1]
    rounded = round_to(value, np.dtype(ml_dtypes.bfloat16)).astype(float)
    assert rounded.tolist() == [1 + 2.0**-7, -(1 + 2.0**-7)]


@pytest.mark.parametrize("name", NAMES)
def test_rounding_keeps_infinities_nans_and_the_sign_of_zero(name):
    special = np.array([np.inf, -np.inf, np.nan, -0.0, 0.0, -1e-320 / 2**60])
    result = round_to(special, numpy_dtype(name)).astype(np.float64)
    assert result[:2].tolist() == [np.inf, -np.inf] and np.isnan(result[2])
    assert np.signbit(result[3:]).tolist() == [True, False, True]


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_hexes_read_back_as_the_same_value(value):
    assert float.fromhex(hexes(np.array([value], np.float32))[0]) == value
