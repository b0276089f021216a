"""Comparisons: two observations with their reference, on data whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from convdiff.case.arrays import Tensors, numpy_dtype
from convdiff.case.device import Device
from convdiff.compare.comparison import compare
from convdiff.compare.other_ops import wanted_beside
from convdiff.compare.reference import Reference
from convdiff.plan.cell import Cell, NoBits
from convdiff.plan.plan import Pair
from convdiff.runtime.model import Interpreter, Runtime
from convdiff.worker.ops.convolution import Convolution

RUNTIME = Runtime(Interpreter("tensorflow", "python"), Device("cpu"))


def cell(length: int, batch: int = 1) -> Cell:
    return Cell(RUNTIME, "conv2d", length, batch)


def reference_of(x, w, dtype: str = "float32", bias=None) -> Reference:
    kind = numpy_dtype(dtype)
    x = np.asarray(x, float).astype(kind).reshape(1, 1, -1, 1)
    w = np.asarray(w, float).astype(kind).reshape(1, -1, 1, 1)
    bias = None if bias is None else np.asarray(bias, float).astype(kind)
    return Reference(Convolution((1, w.size), 1, 1, dtype=dtype), Tensors(w, bias, x))


def compared(reference: Reference, a, b, length: int | None = None, longest: int | None = None):
    dtype = reference.tensors.input_nhwc.dtype
    a, b = (np.asarray(side, dtype).reshape(1, 1, -1, 1) for side in (a, b))
    full = reference.tensors.input_nhwc.shape[2]
    pair = Pair("length", cell(longest or full), cell(length or full))
    return compare(pair, a, b, reference, strict=False, most=10)


def test_a_shorter_length_is_measured_against_the_beginning_of_the_longer():
    reference = reference_of([1, 2, 3, 4, 5, 6], [1, 1])
    found = compared(reference, [3, 5, 7, 9, 11], [3, 5, 8], length=4)
    assert found.difference.elements == 3 and found.difference.max_index == (0, 0, 2, 0)
    assert found.exact.tolist() == [7.0]


def test_a_side_without_bits_is_compared_with_nothing_and_says_why():
    reference = reference_of([1, 2, 3], [1, 1])
    good = np.array([3, 5], np.float32).reshape(1, 1, 2, 1)
    bad = NoBits("worker killed by SIGSEGV", died=True)
    pair = Pair("device", cell(3), cell(3))
    for sides in ((good, bad), (bad, good)):
        found = compare(pair, *sides, reference, strict=False, most=10)
        assert found.difference is None and found.reason == "worker killed by SIGSEGV"
        assert not found.mismatch


def test_an_output_of_another_shape_is_a_mismatch_not_a_broadcast():
    found = compared(reference_of([1, 2, 3], [1, 1]), [3, 5], [3])
    assert found.mismatch and found.difference is None
    assert "gave shape (1, 1, 1, 1), expected (1, 1, 2, 1)" in found.reason


@pytest.mark.parametrize(
    ("value", "word"), [(0.0, "all zero"), (np.nan, "all NaN"), (np.inf, "all infinite")]
)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_equality_of_a_constant_output_is_marked(value, word, dtype):
    reference = reference_of([1, 2, 3], [1, 1], dtype)
    assert compared(reference, [value] * 2, [value] * 2).constant == word
    assert compared(reference, [value, 1], [value, 1]).constant is None


def test_nearness_says_which_side_is_closer_to_the_truth():
    reference = reference_of([1, 2, 3], [1, 1])
    ulp = 2.0**-22
    found = compared(reference, [3 + 2 * ulp, 5], [3 - ulp, 5])
    assert (found.nearness.baseline, found.nearness.candidate) == (2.0, 1.0)
    assert found.nearness.nearer == "candidate"
    assert compared(reference, [3, 5], [3 - ulp, 5]).nearness.nearer == "baseline"
    assert compared(reference, [3 + ulp, 5], [3 - ulp, 5]).nearness.nearer == "neither"


@pytest.mark.parametrize("count", [4, 40, 5000])
def test_nearness_says_which_side_is_nearer_more_often_whatever_the_largest_error(count: int):
    reference = reference_of([1.0] * (count + 1), [1, 1])
    ulp = 2.0**-22
    a, b = np.full((2, count), 2.0)
    a[0], b[1:] = 2 + 2 * ulp, 2 + ulp
    b[-1] = 2 - 2 * ulp
    a[1] = b[1] = 2 + ulp  # neither is nearer there
    found = compared(reference, a.tolist(), b.tolist()).nearness
    assert (found.nearer, found.oftener) == ("neither", "baseline")
    assert (found.baseline_nearer, found.candidate_nearer, found.elements) == (count - 2, 1, count)
    found = compared(reference, b.tolist(), a.tolist()).nearness
    assert (found.nearer, found.oftener) == ("neither", "candidate")


def test_nearness_to_an_infinite_truth_is_zero_for_infinity_and_infinite_for_a_number():
    reference = reference_of([60000, 60000, 1], [1, 1], "float16")  # 120000 is beyond fp16
    found = compared(reference, [np.inf, 60000], [65504, 60000])
    assert found.nearness.baseline_abs == 0.0 and found.nearness.candidate_abs == np.inf
    assert found.nearness.nearer == "baseline"
    found = compared(reference, [np.inf, 60000], [np.nan, 60000])
    assert found.nearness.nearer == "baseline"


def test_the_bound_ratio_tells_a_bug_from_a_sum():
    reference = reference_of([1, 2, 3], [1, 1])
    ulp = 2.0**-22
    assert 0 < compared(reference, [3, 5], [3 + ulp, 5]).bound_ratio < 1
    assert compared(reference, [3, 5], [3.001, 5]).bound_ratio > 1


def test_a_value_where_all_terms_are_zero_is_beyond_every_bound_but_underflow():
    taps = 300  # γ is infinite in bf16
    reference = reference_of(np.zeros(taps), np.ones(taps), "bfloat16")
    found = compared(reference, [0], [1])
    assert found.bound_ratio > 1e30 and found.screen_ratio > 1
    assert compared(reference, [0], [2.0**-126]).bound_ratio < 1


def test_flushing_to_zero_stays_within_the_bound_and_is_no_bug():
    reference = reference_of([1e-38] * 5, [1, -1, 1, 1, 0.5], "float32")
    assert compared(reference, [2.5e-38], [0]).bound_ratio < 1


def test_an_infinity_may_be_an_overflow_only_where_the_terms_are_large():
    large = reference_of([60000, 60000, -60000], [1, 1, 1], "float16")
    assert compared(large, [60000], [np.inf]).overflows.direct
    small = reference_of([1, 2, 3], [1, 1, 1], "float16")
    assert not compared(small, [6], [np.inf]).overflows.direct
    assert not compared(small, [6], [np.nan]).overflows.direct


def test_the_condition_number_is_that_of_the_worst_element():
    reference = reference_of([1000, -999, 1], [1, 1])
    found = compared(reference, [1, -998], [1 + 2.0**-10, -998 - 2.0**-13])
    assert len(found.exact) == 2
    assert found.condition == 1999.0


def test_exact_values_are_those_of_the_worst_elements_in_their_order():
    reference = reference_of([1, 2, 3, 4], [1, 1])
    found = compared(reference, [3, 5, 7], [3.5, 5, 9])
    assert found.exact.tolist() == [7.0, 3.0]


def test_a_bias_is_one_more_term():
    assert reference_of([1, 2, 3], [1, 1], bias=[0.5]).terms == 3
    found = compared(reference_of([1, 2, 3], [1, 1], bias=[0.5]), [3.5, 5.5], [3.5, 6.5])
    assert found.exact.tolist() == [5.5]


def test_a_shape_with_a_depth_is_held_against_one_with_a_depth():
    conv = Convolution(
        (2, 2, 2), 3, 4, (1, 1, 1), (1, 1, 1), op="conv3d", output_padding=(0, 0, 0), depth=4
    )
    inputs = (1, 20, 6, 3)
    assert wanted_beside(conv, inputs, (1, 3, 4, 4, 4)) == (1, 3, 4, 5, 4)
    assert wanted_beside(conv, inputs, (1, 9, 5, 4)) == (1, 12, 5, 4)
    assert wanted_beside(conv, (1, 4, 1, 3), (1, 3, 4, 4, 4)) == conv.output_shape(1, 4, 1)
