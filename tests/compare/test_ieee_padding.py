"""NaN and infinity in a filter, where its taps fall on padding."""

import numpy as np
import pytest

from convdiff.case.arrays import Tensors
from convdiff.compare.astray import astray
from convdiff.compare.ieee import FINITE, NAN
from convdiff.compare.reference import Reference
from convdiff.worker.ops.convolution import Convolution


def reference(weight: float, op: str = "conv2d") -> Reference:
    conv = Convolution((1, 3), 1, 1, op=op, padding=((0, 0), (1, 1)))
    w = np.ones((1, 3, 1, 1), np.float32)
    w[0, 0] = weight
    return Reference(conv, Tensors(w, None, np.ones((1, 1, 4, 1), np.float32)))


@pytest.mark.parametrize("op", ["conv2d", "conv2d_transpose"])
@pytest.mark.parametrize("weight", [np.inf, np.nan])
def test_a_tap_on_padding_is_no_tap(op, weight):
    found = reference(weight, op)
    finite = np.argwhere(found.kinds[0, 0, :, 0] == FINITE).ravel().tolist()
    assert finite == [{"conv2d": 0, "conv2d_transpose": 3}[op]]


@pytest.mark.parametrize("weight", [np.inf, np.nan])
def test_a_kernel_that_multiplies_the_padding_is_told_and_not_wrong(weight):
    found = reference(weight)
    output = np.full((1, 1, 4, 1), np.nan if np.isnan(weight) else np.inf, np.float32)
    output[0, 0, 0] = np.nan
    seen, mask = astray(output, found)
    assert not seen and not mask.any()
    assert seen.padded.count == 1 and seen.padded.first == ((0, 0, 0, 0),)
    output[0, 0, 0] = np.inf  # which no product of zero is
    assert astray(output, found)[0].unwanted.count == 1


def test_without_padding_nothing_is_excused():
    conv = Convolution((1, 3), 1, 1)
    w = np.array([np.nan, 1, 1], np.float32).reshape(1, 3, 1, 1)
    found = Reference(conv, Tensors(w, None, np.ones((1, 1, 4, 1), np.float32)))
    assert (found.kinds == NAN).all()
    assert astray(np.ones((1, 1, 2, 1), np.float32), found)[0].lost.count == 2
