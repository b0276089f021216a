"""Two sides of a shape that is not the convolution's: compared, and named by what they compute."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from findings import judged, tensors
from kernels import direct

from convdiff.diagnose.evidence import SideFact
from convdiff.worker.ops.convolution import Convolution

STRIDED = Convolution((3, 1), 2, 2, strides=(2, 2), groups=2)
DECONV = Convolution((4, 4), 3, 2, strides=(4, 4))


def same(conv, data):
    """Pad as TensorFlow's SAME does, and convolve."""
    pads = []
    for n, stride, reach in zip(data.input_nhwc.shape[1:3], conv.strides, conv.reach, strict=True):
        total = max(0, (-(-n // stride) - 1) * stride + reach - n)
        pads.append((total // 2, total - total // 2))
    x = np.pad(data.input_nhwc, ((0, 0), *pads, (0, 0)))
    return direct(conv, replace(data, input_nhwc=x))


def moved(conv, data):
    """Compute something of SAME's shape that has no name."""
    return np.roll(same(conv, data), 1, axis=1) + np.float32(0.5)


def transposed(conv, data):
    """Scatter each input times the filter."""
    x, w = data.input_nhwc, data.filter_hwio
    (kh, kw), (sh, sw) = conv.kernel, conv.strides
    n, rows, columns, _ = x.shape
    y = np.zeros((n, (rows - 1) * sh + kh, (columns - 1) * sw + kw, w.shape[3]), x.dtype)
    for i, j in np.ndindex(rows, columns):
        part = np.einsum("nc,hwco->nhwo", x[:, i, j], w)
        y[:, i * sh : i * sh + kh, j * sw : j * sw + kw] += part
    return y


def flipped(conv, data):
    return transposed(conv, replace(data, filter_hwio=data.filter_hwio[::-1, ::-1]))


def facts(finding):
    return {fact.side: fact.fact for fact in finding.evidence if isinstance(fact, SideFact)}


def test_two_sides_that_pad_alike_are_equal_to_each_other_and_wrong():
    found = judged(STRIDED, tensors(STRIDED, (1, 8, 8, 2), 1, bias=False), same, same)
    assert found.verdict == "wrong" and not found.allowed
    assert found.fits.startswith("the padding is SAME")
    assert "(1, 4, 4, 2) is SAME's shape" in found.evidence[0]
    assert "the two are bitwise equal to each other" in found.evidence


def test_of_two_sides_of_one_shape_the_one_that_fits_nothing_stands_out():
    found = judged(STRIDED, tensors(STRIDED, (1, 8, 8, 2), 1, bias=False), same, moved)
    assert found.verdict == "wrong"
    assert found.comparison.difference.differing == 32
    assert any("differ from each other in 32 of 32" in str(fact) for fact in found.evidence)
    assert facts(found)["baseline"].startswith("it fits: the padding is SAME")
    assert facts(found)["candidate"] == "it fits: nothing known"


@pytest.mark.parametrize("swap", [False, True])
def test_a_transposed_convolution_is_told_from_its_flipped_one(swap):
    sides = (flipped, transposed) if swap else (transposed, flipped)
    found = judged(DECONV, tensors(DECONV, (1, 6, 6, 3), 2, bias=False), *sides)
    assert found.verdict == "wrong"
    assert "(1, 24, 24, 2) is a transposed convolution's shape" in found.evidence[0]
    told = sorted(facts(found).values())
    assert told == [
        "it fits: a transposed convolution",
        "it fits: a transposed convolution, its filter flipped in both axes",
    ]
    side = "baseline" if swap else "candidate"
    assert facts(found)[side].endswith("flipped in both axes")


def test_a_side_of_another_shape_is_compared_with_nothing_and_named():
    found = judged(STRIDED, tensors(STRIDED, (1, 8, 8, 2), 1, bias=False), direct, same)
    assert found.verdict == "wrong" and found.comparison.difference is None
    assert found.fits.startswith("the padding is SAME")
