"""Alignment and measure: planted differences are found where they are, as large as they are."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convdiff.compare.align import aligned
from convdiff.compare.difference import differs, measure


def output(*shape: int, dtype: str = "float32") -> np.ndarray:
    return (1 + np.arange(np.prod(shape)).reshape(shape)).astype(dtype)


def test_the_shorter_output_is_compared_with_the_beginning_of_the_longer():
    long = output(3, 2, 9, 4)
    a, b = aligned(long, long[:2, :, :5])
    assert a.shape == b.shape == (2, 2, 5, 4)
    assert np.array_equal(a, b)
    a, b = aligned(long[:1], long[:, :, :4])
    assert np.array_equal(a, long[:1, :, :4]) and np.array_equal(b, long[:1, :, :4])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((1, 1, 5, 1), (1, 1, 5, 3)),
        ((1, 1, 5, 3), (1, 1, 5, 1)),
        ((1, 1, 5, 1), (1, 4, 5, 1)),
        ((5,), (1, 1, 5, 1)),
        ((1, 5, 1), (1, 5, 1)),
        ((1, 1, 1, 5, 1), (1, 1, 1, 5, 1)),
    ],
)
def test_outputs_that_do_not_match_are_never_broadcast(first, second):
    with pytest.raises(ValueError, match=r"axes|do not match"):
        aligned(np.zeros(first, np.float32), np.zeros(second, np.float32))


def test_equal_outputs_have_no_difference():
    a = output(2, 3, 4, 5)
    found = measure(a, a.copy(), strict=True, most=10)
    assert (found.elements, found.differing, found.max_abs, found.max_ulp) == (120, 0, 0.0, 0)
    assert found.worst is None and found.by_column is None and found.max_index is None


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ml_dtypes.bfloat16])
def test_planted_differences_are_found_worst_first(dtype):
    a = np.ones((2, 2, 6, 2), dtype)
    b = a.copy()
    eps = float(ml_dtypes.finfo(dtype).eps)
    planted = {(0, 1, 2, 1): 3, (1, 0, 5, 0): -0.5, (1, 1, 2, 0): 7, (0, 0, 0, 0): 1}
    for index, steps in planted.items():
        b[index] = 1 + steps * eps
    found = measure(a, b, strict=False, most=3)
    assert found.elements == 48 and found.differing == 4
    assert found.max_abs == 7 * eps and found.max_ulp == 7
    assert found.max_index == (1, 1, 2, 0)
    assert [tuple(row) for row in found.worst.index.tolist()] == [
        (1, 1, 2, 0),
        (0, 1, 2, 1),
        (0, 0, 0, 0),
    ]
    assert found.worst.ulp.tolist() == [7, 3, 1]
    assert found.worst.delta.tolist() == [7 * eps, 3 * eps, eps]
    assert found.worst.candidate.astype(float).tolist() == [1 + 7 * eps, 1 + 3 * eps, 1 + eps]
    assert found.by_column.tolist() == [1, 0, 7, 0, 0, 1]
    assert len(found.worst) == 3 and found.appeared == 0


def test_the_worst_element_is_the_largest_difference_not_the_most_ulps():
    a = np.array([1e-30, 1e6], np.float32).reshape(1, 1, 2, 1)
    b = np.array([2e-30, 1e6 + 1], np.float32).reshape(1, 1, 2, 1)
    found = measure(a, b, strict=False, most=10)
    assert found.max_index == (0, 0, 1, 0) and found.max_abs == 1.0
    assert found.max_ulp == 2**23 == found.worst.ulp[1]


NUMBERS = st.floats(-1e3, 1e3, width=32)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=3, max_size=20), st.integers(2, 6))
def test_the_element_with_the_most_ulps_is_kept_and_the_largest_comes_first(pairs, most):
    a, b = (np.array(side, np.float32).reshape(1, 1, -1, 1) for side in zip(*pairs, strict=True))
    found = measure(a, b, strict=False, most=most)
    if found.worst is None:
        return
    assert found.worst.ulp.max() == found.max_ulp
    sizes = np.abs(found.worst.delta)
    assert sizes[0] == found.max_abs and (np.diff(sizes) <= 0).all()
    assert len(found.worst) == min(most, found.differing)
    again = found.worst.at(found.worst.ranks(2))
    assert again.ulp.max() == found.max_ulp and abs(again.delta[0]) == found.max_abs


def test_equal_differences_come_in_the_order_of_their_places():
    a = np.zeros((1, 1, 5, 1), np.float32)
    found = measure(a, a + 1, strict=False, most=5)
    assert found.worst.index[:, 2].tolist() == [0, 1, 2, 3, 4]


def test_zeros_of_both_signs_are_equal_unless_strict():
    a = np.array([0.0, -0.0, 1.0], np.float32).reshape(1, 1, 3, 1)
    b = np.array([-0.0, 0.0, 1.0], np.float32).reshape(1, 1, 3, 1)
    assert measure(a, b, strict=False, most=9).differing == 0
    found = measure(a, b, strict=True, most=9)
    assert found.differing == 2 and found.max_abs == 0.0 and found.max_ulp == 0


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ml_dtypes.bfloat16])
def test_every_nan_equals_every_other_unless_strict(dtype):
    a, b = np.full((2, 1, 1, 2, 1), np.nan, dtype)
    raw = b.view(np.dtype(f"u{b.itemsize}"))
    raw[0, 0, 1, 0] ^= 1
    assert measure(a, b, strict=False, most=9).differing == 0
    assert measure(a, b, strict=True, most=9).differing == 1


def test_a_nan_or_infinity_on_one_side_is_counted_and_comes_first():
    a = np.array([1.0, 2.0, 3.0, np.inf, np.nan], np.float32).reshape(1, 1, 5, 1)
    b = np.array([9.0, np.nan, -np.inf, -np.inf, np.nan], np.float32).reshape(1, 1, 5, 1)
    found = measure(a, b, strict=False, most=10)
    assert found.differing == 4 and found.appeared == 3
    assert found.max_abs == np.inf and found.max_index == (0, 0, 1, 0)
    assert found.worst.index[:, 2].tolist() == [1, 2, 3, 0]
    assert found.max_ulp == 3 * 2**23 + 2**20  # from 1 to 9, the one finite pair


def test_outputs_that_are_views_are_measured_like_copies():
    base = output(2, 2, 8, 4)
    other = base.copy()
    other[1, 1, 3, 2] += 1
    a, b = base[:, :, ::1, 1:3], other[:, :, :6, 1:3][:, :, :6]
    found = measure(a[:, :, :6], b, strict=False, most=1)
    assert found.max_index == (1, 1, 3, 1)


@given(st.lists(st.tuples(st.floats(width=32), st.floats(width=32)), min_size=1, max_size=20))
def test_two_values_differ_just_when_their_bits_do_apart_from_zeros_and_nans(pairs):
    a = np.array([pair[0] for pair in pairs], np.float32)
    b = np.array([pair[1] for pair in pairs], np.float32)
    strict = [x.tobytes() != y.tobytes() for x, y in zip(a, b, strict=True)]
    loose = [not (x == y or (np.isnan(x) and np.isnan(y))) for x, y in zip(a, b, strict=True)]
    assert differs(a, b, strict=True).tolist() == strict
    assert differs(a, b, strict=False).tolist() == loose


@pytest.mark.parametrize("most", [2, 3])
def test_no_element_is_kept_twice_where_signs_of_zero_alone_differ(most):
    """No finite element is a step away: none takes the place of one that is worse."""
    a = np.float32([1e4, 0.0, 1e4, 2.0]).reshape(1, 1, 4, 1)
    b = np.float32([np.inf, -0.0, np.nan, 2.0]).reshape(1, 1, 4, 1)
    worst = measure(a, b, strict=True, most=most).worst
    assert worst is not None
    assert worst.index[:, 2].tolist() == [0, 2, 1][:most]
