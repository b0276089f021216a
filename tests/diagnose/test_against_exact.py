"""Equal, and both wrong: each runtime's output is held against the exact result, too."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from examined import exact_findings, examined, scaled
from findings import tensors
from kernels import (
    Kernel,
    add_up,
    bfloat16_accumulator,
    direct,
    half_accumulator,
    ignoring_dilation,
    rounded_inputs,
    rounded_output,
    shifted,
    shuffled,
    to_bits,
    with_bias,
    with_filter,
    with_tap,
)

from convdiff.case.arrays import Tensors, numpy_dtype
from convdiff.case.model import Allowance
from convdiff.compare import against_exact
from convdiff.diagnose.suggest import suggest
from convdiff.diagnose.verdict import outcome_of
from convdiff.report.headline import headline, worst_finding
from convdiff.worker.ops.convolution import Convolution

Array = np.ndarray[Any, Any]

CONV = Convolution((2, 3), 3, 4, dilations=(1, 2))
DATA = tensors(CONV, (1, 5, 12, 3), 1, bias=True)
TINY = scaled(DATA, 2.0**-130)
"""Inputs and outputs are subnormal, weights are not."""


def flushed(array: Array) -> Array:
    """Take what is subnormal in the array's own format for zero."""
    smallest = float(ml_dtypes.finfo(array.dtype).smallest_normal)
    return np.where(np.abs(array.astype(np.float64)) < smallest, 0, array).astype(array.dtype)


def flushing_inputs(conv: Convolution, data: Tensors) -> Array:
    bias = None if data.bias is None else flushed(data.bias)
    x, w = flushed(data.input_nhwc), flushed(data.filter_hwio)
    return direct(conv, Tensors(w, bias, x))


def flushing_all(conv: Convolution, data: Tensors) -> Array:
    return flushed(flushing_inputs(conv, data))


FLUSHING: dict[str, Kernel] = {
    "inputs": flushing_inputs,
    "outputs": lambda conv, data: flushed(direct(conv, data)),
    "all": flushing_all,
}

WRONG: dict[str, tuple[Kernel, str]] = {
    "dilation": (ignoring_dilation, "equal, and both ignore the dilation: wrong"),
    "bias": (with_bias(0), "equal, and both leave the bias out: wrong"),
    "shifted": (
        shifted(0, 1),
        "equal, but both are off the exact result (the output is shifted by (0, 1)): wrong",
    ),
    "flipped": (with_filter(lambda w: w[::-1, ::-1]), "equal, and both flip the filter: wrong"),
    "a tap": (with_tap(4, 2, 0.0), "equal, but both are off the exact result (tap"),
}


def said(result) -> str:
    return headline(result, result.findings)


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("fault", WRONG)
def test_sides_that_are_equal_and_wrong_are_drift_with_the_mistakes_name(fault: str, sides: int):
    kernel, words = WRONG[fault]
    result, _ = examined(CONV, DATA, *[kernel] * sides)
    for finding in exact_findings(result):
        assert (finding.verdict, finding.allowed) == ("wrong", False)
        assert finding.fits
    assert result.outcome == "drift"
    # With two runtimes, each with its manual sums, there are four sides.
    assert said(result).startswith(words if sides == 1 else words.replace("both", "all"))
    others = [one.verdict for one in result.findings if one not in exact_findings(result)]
    assert set(others) == {"same"}
    assert suggest(result.case.expect, result.findings) is None


@pytest.mark.parametrize("kind", FLUSHING)
def test_flushing_is_precision_where_the_cases_own_data_show_it(kind: str):
    result, _ = examined(CONV, TINY, FLUSHING[kind])
    (finding,) = exact_findings(result)
    assert (finding.verdict, finding.allowed, finding.flushes) == ("precision", False, True)
    assert result.outcome == "drift"
    assert said(result).startswith("equal, but both flush subnormals to zero: precision")
    assert any("taken as zero" in str(fact) for fact in finding.evidence)


@pytest.mark.parametrize(("dtype", "factor"), [("float64", 2.0**-1025), ("bfloat16", 2.0**-129)])
@pytest.mark.parametrize("kind", FLUSHING)
def test_other_formats_are_flushed_too(dtype: str, factor: float, kind: str):
    conv = CONV._replace(dtype=dtype)
    data = scaled(tensors(conv, (1, 5, 12, 3), 1, bias=False), factor)
    (finding,) = exact_findings(examined(conv, data, FLUSHING[kind])[0])
    assert (finding.verdict, finding.flushes) == ("precision", True)
    (finding,) = exact_findings(examined(conv, data, direct)[0])
    assert finding.allowed


def test_float16_has_subnormals_that_nobody_flushes():
    conv = CONV._replace(dtype="float16")
    data = scaled(tensors(conv, (1, 5, 12, 3), 1, bias=False), 2.0**-16)
    (finding,) = exact_findings(examined(conv, data, direct)[0])
    assert finding.verdict in ("same", "rounding") and finding.allowed
    (finding,) = exact_findings(examined(conv, data, FLUSHING["all"])[0])
    assert not finding.allowed


@pytest.mark.parametrize("kind", FLUSHING)
@pytest.mark.parametrize("factor", [1.0, 2.0**-60, 2.0**-110])
def test_flushing_that_the_data_do_not_show_is_nothing(kind: str, factor: float):
    result, lab = examined(CONV, scaled(DATA, factor), FLUSHING[kind])
    (finding,) = exact_findings(result)
    assert (finding.verdict, finding.allowed) == ("rounding", True)
    assert (result.outcome, lab.probed) == ("ok", [])


@pytest.mark.parametrize("exponent", range(-149, -120, 3))
def test_gradual_underflow_is_rounding(exponent: int):
    for kernel in (direct, shuffled(3)):
        result, lab = examined(CONV, scaled(DATA, 2.0**exponent), kernel)
        (finding,) = exact_findings(result)
        assert finding.verdict in ("same", "rounding", "mistrusted") and finding.allowed
        assert lab.probed == []


@pytest.mark.parametrize("fault", ["dilation", "shifted", "flipped"])
def test_a_mistake_on_subnormal_numbers_is_none_of_flushing(fault: str):
    result, _ = examined(CONV, TINY, WRONG[fault][0])
    (finding,) = exact_findings(result)
    assert (finding.verdict, finding.allowed, finding.flushes) == ("wrong", False, False)


NARROW: dict[str, Kernel] = {
    "inputs kept as bfloat16": rounded_inputs(to_bits(7)),
    "inputs kept as TF32": rounded_inputs(to_bits(10)),
    "summed in float16": half_accumulator,
    "summed in bfloat16": bfloat16_accumulator,
}


@pytest.mark.parametrize("kind", NARROW)
def test_what_is_narrowed_on_both_sides_is_precision(kind: str):
    result, _ = examined(CONV, DATA, NARROW[kind])
    (finding,) = exact_findings(result)
    assert (finding.verdict, finding.allowed, finding.flushes) == ("precision", False, False)
    assert said(result).startswith("equal, but both are off the exact result: precision")


def test_an_output_that_is_narrowed_is_drift():
    result, _ = examined(CONV, DATA, rounded_output(to_bits(10)))
    (finding,) = exact_findings(result)
    assert not finding.allowed
    assert result.outcome == "drift"


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("seed", range(6))
def test_every_order_of_the_cases_own_format_is_ok(dtype: str, seed: int):
    """It is probed only where 16 bits leave room for a bug that sums of float32 do not."""
    conv = Convolution((3, 3), 1 + 3 * seed, 4, dtype=dtype)
    data = tensors(conv, (2, 5, 9, conv.channels_in), seed, bias=bool(seed % 2))
    for kernel in (direct, shuffled(seed)):
        result, lab = examined(conv, data, kernel)
        (finding,) = exact_findings(result)
        assert (finding.verdict, finding.allowed) == ("rounding", True)
        assert result.outcome == "ok"
        assert dtype.endswith("16") or not lab.probed
        assert "exact" not in said(result)
        assert worst_finding(result.findings) is None


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_long_sums_of_one_sign_are_off_by_more_and_are_ok(dtype: str):
    conv = Convolution((1, 700), 1, 2, dtype=dtype)
    rng, kind = np.random.default_rng(0), numpy_dtype(dtype)
    data = Tensors(
        rng.uniform(0, 1, conv.filter_shape).astype(kind),
        None,
        rng.uniform(0, 1, (1, 1, 720, 1)).astype(kind),
    )
    for order in (range(700), range(699, -1, -1)):
        result, _ = examined(conv, data, lambda conv, data, order=order: add_up(conv, data, order))
        (finding,) = exact_findings(result)
        assert (finding.verdict, finding.allowed) == ("rounding", True)


def test_an_overflow_on_the_way_is_no_error_and_any_other_infinity_is():
    conv = Convolution((1, 3), 1, 1, dtype="float16")
    w, x = np.ones(conv.filter_shape, np.float16), np.ones((1, 1, 3, 1), np.float16)
    x[0, 0, :, 0] = 60000, 60000, -60000
    result, _ = examined(conv, Tensors(w, None, x), direct)
    (finding,) = exact_findings(result)
    assert finding.verdict == "rounding"
    x = np.ones_like(x)
    result, _ = examined(conv, Tensors(w, None, x), lambda conv, data: direct(conv, data) * np.inf)
    (finding,) = exact_findings(result)
    assert (finding.verdict, finding.allowed) == ("wrong", False)


def test_the_case_may_allow_anything_and_then_nothing_is_drift():
    for data, kernel in ((DATA, ignoring_dilation), (TINY, flushing_all)):
        result, _ = examined(CONV, data, kernel, exact=Allowance("anything"))
        (finding,) = exact_findings(result)
        assert finding.allowed and finding.verdict in ("wrong", "precision")
        assert not [one for one in result.findings if not one.allowed]
        # All else is equal, but what is allowed to be wrong is said all the same.
        assert f"exact: {finding.verdict}" in said(result)


def test_a_case_may_hold_on_to_the_exact_result():
    result, _ = examined(CONV, DATA, direct, exact=Allowance("bitwise"))
    (finding,) = exact_findings(result)
    assert (finding.verdict, finding.allowed) == ("rounding", False)
    suggested = suggest(result.case.expect, result.findings)
    assert suggested is not None
    passing, _ = examined(CONV, DATA, direct, **suggested)
    assert passing.outcome == "ok"


def test_two_sides_of_which_one_is_wrong_are_told_of_as_before():
    result, _ = examined(CONV, DATA, direct, ignoring_dilation)
    assert [one.allowed for one in exact_findings(result)] == [True, False]
    answer = said(result)
    assert answer.startswith("the bits change with the device (#2 against #1): wrong")
    assert answer.endswith("; #2 is off the exact result")


def test_being_wrong_counts_before_a_rounding_between_two_sides():
    def other(conv: Convolution, data: Tensors) -> Array:
        return ignoring_dilation(conv, data) * np.float32(1 + 2.0**-22)

    result, _ = examined(CONV, DATA, ignoring_dilation, other, device=Allowance("bitwise"))
    assert said(result).startswith("the bits change with the device (#2 against #1): wrong")


def test_the_exact_result_alone_makes_no_case_green():
    result, _ = examined(CONV, DATA, direct)
    assert outcome_of(exact_findings(result), ()) == "untested"


def test_a_cell_without_bits_is_untested():
    result, _ = examined(CONV, DATA, lambda conv, data: None)
    (finding,) = exact_findings(result)
    assert (finding.verdict, finding.allowed) == ("untested", True)
    assert result.outcome == "untested"


def test_an_output_of_another_shape_is_wrong():
    result, _ = examined(CONV, DATA, lambda conv, data: direct(conv, data)[:, :-1])
    (finding,) = exact_findings(result)
    assert (finding.verdict, finding.allowed) == ("wrong", False)
    assert "expected (1, 4, 8, 4)" in str(finding.evidence[0])


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the cases of these tests for large ones."""
    monkeypatch.setattr(against_exact, "WHOLE", 100)


@pytest.mark.usefixtures("large")
def test_a_large_output_is_looked_at_in_a_sample_and_that_is_said():
    conv = Convolution((3, 3), 4, 16)
    data = tensors(conv, (1, 20, 30, 4), 2, bias=True)
    result, lab = examined(conv, data, direct)
    (finding,) = exact_findings(result)
    size = math.prod(conv.output_shape(1, 20, 30))
    assert (finding.verdict, finding.allowed, lab.probed) == ("rounding", True, [])
    assert finding.comparison.sampled_of == size
    assert finding.evidence[0] == f"at 2,000 of {size:,} outputs"


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("fault", WRONG)
def test_a_sample_shows_the_same_mistakes(fault: str):
    data = tensors(CONV, (1, 12, 40, 3), 1, bias=True)
    kernel, words = WRONG[fault]
    result, _ = examined(CONV, data, kernel)
    (finding,) = exact_findings(result)
    assert (finding.verdict, finding.allowed) == ("wrong", False)
    assert said(result).startswith(words)
    worst = finding.comparison.difference.worst
    output = kernel(CONV, data)
    assert np.array_equal(output[tuple(worst.index.T)], worst.candidate)


@pytest.mark.slow
@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("where", ["first", "last column", "last channel", "bottom row"])
def test_a_sample_has_corners_borders_and_tails(where: str):
    def broken(conv: Convolution, data: Tensors) -> Array:
        y = direct(conv, data)
        places = {
            "first": (0, 0, 0, 0),
            "last column": np.s_[:, :, -1],
            "last channel": np.s_[..., -1],
            "bottom row": np.s_[:, -1],
        }
        y[places[where]] += 1
        return y

    conv = Convolution((3, 3), 2, 16)
    result, _ = examined(conv, tensors(conv, (2, 40, 60, 2), 2, bias=True), broken)
    (finding,) = exact_findings(result)
    assert not finding.allowed


@pytest.mark.parametrize("size", [1.0, 2.0**-8])
def test_what_differs_from_itself_is_unstable_only_where_it_is_far_off(size: float):
    rng = np.random.default_rng(0)

    def noisy(conv: Convolution, data: Tensors) -> Array:
        order = int(rng.integers(1000))
        noise = rng.normal(1, size if size < 1 else 0, 1).astype(np.float32)
        return shuffled(order)(conv, data) * noise

    result, _ = examined(CONV, DATA, noisy, runs=3)
    (finding,) = exact_findings(result)
    wanted = ("rounding", True) if size == 1 else ("unstable", False)
    assert (finding.verdict, finding.allowed) == wanted


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan, np.inf])
def test_constant_outputs_are_wrong_where_the_right_ones_are_not_constant(value: float):
    result, _ = examined(CONV, DATA, lambda conv, data: np.full_like(direct(conv, data), value))
    (finding,) = exact_findings(result)
    assert (finding.verdict, finding.allowed) == ("wrong", False)
    assert said(result).startswith("equal, but both are off the exact result")


def test_zeros_that_are_right_prove_as_little_as_before():
    result, lab = examined(CONV, scaled(DATA, 0.0), direct)
    assert {one.verdict for one in result.findings} == {"mistrusted"}
    assert (result.outcome, lab.probed) == ("untested", [])


def losing_a_tap(conv: Convolution, data: Tensors) -> Array:
    """Sum in float32, without the first tap of the first channel."""
    w = data.filter_hwio.copy()
    w[0, 0, 0, 0] = 0
    changed = Tensors(w, data.bias, data.input_nhwc)
    return add_up(conv, changed, range(conv.taps), np.float32)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_bug_does_not_hide_in_what_sixteen_bits_leave_room_for(dtype: str):
    conv = CONV._replace(dtype=dtype)
    data = tensors(conv, (1, 5, 12, 3), 1, bias=True)
    small = data.filter_hwio.copy()
    small[0, 0, 0, 0] = 0.0625 if dtype == "bfloat16" else 0.0078125
    data = Tensors(small, data.bias, data.input_nhwc)
    result, _ = examined(conv, data, losing_a_tap, losing_a_tap)
    for finding in exact_findings(result):
        assert finding.comparison.screen_ratio < 1
        assert (finding.verdict, finding.allowed) == ("wrong", False)
        assert finding.fits is not None and finding.fits.startswith("tap (0, 0, 0)")
    assert result.outcome == "drift"


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("kernel", [direct, shuffled(3)])
def test_sums_kept_in_sixteen_bits_are_rounding_beside_exact(dtype: str, kernel: Kernel):
    conv = CONV._replace(dtype=dtype)
    result, _ = examined(conv, tensors(conv, (1, 5, 12, 3), 1, bias=True), kernel)
    (finding,) = exact_findings(result)
    assert finding.comparison.wide_ratio > 1
    assert (finding.verdict, finding.allowed) == ("rounding", True)
