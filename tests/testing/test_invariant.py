"""Prefixes against the whole: each way to misbehave is found, named and located."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from program import environment

import convdiff
from convdiff import assert_invariant

TAPS = np.array([-0.7313, -1.1043, 1.8492, 1.3007, -0.1033])
FLOATS = ["float16", "bfloat16", "float32", "float64"]


def signal(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return np.random.default_rng(7).normal(size=shape).astype(dtype)


def valid(x: np.ndarray) -> np.ndarray:
    """Correlate with five taps along the length, tap after tap: the same bits at any length."""
    outputs = x.shape[-2] - len(TAPS) + 1
    if outputs < 1:
        raise ValueError("too short")
    out = np.zeros((*x.shape[:-2], outputs, x.shape[-1]), x.dtype)
    for tap, weight in enumerate(TAPS.astype(x.dtype)):
        out += x[..., tap : tap + outputs, :] * weight
    return out


def message(fn: Callable[..., Any], x: np.ndarray, *args: Any, **options: Any) -> str:
    with pytest.raises(AssertionError) as caught:
        assert_invariant(fn, x, *args, **options)
    return str(caught.value)


def nudged(at: int, steps: int = 1) -> Callable[[np.ndarray], np.ndarray]:
    """Return `valid` whose last output is `steps` ulps off at one length."""

    def fn(x: np.ndarray) -> np.ndarray:
        out = valid(x)
        if x.shape[-2] == at:
            bits = out.view(f"u{out.itemsize}")
            bits[..., -1, 0] += steps
        return out

    return fn


def test_it_is_exported():
    assert convdiff.assert_invariant is assert_invariant
    assert "assert_invariant" in convdiff.__all__


@pytest.mark.parametrize("dtype", FLOATS)
def test_what_holds_passes_on_both_axes(dtype: str):
    x = signal(3, 2, 12, 4, dtype=np.dtype(dtype))
    assert_invariant(valid, x)
    assert_invariant(valid, x, "batch")


@pytest.mark.parametrize("dtype", FLOATS)
def test_one_ulp_at_one_length_is_found_and_allowed_by_one_ulp(dtype: str):
    x = signal(2, 12, 1, dtype=np.dtype(dtype))
    said = message(nudged(7), x)
    assert said.startswith("the bits change with the length, 7 against 12:\nat most 1 ulp, |Δ| ≤ ")
    assert "safe on this input: 5, 6, 8..11\n" in said
    assert_invariant(nudged(7), x, expect={"ulps": 1})
    assert_invariant(nudged(7), x, values=[5, 6, 8])


def test_more_ulps_than_allowed_are_told_and_the_others_are_not():
    fn = nudged(7, steps=3)
    assert_invariant(fn, signal(1, 12, 1), expect={"ulps": 3})
    said = message(fn, signal(1, 12, 1), expect={"ulps": 2})
    assert said.startswith("the outputs change by more than 2 ulp with the length, 7 against 12:\n")
    assert "\n7          1/3" in said


def test_the_message_reads_well():
    x = np.arange(9, dtype=np.float32).reshape(1, 9, 1)

    def fn(x: np.ndarray) -> np.ndarray:
        out = x[:, 2:] + np.float32(0.5)
        if x.shape[1] in (4, 6):
            out[0, 1, 0] = np.nextafter(out[0, 1, 0], np.float32(9))
        return out

    assert message(fn, x) == (
        "the bits change with the length, 4, 6 against 9:\n"
        "at most 1 ulp, |Δ| ≤ 2.38418579e-07\n"
        "safe on this input: 3..7:2, 8\n"
        "\n"
        "length  differ          Δ  ulp\n"
        "4          1/2  +2.38e-07    1\n"
        "6          1/4  +2.38e-07    1\n"
        "\n"
        "element  length       value            hex                Δ  ulp\n"
        "0,1,0         9  3.50000000       0x1.cp+1\n"
        "              6  3.50000024  0x1.c00002p+1  +2.38418579e-07    1"
    )


def test_a_batch_that_matters_is_told_by_batch():
    said = message(lambda x: x * np.float32(1 + len(x) // 4), signal(6, 5, 2), "batch")
    assert said.startswith("the bits change with the batch, 1..3 against 6:\n")
    assert "safe on this input: 4, 5\n" in said


def test_many_sizes_and_elements_are_cut():
    said = message(lambda x: x * np.float32(x.shape[1]), signal(1, 40, 3))
    assert said.count("\n… and ") == 2
    assert "… and 31 more, which differ less" in said
    assert max(map(len, said.splitlines())) <= 100


def test_sizes_are_at_most_64_from_the_smallest_that_gives_output():
    seen: list[int] = []

    def fn(x: np.ndarray) -> np.ndarray:
        seen.append(x.shape[1])
        return valid(x)

    assert_invariant(fn, signal(1, 1000, 1))
    assert len(set(seen)) < 64 + 12
    assert {5, 1000} <= set(seen) and set(seen[:2]) == {1000, 500}
    gaps = np.diff(sorted({size for size in seen if size >= 5}))
    assert gaps.max() <= 17
    seen.clear()
    assert_invariant(fn, signal(1, 20, 1))
    assert set(range(5, 21)) <= set(seen)


def test_an_empty_output_is_as_good_as_none_where_sizes_are_searched():
    assert_invariant(lambda x: x[:, 4:], signal(1, 9, 1))
    assert "at length 4 has shape (1, 0, 1): nothing to compare" in message(
        lambda x: x[:, 4:], signal(1, 9, 1), values=[4, 6]
    )


def test_nothing_compared_is_not_green():
    said = message(valid, signal(1, 5, 1))
    assert said.startswith("nothing was compared: fn returns nothing below length 5 (at 4: ")
    assert "ValueError('too short')" in said
    assert "x is no longer" in message(lambda x: x, signal(1, 1, 1))


def test_a_failure_at_a_size_that_was_asked_for_is_told():
    said = message(valid, signal(1, 9, 1), values=[3, 7])
    assert said == "fn failed at length 3: ValueError('too short')"
    with pytest.raises(ValueError, match="too short"):
        assert_invariant(valid, signal(1, 3, 1))


def test_an_unstable_function_is_not_blamed_on_the_length():
    calls = itertools.count()
    said = message(lambda x: x + np.float32(next(calls)), signal(1, 6, 1))
    assert said.startswith("unstable: fn, run twice on the same input (length ")
    assert "gives other bits in " in said


def test_a_function_that_is_unstable_on_the_whole_alone_is_unstable():
    """Its first run is the odd one, so that all prefixes differ from it."""
    calls = itertools.count()
    said = message(lambda x: x + np.float32(next(calls) == 0), signal(1, 6, 1))
    assert "(length 6), gives other bits in 6 of 6 elements" in said
    calls = itertools.count()
    said = message(lambda x: x[:, : 6 if next(calls) else 5], signal(1, 6, 1), values=[3])
    assert "returns float32 (1, 5, 1) and float32 (1, 6, 1)" in said


def test_a_function_that_is_unstable_at_one_size_alone_is_unstable():
    calls = itertools.count()

    def fn(x: np.ndarray) -> np.ndarray:
        return x + np.float32(next(calls) == 0) if x.shape[1] == 4 else x

    said = message(fn, signal(1, 6, 1), values=[4])
    assert "(length 4), gives other bits in 4 of 4 elements" in said


def test_shapes_that_would_only_match_by_broadcasting_are_refused():
    def squeezed(x: np.ndarray) -> np.ndarray:
        return x[:, :, :1] if x.shape[1] == 4 else x

    said = message(squeezed, np.ones((1, 6, 3), np.float32))
    assert said.startswith("the output at length 4 has shape (1, 4, 1): no prefix along the length")
    assert "of (1, 5, 3), which it has at 5; nothing is broadcast" in said
    assert "(1, 3, 3)" in message(lambda x: x[:, :: x.shape[1] - 4], np.ones((1, 6, 3)), values=[5])


def test_an_output_longer_than_that_of_a_longer_input_is_no_prefix():
    """So is what TensorFlow 2.21 with oneDNN gives for an input one shorter than the filter."""
    said = message(lambda x: x[:, 4:] if x.shape[1] > 4 else x * np.float32(9), signal(1, 9, 1))
    assert "the output at length 4 has shape (1, 4, 1): no prefix" in said


def test_outputs_without_the_axis_or_of_another_dtype_are_refused():
    assert "has shape (3,): no length" in message(lambda x: x.sum(axis=(1, 2)), signal(3, 6, 1))
    assert "has shape (): no batch" in message(np.sum, signal(3, 6, 1), "batch")
    said = message(lambda x: x.astype("f8" if x.shape[1] == 4 else "f4"), signal(1, 6, 1))
    assert said == "the output at length 4 is float64, at 5 it is float32"


def smooth(x: np.ndarray, at: int = -1) -> np.ndarray:
    """Add three taps in one order, along an axis."""
    x = np.moveaxis(x, at, -1)
    taps = np.float32([0.1, 0.5, 0.3])
    return np.moveaxis(sum(x[..., k : x.shape[-1] - 2 + k] * taps[k] for k in range(3)), -1, at)


def blocky(x: np.ndarray, at: int = -1) -> np.ndarray:
    """Add them in another order where there are more than 8 outputs."""
    x = np.moveaxis(x, at, -1)
    a, b, c = (x[..., k : x.shape[-1] - 2 + k] * np.float32(0.1 + k / 7) for k in range(3))
    return np.moveaxis((a + b) + c if x.shape[-1] > 10 else a + (b + c), -1, at)


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((40,), "length"),
        ((40,), 0),
        ((40,), -1),
        ((2, 3, 40), -1),
        ((2, 3, 40), 2),
        ((40, 2, 3), 0),
    ],
)
def test_a_signal_and_an_axis_by_its_number(shape: tuple[int, ...], axis: Any):
    x = np.random.default_rng(2).standard_normal(shape).astype(np.float32)
    at = -1 if axis == "length" else axis
    assert_invariant(lambda part: smooth(part, at), x, axis)
    name = axis if axis == "length" else f"axis {axis}"
    said = message(lambda part: blocky(part, at), x, axis)
    assert said.startswith(f"the bits change with the {name}, ")
    # Above 10 there is one order.
    assert re.search(r"safe on this input: .*11\.\.39", said)


@pytest.mark.parametrize("value", [0.0, -0.0, np.nan, np.inf])
@pytest.mark.parametrize("axis", ["length", "batch"])
def test_constant_outputs_prove_little(value: float, axis: str):
    said = message(lambda x: np.full_like(x, value), signal(3, 6, 1), axis)
    assert "proves little" in said


def test_what_is_not_compared_does_not_count_as_seen():
    """Only the last position, which no prefix has, is not zero."""
    x = np.zeros((1, 6, 1), np.float32)
    x[0, 5] = 1
    assert "proves little" in message(lambda x: x, x)
    x[0, 4] = 1
    assert_invariant(lambda x: x, x)


def test_zero_signs_and_nans_are_told_apart_only_if_strict():
    def signed(x: np.ndarray) -> np.ndarray:
        out = x.copy()
        out[:, 0] = -0.0 if x.shape[1] == 4 else 0.0
        return out

    assert_invariant(signed, signal(1, 6, 1))
    assert "4 against 6" in message(signed, signal(1, 6, 1), strict=True)
    assert_invariant(signed, signal(1, 6, 1), strict=True, expect={"ulps": 0})


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_finite_on_one_side_only_is_beyond_any_ulps(value: float):
    def fn(x: np.ndarray) -> np.ndarray:
        out = x.copy()
        out[:, 1] = value if x.shape[1] == 4 else 3e38
        return out

    said = message(fn, signal(1, 6, 1), expect={"ulps": 10**9})
    assert "\n|Δ| ≤ inf\n" in said
    assert said.splitlines()[-1].split() == ["4", str(value), str(value), f"{value:+}"]


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint64", "bool"])
def test_integers_are_compared_exactly_whatever_ulps_are_allowed(dtype: str):
    x = np.ones((1, 6, 2), dtype)
    assert_invariant(lambda x: x, x)

    def fn(x: np.ndarray) -> np.ndarray:
        out = x.copy()
        out[0, 0, 0] = 0 if x.shape[1] == 4 else 1
        return out

    said = message(fn, x, expect={"ulps": 9})
    assert "4 against 6:\n|Δ| ≤ 1.00000000e+00\n" in said


def test_large_integers_are_subtracted_exactly():
    def fn(x: np.ndarray) -> np.ndarray:
        return x + (x.shape[1] == 4)

    assert "|Δ| ≤ 1.00000000e+00" in message(fn, np.full((1, 6, 1), 2**62))


def test_the_input_stays_as_it_is_whatever_fn_does_to_its_own():
    x = signal(2, 9, 1)
    before = x.copy()

    def rude(x: np.ndarray) -> np.ndarray:
        out = valid(x)
        x[...] = 0
        return out

    assert_invariant(rude, x)
    assert_invariant(rude, x, "batch")
    assert np.array_equal(x, before)


def test_a_reused_output_buffer_hides_nothing():
    buffer = np.empty((1, 6, 1), np.float32)

    def fn(x: np.ndarray) -> np.ndarray:
        out = buffer[:, : x.shape[1]]
        out[...] = x * np.float32(x.shape[1])
        return out

    assert "1..5 against 6" in message(fn, signal(1, 6, 1))


def test_a_foreign_byte_order_is_measured_rightly():
    assert_invariant(lambda x: valid(x).astype(">f4"), signal(1, 9, 1))
    said = message(lambda x: nudged(7)(x).astype(">f4"), signal(1, 9, 1))
    assert "at most 1 ulp" in said


@pytest.mark.parametrize(
    "expect",
    [
        *("rounding", "anything", "", None, 2, {}, {"ulp": 1}),
        *({"ulps": -1}, {"ulps": 1.5}, {"ulps": True}, {"ulps": 1, "more": 2}),
    ],
)
def test_expectations_that_can_not_be_met_are_refused(expect: Any):
    with pytest.raises(ValueError, match=r"it can be 'bitwise' or \{'ulps': n\}") as caught:
        assert_invariant(valid, signal(1, 9, 1), expect=expect)
    assert ("case file" in str(caught.value)) == (expect == "rounding")


@pytest.mark.parametrize(
    ("x", "options", "says"),
    [
        ((1, 9, 1), {"axis": "width"}, "axis is 'width'"),
        ((), {}, "no length"),
        ((), {"axis": "batch"}, "no batch"),
        ((1, 0, 1), {}, "no length"),
        ((0,), {}, "no length"),
        ((1, 9, 1), {"axis": 3}, "no axis 3"),
        ((1, 9, 1), {"axis": -4}, "no axis -4"),
        ((1, 9, 1), {"axis": True}, "axis is True"),
        ((1, 9, 1), {"axis": 1.0}, "axis is 1.0"),
        ((1, 9, 1), {"values": []}, "nothing below"),
        ((1, 9, 1), {"values": [9]}, "nothing below"),
        ((1, 9, 1), {"values": [0, 5]}, r"in 0\.\.5"),
        ((1, 9, 1), {"values": [5, 10]}, r"in 5\.\.10; x has 1\.\.9"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(x: Any, options: Any, says: str):
    with pytest.raises(ValueError, match=says):
        assert_invariant(valid, np.ones(x, np.float32), **options)


def test_outputs_of_other_dtypes_are_refused():
    with pytest.raises(TypeError, match="complex64; it can be float16, bfloat16, float32"):
        assert_invariant(lambda x: x.astype(np.complex64), signal(1, 9, 1))


TENSORFLOW = """
import os
import numpy as np
os.environ["TF_ENABLE_ONEDNN_OPTS"] = {onednn!r}
import tensorflow as tf
from convdiff import assert_invariant

taps = np.float32([-0.7313, -1.1043, 1.8492, 1.3007, -0.1033]).reshape(1, 5, 1, 1)
conv = lambda x: tf.nn.conv2d(x, taps, 1, "VALID") + np.float32(0.0401)
for seed in range(30):
    x = np.random.default_rng(seed).normal(size=(1, 1, 20, 1)).astype(np.float32)
    assert_invariant(conv, x, values=range(5, 21))
    assert_invariant(conv, np.repeat(x, 3, axis=0), "batch", {{"ulps": 64}})
"""


def tensorflow(onednn: str) -> str:
    """Run the origin's filter over random inputs in TensorFlow; return what it raised."""
    done = subprocess.run(
        [sys.executable, "-c", TENSORFLOW.format(onednn=onednn)],
        env=environment({"TF_CPP_MIN_LOG_LEVEL": "3"}),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    return done.stderr if done.returncode else ""


@pytest.mark.framework
def test_the_origin_drifts_without_onednn():
    """A single output is added one tap after the other, several are added in pairs."""
    said = tensorflow("0")
    assert "AssertionError: the bits change with the length, 5 against 20:\n" in said
    assert "\nsafe on this input: 6..19\n" in said
    assert "\n5          1/1  " in said


@pytest.mark.framework
def test_the_origin_holds_with_onednn():
    assert tensorflow("1") == ""


def test_ml_dtypes_are_named_rightly():
    x = signal(1, 9, 1, dtype=ml_dtypes.bfloat16)
    assert "at most 2 ulp" in message(nudged(7, steps=2), x)


def padded(x: np.ndarray) -> np.ndarray:
    """Return sums of three inputs, the first and the last of which may be padding."""
    zeros = np.zeros_like(x[:, :1])
    wide = np.concatenate([zeros, x, zeros], axis=1)
    return wide[:, :-2] + wide[:, 1:-1] + wide[:, 2:]


def test_outputs_that_see_the_padding_of_the_end_are_left_out():
    x = np.random.default_rng(1).standard_normal((2, 9, 3)).astype(np.float32)
    with pytest.raises(AssertionError):
        assert_invariant(padded, x)
    assert_invariant(padded, x, skip_last=1)

    def wrong_inside(x: np.ndarray) -> np.ndarray:
        y = padded(x)
        y[:, 2] += x.shape[1] == 6
        return y

    with pytest.raises(AssertionError, match="length, 6 against 9"):
        assert_invariant(wrong_inside, x, skip_last=1)


def test_where_all_outputs_are_left_out_nothing_is_green():
    x = np.ones((1, 9, 3), np.float32)
    with pytest.raises(AssertionError, match="nothing was compared: no output is left but"):
        assert_invariant(padded, x, skip_last=9)
    with pytest.raises(ValueError, match="skip_last is -1"):
        assert_invariant(padded, x, skip_last=-1)
