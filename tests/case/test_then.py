"""The step that follows, in case files: what it may be, and arrays that fit the output."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convdiff.case.arrays import make_tensors
from convdiff.case.load import case_of
from convdiff.case.model import Case
from convdiff.case.override import vary
from convdiff.errors import CaseError, ConvdiffError

TEXT = """
filter: {normal: 1, shape: [3, 2, 2, 4], seed: 1}
input: {normal: 1, seed: 2}
height: 5
lengths: [4, 7]
batch: [1, 3]
then: THEN
"""


def case(then: str, text: str = TEXT) -> Case:
    return case_of(text.replace("THEN", then), Path("case.yaml"))


@pytest.mark.parametrize("then", ["relu", "relu6"])
def test_a_word_is_the_step(then: str):
    found = case(then)
    assert found.conv.then == then and found.added is None
    assert make_tensors(found).added is None


@pytest.mark.parametrize(
    ("then", "shape"),
    [
        ("{add: {normal: 1}}", (3, 3, 6, 4)),
        ("{add: {ones: true, shape: [1, 3, 6, 4]}}", (1, 3, 6, 4)),
        ("{add: {ones: true, shape: [4, 3, 9, 1]}}", (4, 3, 9, 1)),
        ("{add: [1, 2, 3, 4]}", (1, 1, 1, 4)),
        ("{add: [0.5]}", (1, 1, 1, 1)),
    ],
)
def test_an_array_is_whole_or_one_along_axes(then: str, shape: tuple[int, ...]):
    found = case(then)
    assert found.conv.then == "add" and found.added is not None
    assert found.added.shape == shape == make_tensors(found).added.shape


def test_a_shorter_length_sees_the_prefix_and_a_longer_sweep_draws_the_same():
    found = case("{add: {normal: 1, seed: 3}}")
    added = make_tensors(found).added
    assert added is not None
    part = found.conv.addend(added, (1, 5, 4, 2))
    assert np.array_equal(part, added[:1, :, :3])
    longer = vary(found, lengths=(4, 20), batches=(1, 5))
    grown = make_tensors(longer).added
    assert grown is not None and grown.shape == (5, 3, 19, 4)
    assert np.array_equal(grown[:3, :, :6], added)


def test_what_is_alike_along_axes_stays_so_in_a_sweep():
    found = vary(case("{add: [1, 2, 3, 4]}"), lengths=(4, 20))
    assert found.added is not None and found.added.shape == (1, 1, 1, 4)


def test_an_array_of_a_file_does_not_grow(tmp_path: Path):
    np.save(tmp_path / "added.npy", np.ones((3, 3, 6, 4)))
    text = TEXT.replace("THEN", "{add: {file: added.npy}}")
    found = case_of(text, tmp_path / "case.yaml")
    assert make_tensors(vary(found, lengths=(4, 5))).added.shape == (3, 3, 6, 4)
    with pytest.raises(ConvdiffError, match="what 'case' adds is fixed"):
        vary(found, lengths=(4, 20))


def test_of_nchw_and_of_three_dimensions_it_lies_as_the_output_does(tmp_path: Path):
    text = """
layout: nchw
op: conv3d
filter: {normal: 1, shape: [4, 2, 1, 3, 2], seed: 1}
input: {normal: 1, shape: [1, 2, 2, 5, 7], seed: 2}
then: {add: {file: added.npy}}
"""
    numbers = np.arange(4 * 2 * 3 * 6, dtype=np.float64).reshape(1, 4, 2, 3, 6)
    np.save(tmp_path / "added.npy", numbers)
    added = make_tensors(case_of(text, tmp_path / "case.yaml")).added
    assert added is not None and added.shape == (1, 6, 6, 4)
    assert np.array_equal(added.reshape(1, 2, 3, 6, 4), numbers.transpose(0, 2, 3, 4, 1))


@pytest.mark.parametrize(
    ("then", "words"),
    [
        ("gelu", "relu"),
        ("{added: [1]}", "add"),
        ("{add: [1, 2, 3]}", "then adds an array of shape 3; the output has 3×3×6×4 NHWC"),
        ("{add: {ones: true, shape: [3, 2, 6, 4]}}", "then adds an array of shape 3×2×6×4"),
        ("{add: {ones: true, shape: [2, 3, 6, 4]}}", "then adds an array of shape 2×3×6×4"),
        ("{add: {seed: 1}}", "'then' needs exactly one of"),
    ],
)
def test_what_is_no_step_is_refused_at_its_place(then: str, words: str):
    with pytest.raises(CaseError) as caught:
        case(then)
    assert words in str(caught.value)
    assert "case.yaml:7" in str(caught.value)
