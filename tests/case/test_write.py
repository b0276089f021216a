"""A case that is written loads as the same case, with the same bits in its arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convdiff.case.arrays import make_tensors
from convdiff.case.load import case_of
from convdiff.case.write import text_of, written

HEADS = {
    "plain": "filter: {normal: 1, shape: [2, 3, 4, 6], seed: 1}\ninput: {normal: 1, seed: 2}\n"
    "height: 5\nlengths: [7, 9]\n",
    "moved": "filter: {normal: 1, shape: [3, 3, 2, 4], seed: 1}\nbias: [1, -0.0, 3e-7, 1e4]\n"
    "input: {normal: 1e-20, seed: 2}\nheight: 6\nlengths: [9]\nbatch: [1, 3]\ngroups: 2\n"
    "strides: [1, 2]\ndilations: 2\npadding: [[2, 1], [0, 3]]\nexpect: {batch: {ulps: 3}}\n",
    "in one dimension": "op: conv1d\nfilter: {normal: 1, shape: [3, 2, 4], seed: 1}\n"
    "input: {normal: 1, seed: 2}\nlengths: [9]\npadding: [1, 2]\n",
    "of three": "op: conv3d\nfilter: {normal: 1, shape: [2, 2, 3, 2, 4], seed: 1}\n"
    "input: {normal: 1, seed: 2}\ndepth: 3\nheight: 4\nlengths: 5\npadding: same\n",
    "transposed": "op: conv2d_transpose\nfilter: {normal: 1, shape: [2, 2, 3, 2], seed: 1}\n"
    "input: {normal: 1, seed: 2}\nheight: 3\nlengths: 5\nstrides: 2\noutput_padding: 1\n",
    "dense": "op: dense\nfilter: {normal: 1, shape: [4, 3], seed: 1}\n"
    "input: {normal: 1, seed: 2}\nlengths: 5\n",
    "as PyTorch's": "layout: nchw\nfilter: {normal: 1, shape: [4, 2, 3, 3], seed: 1}\n"
    "input: {normal: 1, shape: [2, 2, 5, 7], seed: 2}\n",
    "with a step": "filter: {normal: 1, shape: [1, 3, 1, 6], seed: 1}\n"
    "input: {normal: 1, seed: 2}\nlengths: [7, 9]\nthen: relu6\n",
    "with an array added": "filter: {normal: 1, shape: [2, 3, 1, 6], seed: 1}\nheight: 3\n"
    "input: {normal: 1, seed: 2}\nlengths: [7, 9]\nbatch: 2\n"
    "then: {add: {normal: 1, shape: [2, 2, 7, 6], seed: 3}}\n",
    "with one added to all": "op: conv3d\nfilter: {normal: 1, shape: [2, 2, 3, 2, 4], seed: 1}\n"
    "input: {normal: 1, seed: 2}\ndepth: 3\nheight: 4\nlengths: 5\n"
    "then: {add: {normal: 1, shape: [4], seed: 3}}\n",
    "repeated": "filter: {normal: 1, shape: [1, 3, 1, 6], seed: 1}\n"
    "input: {normal: 1, seed: 2}\nlengths: 7\nrepeat: 3\n",
    "some filters": "filter: {normal: 1, shape: [1, 3, 1, 6], seed: 1}\n"
    "input: {normal: 1, seed: 2}\nlengths: 7\nchannels_out: [1, 2]\n",
}


@pytest.mark.slow
@given(st.sampled_from(sorted(HEADS)), st.sampled_from(["float32", "float64", "float16"]))
def test_a_written_case_is_the_same_case(name: str, dtype: str) -> None:
    case = case_of(f"{HEADS[name]}dtype: {dtype}\n", Path("a.yaml"))
    tensors = make_tensors(case)
    again = case_of(text_of(case, tensors, ["a comment: {not} a key"]), Path("a.yaml"))
    assert again.conv == case.conv
    assert (again.lengths, again.batches) == (case.lengths, case.batches)
    assert again.height == case.height
    assert again.channels_out == case.channels_out
    assert again.expect == case.expect
    assert again.devices == case.devices
    assert again.repeat == case.repeat
    for one, other in zip(vars(tensors).values(), vars(make_tensors(again)).values(), strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            assert one.shape == other.shape
            assert one.tobytes() == other.tobytes()


@given(st.floats(width=32, allow_nan=False))
def test_numbers_round_trip_in_their_dtype(value: float) -> None:
    number = np.float32(value)
    text = written(np.array([number], np.float32))
    head = f"filter: {text}\ninput: [1]\nlengths: 1\n"
    (back,) = make_tensors(case_of(head, Path("a.yaml"))).filter_hwio.reshape(-1)
    assert back.tobytes() == number.tobytes()


def test_nan_and_infinity_are_written_as_yaml_has_them() -> None:
    array = np.array([np.nan, np.inf, -np.inf], np.float32)
    assert written(array) == "[.nan, .inf, -.inf]"
