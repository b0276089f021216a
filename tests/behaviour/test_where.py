"""Where an output is wrong is said in plain words, and only where it holds exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from findings import judged, tensors
from kernels import Kernel, direct

from convdiff.behaviour.where import where_wrong
from convdiff.worker.ops.convolution import Convolution

Array = np.ndarray[Any, Any]
SHAPE = (2, 5, 6, 8)
BORDER = np.pad(
    np.zeros((2, 3, 4, 8), bool), ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=True
)


def mask(*index: Any) -> Array:
    wrong = np.zeros(SHAPE, bool)
    wrong[index] = True
    return wrong


ALL = slice(None)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (np.ones(SHAPE, bool), "at every output"),
        (np.zeros(SHAPE, bool), ""),
        (mask(1), "only in image 1"),
        (mask(ALL, 0), "only in the first row"),
        (mask(ALL, 4), "only in the last row"),
        (mask(ALL, ALL, 5), "only in the last column"),
        (mask(ALL, ALL, 2), "only in column 2"),
        (mask(ALL, ALL, slice(0, 6, 2)), "only in columns 0, 2 and 4"),
        (mask(ALL, ALL, slice(1, 6)), "only in columns 1 to 5"),
        (mask(..., [3, 7]), "only in output channels 3 and 7"),
        (mask(..., [0, 1, 2, 4, 6]), "only in output channels 0 … 6, 5 of all 8"),
        (mask(0, ALL, 5, 3), "only in output channel 3, the last column, image 0"),
        (mask(1, 2, 3, 4), "only at output channel 4, row 2, column 3, image 1"),
        (BORDER, "only at the borders"),
        (~BORDER, "only in rows 1, 2 and 3, columns 1, 2, 3 and 4"),
        (BORDER | mask(0, 2, 2, 0), "in all images, rows, columns and output channels, though not"),
    ],
)
def test_what_is_said_of_a_mask(wrong: Array, said: str) -> None:
    assert where_wrong(wrong).startswith(said)
    assert bool(where_wrong(wrong)) == bool(said)


def test_a_single_output_has_no_place() -> None:
    assert not where_wrong(np.ones((1, 1, 1, 1), bool))


def test_what_has_but_one_row_is_not_said_of_rows() -> None:
    wrong = np.zeros((1, 1, 6, 2), bool)
    wrong[..., 1] = True
    assert where_wrong(wrong) == "only in output channel 1"
    wrong[:] = False
    wrong[0, 0, 3, 1] = True
    assert where_wrong(wrong) == "only at output channel 1, column 3"


def spoiled(change: Callable[[Array], None]) -> Kernel:
    def kernel(conv: Convolution, data: Any) -> Array:
        y = direct(conv, data)
        change(y)
        return y

    return kernel


def cubes(y: Array, *index: Any) -> None:
    y[index] = y[index] ** 3 + 1


@pytest.mark.parametrize(
    ("index", "said"),
    [
        ((..., [1, 3]), "only in output channels 1 and 3"),
        ((ALL, ALL, -1), "only in the last column"),
        ((1,), "only in image 1"),
        ((ALL, 2, ALL, 3), "only in output channel 3, row 2"),
        ((...,), "at every output"),
        ((0, 1, 2, 3), "only at output channel 3, row 1, column 2, image 0"),
    ],
)
def test_a_fault_without_a_name_is_said_with_its_place(index: Any, said: str) -> None:
    conv = Convolution((3, 3), 3, 5)
    data = tensors(conv, (2, 7, 8, 3), 5, bias=True)
    finding = judged(conv, data, direct, spoiled(lambda y: cubes(y, *index)))
    assert finding.verdict == "wrong"
    assert finding.fits is None
    assert str(finding.evidence[0]).endswith(f"outputs of 2 probes, {said}")


def test_what_has_a_name_needs_no_place() -> None:
    conv = Convolution((3, 3), 3, 5)
    data = tensors(conv, (2, 7, 8, 3), 5, bias=True)
    finding = judged(conv, data, direct, lambda c, t: direct(c, t)[..., ::-1].copy())
    assert finding.fits == "the output's channels are reversed"
    assert str(finding.evidence[0]).endswith("outputs of 2 probes")


def test_a_third_axis_has_its_name() -> None:
    wrong = np.zeros((1, 3, 4, 5, 2), bool)
    wrong[:, 1, :, :, 1] = True
    assert where_wrong(wrong) == "only in output channel 1, plane 1"
    wrong[:] = False
    wrong[:, :, 0] = True
    assert where_wrong(wrong) == "only in the first row"
