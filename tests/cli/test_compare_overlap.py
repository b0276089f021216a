"""`convdiff compare`: equal questions alone are compared, and what one side lacks is named."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from recordings import case_of, recorded, recording, runtime, tensors_of, together
from two_recordings import CHAIN, PAIRS, Compare, compare, comparisons, tensors

from convdiff.case.arrays import Tensors
from convdiff.recording.model import RecordedCase

__all__ = ["compare", "tensors"]


def flipped(array: Any) -> Any:
    """Return an array whose first value is its neighbour."""
    other = array.copy()
    other.reshape(-1)[0] = np.nextafter(other.reshape(-1)[0], np.float32(9))
    return other


@pytest.mark.parametrize("name", ["filter_hwio", "bias", "input_nhwc"])
@pytest.mark.parametrize("expect", ["bitwise", "rounding", "ulps:9", "anything"])
def test_other_inputs_are_not_compared(name: str, expect: str, tensors: Tensors, compare: Compare):
    """A single bit; the outputs are equal, as they may be by chance."""
    one = recorded(CHAIN, tensors)
    other = replace(one, tensors=replace(tensors, **{name: flipped(getattr(tensors, name))}))
    code, report = compare(one, other, "--expect", expect)
    assert code == 125
    (found,) = comparisons(report)
    assert found["verdict"] == "untested"
    word = name.partition("_")[0]
    assert re.fullmatch(
        rf"not the same inputs: sha256 of the {word} [0-9a-f]{{12}} against [0-9a-f]{{12}}",
        found["reason"],
    )
    assert (found["elements"], found["differing"], found["elements_shown"]) == (0, 0, [])
    assert found["explanation"]["status"] == "not_needed"


def test_zeros_of_other_signs_are_other_inputs(tensors: Tensors, compare: Compare):
    tensors.input_nhwc[0, 0, 0, 0] = 0.0
    one = recorded(CHAIN, tensors)
    negative = tensors.input_nhwc.copy()
    negative[0, 0, 0, 0] = -0.0
    code, report = compare(one, replace(one, tensors=replace(tensors, input_nhwc=negative)))
    assert code == 125
    assert "sha256 of the input" in comparisons(report)[0]["reason"]


def test_only_what_both_sides_saw_has_to_be_the_same(tensors: Tensors, compare: Compare):
    """The inputs differ in a column that the shorter one does not have."""
    long = replace(tensors, input_nhwc=tensors.input_nhwc.copy())
    long.input_nhwc[:, :, 5] += 1
    code, report = compare(recorded(CHAIN, tensors, lengths=(5,)), recorded(CHAIN, long))
    assert code == 0
    (found,) = comparisons(report)
    assert (found["verdict"], found["baseline"]["length"], found["candidate"]["length"]) == (
        "same",
        5,
        6,
    )
    long.input_nhwc[:, :, 4] += 1
    code, report = compare(recorded(CHAIN, tensors, lengths=(5,)), recorded(CHAIN, long))
    assert code == 125


def constant(
    filter_hwio: Sequence[int], input_nhwc: Sequence[int], *, bias: bool = True, **conv: Any
) -> RecordedCase:
    """Return a case whose outputs are all alike, so that only their shapes tell it from another."""
    tensors = tensors_of(filter_hwio, input_nhwc, bias=bias)
    tensors.filter_hwio[:] = tensors.input_nhwc[:] = 1
    if tensors.bias is not None:
        tensors.bias[:] = 0
    case, taps = case_of(tensors, **conv), filter_hwio[0] * filter_hwio[1] * filter_hwio[2]
    order = f"[0..{taps - 1}{' b' * bias}]" if taps > 1 else "(0+b)"
    return recorded(order, tensors, case=case)


UNLIKE = {
    "channels": (constant((1, 2, 1, 1), (1, 1, 6, 1)), constant((1, 2, 1, 4), (1, 1, 6, 1))),
    "height": (constant((1, 2, 1, 1), (1, 1, 6, 1)), constant((1, 2, 1, 1), (1, 3, 6, 1))),
    "bias": (
        constant((1, 2, 1, 1), (1, 1, 6, 1)),
        constant((1, 2, 1, 1), (1, 1, 6, 1), bias=False),
    ),
    "strides": (
        constant((1, 2, 1, 1), (1, 1, 6, 1)),
        constant((1, 2, 1, 1), (1, 1, 6, 1), strides=(1, 2)),
    ),
    "vertical strides": (
        constant((1, 2, 1, 1), (1, 1, 6, 1)),
        constant((1, 2, 1, 1), (1, 1, 6, 1), strides=(2, 1)),
    ),
    "dilations": (
        constant((1, 2, 1, 1), (1, 1, 6, 1)),
        constant((1, 2, 1, 1), (1, 1, 6, 1), dilations=(1, 2)),
    ),
    "kernel": (constant((1, 2, 1, 1), (1, 3, 6, 1)), constant((2, 1, 1, 1), (1, 3, 6, 1))),
    "groups": (
        constant((1, 2, 2, 2), (1, 1, 6, 2)),
        constant((1, 2, 1, 2), (1, 1, 6, 2), groups=2),
    ),
    "channels of the input": (
        constant((1, 2, 1, 1), (1, 1, 6, 1)),
        constant((1, 2, 2, 1), (1, 1, 6, 2)),
    ),
}


REASONS = {
    "channels": "not the same convolution: channels_out",
    "height": "not the same inputs: height",
    "bias": "not the same inputs: a bias on one side only",
    "vertical strides": "not the same convolution: strides",
    "channels of the input": "not the same inputs: sha256 of the filter",
}
"""Else it is the convolution's own word for it."""


@pytest.mark.parametrize("name", UNLIKE)
@pytest.mark.parametrize("turned", [False, True], ids=["", "turned"])
def test_what_only_broadcasting_would_match_is_refused(name: str, turned: bool, compare: Compare):
    pair = UNLIKE[name][::-1] if turned else UNLIKE[name]
    for expect in ("bitwise", "anything"):
        code, report = compare(*pair, "--expect", expect)
        assert code == 125
        (found,) = comparisons(report)
        assert found["verdict"] == "untested"
        assert found["reason"].startswith(REASONS.get(name, f"not the same convolution: {name}"))


def test_a_case_in_one_file_only_is_named_and_not_green(tensors: Tensors, compare: Compare):
    one, two, three = (recorded(CHAIN, tensors, case=case_of(tensors, n)) for n in "abc")
    code, report = compare(recording(one, two), recording(one, three))
    assert code == 125
    assert {case["name"]: (case["outcome"], case["notes"]) for case in report["cases"]} == {
        "a": ("ok", []),
        "b": ("untested", ["only in a.json"]),
        "c": ("untested", ["only in b.json"]),
    }
    code, report = compare(recording(one), recording(two))
    assert code == 125
    code, report = compare(recording(), recording())
    assert (code, report["cases"]) == (125, [])


@pytest.mark.parametrize(
    "whole",
    [
        {"lengths": (4, 6)},
        {"batches": (1, 2)},
        {"ops": ("conv2d", "manual")},
        {"lengths": (4, 5, 6), "ops": ("conv2d", "manual"), "batches": (1, 2)},
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("expect", ["bitwise", "anything"])
def test_cells_on_one_side_only_are_named_and_not_green(
    whole: dict[str, Any], expect: str, tensors: Tensors, compare: Compare
):
    """Taken from A they have no counterpart; of B, those of another operation have none."""
    one = recorded(CHAIN, tensors, **whole)
    for left_out in one.entries:
        kept = [entry for entry in one.entries if entry is not left_out]
        less = replace(one, entries=tuple(kept))
        code, report = compare(one, less, "--expect", expect)
        assert code == 125
        (missing,) = [c for c in comparisons(report) if c["verdict"] == "untested"]
        assert missing["reason"] == "only in a.json"
        cell = left_out.cell
        said = [missing["baseline"][key] for key in ("op", "length", "batch")]
        assert said == [cell.op, cell.length, cell.batch]
        code, report = compare(less, one, "--expect", expect)
        alone = not any(entry.cell.op == cell.op for entry in kept)
        assert code == (125 if alone else 0)
        reasons = [c["reason"] for c in comparisons(report) if c["verdict"] == "untested"]
        assert reasons == (["only in b.json"] if alone else [])


def test_only_the_manual_reference_on_both_sides_is_not_green(tensors: Tensors, compare: Compare):
    manual = recorded(CHAIN, tensors, ops=("manual",))
    assert compare(manual, manual)[0] == 125


def test_a_runtime_on_one_side_only_is_not_green(tensors: Tensors, compare: Compare):
    one = recorded(CHAIN, tensors)
    code, report = compare(together(one, recorded(CHAIN, tensors, at=runtime("gpu:0"))), one)
    assert report["cases"][0]["notes"] == ["only in a.json: tensorflow:gpu:0"]
    assert code == 125


def test_lengths_that_differ_are_compared_where_they_overlap(tensors: Tensors, compare: Compare):
    """One was recorded at length 6, the other at 4 on the first 4 columns, and the reverse."""
    short = replace(tensors, input_nhwc=tensors.input_nhwc[:, :, :4].copy())
    for order, code in ((CHAIN, 0), (PAIRS, 1)):
        long, brief = recorded(CHAIN, tensors), recorded(order, short)
        for pair in ((long, brief), (brief, long)):
            found_code, report = compare(*pair)
            assert found_code == code
            (found,) = comparisons(report)
            assert found["elements"] == 2 * 1 * 2 * 2
            assert {found["baseline"]["length"], found["candidate"]["length"]} == {4, 6}
            assert found["verdict"] == ("rounding" if code else "same")
            assert found["explanation"]["status"] == ("proved" if code else "not_needed")


def test_batches_that_differ_are_compared_where_they_overlap(tensors: Tensors, compare: Compare):
    few = replace(tensors, input_nhwc=tensors.input_nhwc[:1].copy())
    for order, code in ((CHAIN, 0), (PAIRS, 1)):
        for pair in (
            (recorded(CHAIN, tensors), recorded(order, few)),
            (recorded(order, few), recorded(CHAIN, tensors)),
        ):
            found_code, report = compare(*pair)
            assert found_code == code
            assert comparisons(report)[0]["elements"] == 1 * 1 * 4 * 2
