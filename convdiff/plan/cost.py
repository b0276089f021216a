"""What is too costly to do unasked, in products of one cell."""

from __future__ import annotations

import math

from convdiff.case.model import Case
from convdiff.plan.cell import Cell

CALL = 1e6
"""What a call takes besides its products, in products: a millisecond or less."""
HEAVY = 5e9
"""Above, a cell is probed only where it looks unusual."""
LIGHT = 2e7
"""Up to here a cell is explained although `expect` allows its difference."""
SMALL = 1e6
"""Up to here a cell's orders are looked for only to be recorded."""
TOGETHER = 1.28e8
"""Products of all cells together up to which all are explained unasked: a second or two."""
REPLAYED = 2e8
"""Up to here a recorded cell's orders are replayed unasked: a part of a second."""


def products(case: Case, cell: Cell) -> int:
    """Return how many products a cell sums, over all its outputs."""
    conv = case.conv.first(cell.channels)
    outputs = math.prod(conv.output_shape(cell.batch, case.height, cell.length))
    return outputs * case.conv.taps


def is_small(case: Case, cell: Cell) -> bool:
    """Return whether a cell's orders are looked for only to be recorded."""
    return products(case, cell) <= SMALL
