"""A part of a reference beside a convolution: what is said is what the whole says at its places."""

from __future__ import annotations

import numpy as np
import pytest
from findings import tensors

from convdiff.case.device import Device
from convdiff.compare.comparison import compare
from convdiff.compare.exact import exact
from convdiff.compare.fp64 import scales
from convdiff.compare.in_part import compare_in_part
from convdiff.compare.reference import Reference
from convdiff.numerics.bits import same_bits
from convdiff.plan.cell import Cell, NoBits
from convdiff.plan.plan import Pair
from convdiff.plan.sampled import Part
from convdiff.runtime.model import Interpreter, Runtime
from convdiff.worker.ops.convolution import Convolution

RUNTIME = Runtime(Interpreter("tensorflow", "python"), Device("cpu"))
CONVS = (
    Convolution((1, 5), 1, 1),
    Convolution((3, 3), 4, 6, groups=2, strides=(1, 2)),
    Convolution((2, 3), 5, 3, dilations=(1, 2)),
)
LENGTH, BATCH = 19, 2


def setting(conv: Convolution, *, bias: bool = True):
    """Return a reference of a longer input, the outputs of both sides, and some places."""
    data = tensors(conv, (3, 8, 30, conv.channels_in), 3, bias=bias)
    reference = Reference(conv, data)
    n, h, w, _ = conv.output_shape(BATCH, 8, LENGTH)
    right = exact(conv, data)[:n, :, :w]
    rng = np.random.default_rng(0)
    other = np.where(rng.random(right.shape) < 0.4, np.nextafter(right, np.float32(99)), right)
    return reference, right, other, np.sort(rng.permutation(n * h * w)[:10])


PAIR = Pair(
    "reference",
    Cell(RUNTIME, "manual", LENGTH, BATCH),
    Cell(RUNTIME, "conv2d", LENGTH, BATCH),
)


def part_of(output: np.ndarray, places: np.ndarray) -> Part:
    return Part(places, output.reshape(-1, output.shape[3])[places])


@pytest.mark.parametrize("conv", CONVS)
@pytest.mark.parametrize("bias", [False, True])
def test_exact_values_and_sizes_at_some_places_are_those_of_all(conv: Convolution, bias: bool):
    reference, right, _, places = setting(conv, bias=bias)
    here = reference.at(BATCH, LENGTH, places)
    cut = Reference(conv, reference.tensors).tensors
    whole = scales(conv, cut)
    n, _, w, c = right.shape
    assert here.shape == (1, 1, len(places), c)
    assert same_bits(here.exact[0, 0], right.reshape(-1, c)[places]).all()
    for some, all_ in (
        (here.scales.absolute, whole.absolute),
        (here.scales.euclidean, whole.euclidean),
    ):
        assert np.allclose(some[0, 0], all_[:n, :, :w].reshape(-1, c)[places], rtol=1e-12)


@pytest.mark.parametrize("conv", CONVS)
@pytest.mark.parametrize("both", [False, True])
def test_a_part_says_what_the_whole_says_there(conv: Convolution, both: bool):
    reference, right, other, places = setting(conv)
    mask = np.zeros((right[..., 0].size, 1), bool)
    mask[places] = True
    beside = np.where(mask.reshape(*right.shape[:3], 1), other, right)
    whole = compare(PAIR, right, beside, reference, strict=False, most=7)
    candidate = part_of(other, places) if both else other
    found = compare_in_part(
        PAIR, (part_of(right, places), candidate), reference, strict=False, most=7
    )
    assert whole.difference.differing
    assert found.sampled_of == right.size
    assert found.difference.elements == len(places) * conv.channels_out
    for name in ("differing", "max_abs", "max_ulp", "max_index"):
        assert getattr(found.difference, name) == getattr(whole.difference, name)
    for one, all_ in zip(found.difference.worst.fields, whole.difference.worst.fields, strict=True):
        assert np.array_equal(one, all_)
    assert np.array_equal(found.exact, whole.exact)
    for name in ("bound_ratio", "screen_ratio", "terms_ulp", "condition"):
        assert np.isclose(getattr(found, name), getattr(whole, name), rtol=1e-9)


def test_a_convolution_of_another_shape_is_one_and_no_bits_are_none():
    reference, right, other, places = setting(CONVS[0])
    part = part_of(right, places)
    found = compare_in_part(PAIR, (part, other[:, :, 1:]), reference, strict=False, most=1)
    assert found.mismatch and "expected" in found.reason
    found = compare_in_part(PAIR, (part, NoBits("died")), reference, strict=False, most=1)
    assert (found.difference, found.reason, found.mismatch) == (None, "died", False)
