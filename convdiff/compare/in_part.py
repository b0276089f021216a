"""A reference that was computed at some outputs only, beside a convolution's at the same ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from convdiff.compare.comparison import Comparison, expected_shape, measured, misfit
from convdiff.compare.difference import Difference, measure
from convdiff.compare.reference import Reference
from convdiff.numerics.array import Array
from convdiff.plan.cell import NoBits
from convdiff.plan.plan import Pair
from convdiff.plan.sampled import Part

Given = Array | Part | NoBits
"""NHWC; a part has the places of every other part of its length and batch."""


def compare_in_part(
    pair: Pair, given: tuple[Given, Given], reference: Reference, *, strict: bool, most: int
) -> Comparison:
    """Measure a pair at the outputs that a part has; keep the `most` worst elements.

    given: baseline and candidate, at least one of which is a part.
    """
    cells = pair.cells
    for cell, side in zip(cells, given, strict=True):
        if isinstance(side, NoBits):
            return Comparison(pair.axis, *cells, None, side.reason)
        unfit = "" if isinstance(side, Part) else misfit(reference, cell, side.shape)
        if unfit:
            return Comparison(pair.axis, *cells, None, unfit, mismatch=True)
    places = next(side.places for side in given if isinstance(side, Part))
    a, b = (_row(side, places) for side in given)
    shape = expected_shape(reference, pair.candidate)
    here = reference.at(pair.candidate.batch, pair.candidate.length, places)
    difference = measure(a, b, strict, most)
    comparison = measured(pair, a, b, here, difference)
    difference = _placed(difference, places, shape)
    return replace(comparison, difference=difference, sampled_of=math.prod(shape))


def _row(side: Given, places: Array) -> Array:
    """Return the outputs at flat places, (1, 1, k, cout)."""
    assert not isinstance(side, NoBits), "it would be no comparison"
    values = side.values if isinstance(side, Part) else side.reshape(-1, side.shape[3])[places]
    return values[None, None]


def _placed(difference: Difference, places: Array, shape: Sequence[int]) -> Difference:
    """Return the measure of a row of outputs with its worst where they are in an NHWC shape."""
    if difference.worst is None:
        return difference
    _, _, position, channel = difference.worst.index.T
    images, rows, columns = np.unravel_index(places[position], tuple(shape[:3]))
    return difference.placed(np.stack([images, rows, columns, channel], axis=1))
