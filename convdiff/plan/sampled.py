"""Where a large manual reference is computed: at some positions, spread over all of its output."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from convdiff.case.model import Case
from convdiff.numerics.array import Array
from convdiff.numerics.spread import spread
from convdiff.plan.cell import Cell
from convdiff.plan.cost import products
from convdiff.worker.manual import CHUNK, positions_a_call
from convdiff.worker.ops.convolution import Convolution

LARGE = 4 * CHUNK
"""Products up to which a reference is computed whole: a few tenths of a second."""
FEWEST = 32
"""Positions that are computed at least, each with all of its channels."""
SHARE = 4
"""A sample is a quarter of all positions at the most: else all are computed."""


@dataclass(frozen=True)
class Part:
    """What was computed at some positions of an output, where not all were asked."""

    places: Array
    """(k,) flat indices into N x OH x OW."""
    values: Array
    """(k, cout)"""

    def within(self, right: Array) -> Array:
        """Return a right answer, NHWC, with these values at their places."""
        whole: Array = right.copy()
        whole.reshape(-1, right.shape[3])[self.places] = self.values
        return whole


def places_of(case: Case, cell: Cell) -> Array | None:
    """Return the flat positions, of N x OH x OW, at which a cell is computed; None of all.

    Only a reference is ever computed in part: it is no kernel under test.
    """
    if not cell.is_reference or products(case, cell) <= LARGE:
        return None
    return _places(case.conv, case.conv.output_shape(cell.batch, case.height, cell.length)[:3])


@lru_cache(maxsize=64)
def _places(conv: Convolution, shape: tuple[int, ...]) -> Array | None:
    """Return positions that fill whole calls, which so have the shape that they have of all."""
    call = positions_a_call(conv)
    count = -(-FEWEST // call) * call
    if SHARE * count > math.prod(shape):
        return None
    return np.asarray(np.ravel_multi_index(tuple(spread(shape, count).T), shape))
