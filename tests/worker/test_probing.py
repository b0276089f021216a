"""What a probe's answer is: one row for all positions where they answer alike, and else all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convdiff.numerics.array import Array
from convdiff.worker.frameworks.numpy import Loop
from convdiff.worker.ops.convolution import Convolution
from convdiff.worker.probing import answer

CONV = Convolution((1, 3), 2, 4)
ROWS = np.array([[[0, 1, 0, 7], [2, 5, 0, 7], [4, 3, 0, 7], [1, 2, 0, 7]]] * 3)


class LastRow(Loop):
    """Gives another number, or another zero or NaN, at the last position of the last call."""

    def __init__(self, other: float) -> None:
        super().__init__()
        self.other, self.calls = other, 0

    def conv2d(self, *arrays: Any) -> Any:
        y = super().conv2d(*arrays)
        self.calls += 1
        if self.calls == len(ROWS):
            y[0, 0, -1, 3] = self.other
        return y


def answered(framework: Loop, kind: str, rows: Array, *positions: Array) -> Array:
    header = {
        "conv": CONV._asdict(),
        "op": "conv2d",
        "device": "cpu",
        "input": [2, 1, 9, 2],
        "filter": CONV.filter_shape,
        "bias": False,
        "kinds": [kind],
        "some": bool(positions),
    }
    (found,) = answer(framework, header, [rows, *positions])
    return np.asarray(found)


def test_positions_that_answer_alike_travel_as_one() -> None:
    found = answered(Loop(), "mask", ROWS)
    assert found.shape == (3, 1, 4)
    assert found.dtype == np.float32
    assert len(set(found[0, 0].tolist())) > 1


@pytest.mark.parametrize(("kind", "other"), [("mask", 0.5), ("zero", 0.0)])
def test_one_other_number_brings_all_back(kind: str, other: float) -> None:
    assert answered(Loop(), kind, ROWS).shape == (3, 1, 4)
    found = answered(LastRow(other), kind, ROWS)
    assert found.shape == (3, 14, 4)
    differing = np.argwhere(found.view(np.uint32) != found[:, :1].view(np.uint32))
    assert differing.tolist() == [[2, 6, 3]]


def test_random_numbers_and_chosen_positions_are_answered_position_by_position() -> None:
    whole = answered(Loop(), "random", np.arange(1, 4)[:, None, None] + np.zeros((1, 4, 4), int))
    assert whole.shape == (3, 14, 4)
    some = answered(
        Loop(),
        "random",
        np.arange(1, 4)[:, None, None] + np.zeros((1, 4, 4), int),
        np.array([9, 2]),
    )
    np.testing.assert_array_equal(some, whole[:, [9, 2]])
