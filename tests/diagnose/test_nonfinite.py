"""NaN and infinity in the data: who loses, spreads or keeps them, and what that is called."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from findings import OTHER, compared, judged, tensors
from kernels import CELL, Kernel, add_up, direct, fourier, shuffled, winograd, with_filter
from nonfinite import beyond_the_window, on_cleaned, on_output, skipping_zero_weights, with_values

from convdiff.case.arrays import Tensors
from convdiff.case.nonfinite import cleaned
from convdiff.compare.against_exact import against_exact
from convdiff.compare.comparison import compare
from convdiff.compare.reference import Reference
from convdiff.diagnose.verdict import Finding, judge
from convdiff.plan.plan import Pair
from convdiff.worker.ops.convolution import Convolution

CONV = Convolution((3, 3), 4, 5)
SHAPE = (2, 9, 11, 4)
DATA = tensors(CONV, SHAPE, 4, bias=True)
SPECIAL = {
    "NaN in the input": with_values(DATA, "input_nhwc", nan=(0, 4, 5, 2)),
    "NaN at a corner": with_values(DATA, "input_nhwc", nan=(1, 8, 10, 3)),
    "infinity in the input": with_values(DATA, "input_nhwc", plus=(0, 4, 5, 2)),
    "both infinities": with_values(
        DATA, "input_nhwc", plus=(0, 4, 5, 2), minus=[(0, 4, 6, 1), (1, 0, 0, 0)]
    ),
    "NaN in a weight": with_values(DATA, "filter_hwio", nan=(1, 1, 2, 3)),
    "infinity in a weight": with_values(DATA, "filter_hwio", minus=(1, 1, 2, 3)),
    "NaN in the bias": with_values(DATA, "bias", nan=(4,)),
    "infinity in the bias": with_values(DATA, "bias", minus=(4,)),
    "NaN everywhere": replace(DATA, input_nhwc=np.full_like(DATA.input_nhwc, np.nan)),
}
WITH_ZEROS = with_values(
    with_values(DATA, "filter_hwio", zero=[(0, 0, 2, 0), (1, 2, 2, 3)]),
    "input_nhwc",
    nan=(0, 4, 5, 2),
    plus=(1, 3, 3, 2),
)


def backwards(conv: Convolution, data: Tensors) -> np.ndarray:
    return add_up(conv, data, range(conv.taps)[::-1])


def text(finding: Finding) -> str:
    return "; ".join(map(str, finding.evidence))


@pytest.mark.parametrize("data", SPECIAL.values(), ids=SPECIAL)
def test_sound_kernels_are_same_or_rounding_whatever_their_order(data: Tensors):
    for kernel in (direct, shuffled(1), backwards):
        assert judged(CONV, data, direct, direct).verdict == "same"
        finding = judged(CONV, data, direct, kernel)
        assert finding.verdict in ("same", "rounding"), text(finding)
        assert not finding.comparison.strayed
        assert finding.comparison.bound_ratio <= 1
        assert finding.comparison.difference is not None
        assert finding.comparison.difference.appeared == 0


CLEANERS: dict[str, Kernel] = {
    "NaN and infinity read as numbers": on_cleaned(np.nan_to_num),
    "NaN read as zero": on_cleaned(lambda x: np.where(np.isnan(x), x.dtype.type(0), x)),
    "output cleaned": on_output(np.nan_to_num),
    "a maximum that drops NaN": on_output(lambda y: np.fmax(y, np.float32(-3e38))),
}


@pytest.mark.parametrize("kernel", CLEANERS.values(), ids=CLEANERS)
def test_a_nan_that_is_lost_is_wrong_on_one_side_and_on_both(kernel: Kernel):
    data = SPECIAL["NaN in the input"]
    for finding in (judged(CONV, data, direct, kernel), judged(CONV, data, kernel, direct)):
        assert finding.verdict == "wrong" and not finding.allowed
        assert "NaN or infinity lost: (0,2,3,0), (0,2,3,1), (0,2,3,2) and 42 more" in text(finding)
    both = judged(CONV, data, kernel, kernel)
    assert both.comparison.difference is not None and not both.comparison.difference.differing
    assert both.verdict == "wrong", "equal, and both lose it"
    assert "baseline: NaN" in text(both) and "candidate: NaN" in text(both)


def test_a_relu_that_multiplies_by_zero_has_nan_for_minus_infinity_alone():
    """So is oneDNN's where a CPU has no AVX-512."""
    relu = CONV._replace(then="relu")
    plain = on_output(lambda y: np.maximum(y, np.float32(0)))
    scaled = on_output(lambda y: np.where(y > 0, y, y * np.float32(0)))
    lost = on_output(lambda y: np.where(np.isinf(y), np.float32(np.nan), np.maximum(y, 0)))
    low, high = SPECIAL["infinity in the bias"], with_values(DATA, "bias", plus=(4,))

    def ruled(conv: Convolution, data: Tensors, one: Kernel, other: Kernel) -> tuple[str, str]:
        with np.errstate(invalid="ignore"):
            comparison = compared(conv, data, one(conv, data), other(conv, data))
        verdict, evidence = judge(comparison, None, None, False, None)
        return verdict, "; ".join(map(str, evidence))

    verdict, words = ruled(relu, low, plain, scaled)
    assert verdict == "precision"
    assert "candidate: the step multiplies what is below zero by it" in words
    assert ruled(relu, high, plain, scaled)[0] == "same"
    assert ruled(relu, high, plain, lost)[0] == "wrong"
    assert ruled(CONV, low, direct, scaled)[0] == "wrong", "nobody asked for a relu"


def test_a_kernel_that_skips_zero_weights_loses_what_they_are_multiplied_with():
    finding = judged(CONV, WITH_ZEROS, direct, skipping_zero_weights)
    assert finding.verdict == "wrong"
    assert "candidate: NaN or infinity lost: (0,3,3,3), (0,4,5,0)" in text(finding)
    assert "mistaken" not in text(finding)
    plain = SPECIAL["NaN in the input"]
    assert judged(CONV, plain, direct, skipping_zero_weights).verdict == "same", "no zero to skip"


def test_what_is_read_beyond_the_window_is_where_none_belongs():
    finding = judged(CONV, SPECIAL["NaN in the input"], direct, beyond_the_window)
    assert finding.verdict == "wrong"
    assert "candidate: NaN or infinity where none belongs: (0,0,2,0)" in text(finding)
    assert judged(CONV, DATA, direct, beyond_the_window).verdict == "same", "times zero"


@pytest.mark.parametrize("name", ["NaN in the input", "infinity in the input"])
@pytest.mark.parametrize("kernel", [fourier, winograd(2), winograd(4)])
def test_a_transform_spreads_a_nan_and_that_is_what_transforms_do(name: str, kernel: Kernel):
    with np.errstate(invalid="ignore"):
        finding = judged(CONV, SPECIAL[name], direct, kernel)
        both = judged(CONV, SPECIAL[name], kernel, kernel)
    assert finding.verdict == both.verdict == "transform", text(finding)
    assert "where none belongs" in text(finding)
    assert "a transform algorithm such as Winograd or FFT, which spreads NaN" in text(finding)


def test_what_spreads_and_is_not_probed_is_wrong_and_that_is_said():
    data = SPECIAL["NaN in the input"]
    comparison = compared(CONV, data, direct(CONV, data), fourier(CONV, data))
    verdict, evidence = judge(comparison, None, None, False, None)
    said = "; ".join(map(str, evidence))
    assert verdict == "wrong"
    assert "candidate: not probed: a transform algorithm spreads NaN so, too" in said
    comparison = compared(CONV, data, direct(CONV, data), direct(CONV, cleaned(data)))
    verdict, evidence = judge(comparison, None, None, False, None)
    assert verdict == "wrong" and "not probed" not in "; ".join(map(str, evidence)), "lost"


def test_a_transform_that_loses_a_nan_or_has_another_bug_is_wrong():
    data = SPECIAL["NaN in the input"]
    with np.errstate(invalid="ignore"):
        assert judged(CONV, data, direct, on_output(np.nan_to_num, fourier)).verdict == "wrong"
        flipped = with_filter(lambda w: w[::-1], winograd(2))
        finding = judged(CONV, data, direct, flipped)
    assert finding.verdict == "wrong", text(finding)
    one_off = on_output(_one_off, winograd(2))
    with np.errstate(invalid="ignore"):
        assert judged(CONV, data, direct, one_off).verdict == "wrong"


def _one_off(y: np.ndarray) -> np.ndarray:
    """Return the output with one number of the clean image far off."""
    y = y.copy()
    y[1, 0, 0, 0] += 1
    return y


def test_which_infinity_matters_and_nan_is_none():
    data = SPECIAL["infinity in the input"]
    for change in (np.abs, lambda y: np.where(np.isinf(y), np.float32(np.nan), y), np.negative):
        finding = judged(CONV, data, direct, on_output(change))
        assert finding.verdict == "wrong"
        assert "mistaken for each other" in text(finding) or finding.fits
    clamped = judged(CONV, data, direct, on_output(lambda y: np.clip(y, -3e38, 3e38)))
    assert clamped.verdict == "wrong" and "lost" in text(clamped)


def test_infinities_of_both_signs_are_nan_and_an_infinity_there_is_wrong():
    data = SPECIAL["both infinities"]

    def kept(y: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(y), np.float32(np.inf), y)

    finding = judged(CONV, data, direct, on_output(kept))
    assert finding.verdict == "wrong" and "mistaken for each other" in text(finding)


def test_a_bug_beside_a_nan_is_a_bug():
    data = SPECIAL["NaN in the input"]
    finding = judged(CONV, data, direct, on_output(_one_off))
    assert finding.verdict == "wrong" and not finding.comparison.strayed
    assert finding.comparison.bound_ratio > 1
    flipped = judged(CONV, data, direct, with_filter(lambda w: w[:, ::-1]))
    assert flipped.verdict == "wrong"


def test_the_sign_of_a_nan_is_compared_by_strict_alone():
    data = SPECIAL["NaN in the input"]
    finding = judged(CONV, data, direct, on_output(lambda y: np.where(np.isnan(y), -y, y)))
    assert finding.verdict == "same"
    a = direct(CONV, data)
    b = np.where(np.isnan(a), -a, a)
    comparison = compare(
        Pair("device", CELL, OTHER), a, b, Reference(CONV, data), strict=True, most=9
    )
    assert comparison.difference is not None and comparison.difference.differing == 45
    verdict, evidence = judge(comparison, None, None, False, None)
    assert verdict == "rounding" and "one NaN has other bits than the other" in evidence


def test_sums_that_may_overflow_may_be_infinite_beside_a_nan():
    large = replace(DATA, input_nhwc=DATA.input_nhwc * np.float32(1e38))
    data = with_values(large, "input_nhwc", nan=(0, 4, 5, 2))
    with np.errstate(over="ignore", invalid="ignore"):
        finding = judged(CONV, data, direct, backwards)
        assert finding.verdict in ("same", "rounding"), text(finding)
        assert not finding.comparison.strayed
        zeroed = judged(CONV, data, direct, on_cleaned(lambda x: np.where(np.isnan(x), 0, x)))
    assert zeroed.verdict == "wrong"


def test_an_overflow_on_one_side_is_none_the_less_rounding_beside_a_nan():
    conv = Convolution((1, 3), 1, 1, dtype="float16")
    x = np.array([60000, 60000, -60000, 1, 2, np.nan, 3, 5], np.float16).reshape(1, 1, 8, 1)
    data = Tensors(np.ones((1, 3, 1, 1), np.float16), None, x)
    finding = judged(conv, data, direct, backwards)
    assert finding.comparison.difference is not None
    assert finding.comparison.difference.appeared == 1 and finding.comparison.overflows.direct
    assert finding.verdict == "rounding", text(finding)


def test_a_weight_that_is_flushed_to_zero_makes_nan_of_infinity_and_that_is_no_mistake():
    data = with_values(DATA, "filter_hwio")
    data.filter_hwio[1, 1, 2] = 1e-40
    data = with_values(data, "input_nhwc", plus=(0, 4, 5, 2))

    def flushing(conv: Convolution, given: Tensors) -> np.ndarray:
        w = np.where(np.abs(given.filter_hwio) < 2.0**-126, np.float32(0), given.filter_hwio)
        return direct(conv, replace(given, filter_hwio=w))

    finding = judged(CONV, data, direct, flushing)
    assert not finding.comparison.strayed
    assert finding.verdict == "precision"
    assert "candidate: infinity times a subnormal number is inf·0, NaN: (0,3,4,0)" in text(finding)
    assert judged(CONV, data, flushing, flushing).verdict == "same"


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_it_is_so_in_every_dtype(dtype: str):
    conv = CONV._replace(dtype=dtype)
    data = with_values(tensors(conv, SHAPE, 4, bias=True), "input_nhwc", nan=(0, 4, 5, 2))
    assert judged(conv, data, direct, direct).verdict == "same"
    cleaning = on_cleaned(lambda x: np.where(np.isnan(x), x.dtype.type(0), x))
    assert judged(conv, data, cleaning, cleaning).verdict == "wrong"


def test_groups_strides_and_dilations_are_minded():
    conv = Convolution((2, 3), 4, 6, strides=(2, 1), dilations=(1, 2), groups=2)
    data = with_values(tensors(conv, (2, 9, 11, 4), 4, bias=True), "input_nhwc", nan=(0, 4, 5, 2))
    assert judged(conv, data, direct, shuffled(2)).verdict in ("same", "rounding")
    finding = judged(conv, data, direct, on_output(np.nan_to_num))
    places = finding.comparison.astray[1].lost
    assert places.count == 3 * 3, "one row of outputs, three columns, the second group"
    assert all(index[3] >= 3 for index in places.first)


@pytest.mark.parametrize("multiplied", [False, True])
def test_a_kernel_may_multiply_the_zeros_of_padding_and_is_exact_all_the_same(multiplied: bool):
    conv = Convolution((1, 3), 1, 1, padding=((0, 0), (1, 1)))
    w = np.array([np.inf, 1, 2], np.float32).reshape(1, 3, 1, 1)
    data = Tensors(w, None, np.arange(1, 5, dtype=np.float32).reshape(1, 1, 4, 1))
    output = np.full((1, 1, 4, 1), np.inf, np.float32)
    output[0, 0, 0] = np.nan if multiplied else 1 * 1 + 2 * 2
    pair = Pair("exact", OTHER, replace(CELL, length=4, batch=1))
    found = against_exact(pair, output, Reference(conv, data), most=9)
    assert found.difference is not None and not found.difference.differing
    assert not any(found.astray) and bool(found.astray[1].padded) == multiplied
